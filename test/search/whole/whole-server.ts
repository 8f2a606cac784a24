/** The server without HTTP, on a real store, with random resources; and its answers compared with the matcher's. */
import type { Bundle } from '@medplum/fhirtypes';
import type { Test } from 'tap';
import { createFhirServer } from '../../../src/app.ts';
import { readConfig } from '../../../src/config.ts';
import type { FhirServer } from '../../../src/interactions/fhir-request.ts';
import { openStore } from '../../../src/open-store.ts';
import { temporaryFolder } from '../../http/test-server.ts';
import { storeEnvironment } from '../../http/test-store.ts';
import type { Choices } from './choices.ts';
import { nameOf, type World } from './naive-matcher.ts';
import { answerOf } from './naive-search.ts';
import type { Resource } from './naive-values.ts';
import { readOriginals } from './originals.ts';
import type { RandomQuery } from './random-queries.ts';
import { changedResource, withoutReferencesTo } from './random-resources.ts';

const BASE_URL = 'http://localhost/fhir';
/** So many resources are in a world, but for those that are refused. */
const RESOURCES = 40;

const originals = readOriginals();

/** A server on a store of its own. */
export const serverIn = async (t: Test, zone: string): Promise<FhirServer> => {
  const folder = temporaryFolder(t);
  const config = readConfig({
    CONSILIUM_STORE_KEY: '5'.repeat(64),
    CONSILIUM_DATA: folder,
    CONSILIUM_ACCESS: 'open',
    CONSILIUM_SEARCH_ZONE: zone,
    ...storeEnvironment(t, folder),
  });
  const store = await openStore(config);
  const server = createFhirServer(config, store, BASE_URL);
  t.teardown(async () => {
    await server.reindexing.close();
    await store.close();
  });
  return server;
};

/** The stored resource, or undefined if it is refused. */
const put = async (server: FhirServer, resource: Resource): Promise<Resource | undefined> => {
  const asked = { method: 'PUT', path: nameOf(resource), query: '', headers: {}, body: JSON.stringify(resource) };
  try {
    const { body } = await server.answer(asked);
    return JSON.parse(String(body));
  } catch (error) {
    if ((error as { status?: number }).status !== 400) throw error;
    return undefined;
  }
};

/** Types with search parameters of rare kinds: numbers, quantities, composites, hierarchies. */
const RICH_TYPES = [
  ...['Observation', 'RiskAssessment', 'MolecularSequence', 'Group', 'ChargeItem', 'Encounter', 'DocumentReference'],
  ...['ActivityDefinition', 'Condition', 'Location', 'Organization', 'Questionnaire', 'QuestionnaireResponse', 'Goal'],
];

/** Resources that refer to each other, with ids of their own in this world. */
const chosenOriginals = (prefix: string, choices: Choices): Resource[] => {
  const [first = [], ...others] = originals;
  const group = others.length === 0 || choices.isOneIn(2) ? first : choices.of(others);
  const types = [...new Set(group.map(({ resourceType }) => resourceType))];
  const rich = types.filter((type) => RICH_TYPES.includes(type));
  const focus = Array.from({ length: 6 }, (_, at) => choices.of(at % 2 === 0 && rich.length > 0 ? rich : types));
  const chosen = Array.from({ length: RESOURCES }, (): Resource => {
    const pool = choices.isOneIn(3) ? group : group.filter(({ resourceType }) => focus.includes(resourceType));
    return choices.of(pool);
  });
  // What is referred to most stands first, so that the others may refer to it from the start.
  const early = ['Organization', 'Practitioner', 'Location', 'Patient', 'Encounter'];
  const rank = ({ resourceType }: Resource): number =>
    (early.indexOf(resourceType) + early.length + 1) % (early.length + 1);
  const sorted = chosen.toSorted((one, other) => rank(one) - rank(other));
  const ids = new Map(sorted.map((resource, at) => [nameOf(resource), `${resource.resourceType}/${prefix}${at}`]));
  const linked = (text: string): string =>
    text.replace(/"reference":"([^"]+)"/g, (whole, name) => (ids.has(name) ? `"reference":"${ids.get(name)}"` : whole));
  return sorted.map((resource, at) => ({ ...JSON.parse(linked(JSON.stringify(resource))), id: `${prefix}${at}` }));
};

/** Creates resources, and changes some of them: in the order of their creation, as they are in the end. */
export const createWorld = async (
  server: FhirServer,
  zone: string,
  prefix: string,
  choices: Choices,
): Promise<World> => {
  const isValid = (resource: Resource): boolean =>
    server.validate(resource, { integralDecimals: new Set() }).length === 0;
  const chosen = chosenOriginals(prefix, choices);
  const stored: Resource[] = [];
  for (const original of chosen) {
    const others = stored.map(nameOf);
    const changed = changedResource(original, { others, baseUrl: BASE_URL, isValid }, choices);
    const created = await put(
      server,
      withoutReferencesTo(changed, new Set(chosen.map(nameOf).filter((name) => !others.includes(name)))),
    );
    if (created !== undefined) stored.push(created);
  }
  const others = stored.map(nameOf);
  for (const [at, before] of stored.entries())
    if (choices.isOneIn(2)) {
      const changed = changedResource(before, { others, baseUrl: BASE_URL, isValid }, choices);
      stored[at] = (await put(server, changed)) ?? before;
    }
  return { resources: stored, baseUrl: BASE_URL, zone, approximateShare: 0.1 };
};

export const deleteWorld = async (server: FhirServer, { resources }: World): Promise<void> => {
  for (const resource of resources.toReversed())
    await server.answer({ method: 'DELETE', path: nameOf(resource), query: '', headers: {} });
};

interface Found {
  readonly names: readonly string[];
  readonly pages: readonly number[];
}

/** All pages, by the `next` links. */
const allPages = async (server: FhirServer, { path, text }: RandomQuery): Promise<Found> => {
  const names: string[] = [];
  const pages: number[] = [];
  let query: string | undefined = text;
  while (query !== undefined) {
    const { body } = await server.answer({ method: 'GET', path, query, headers: {} });
    const { entry = [], link = [] }: Bundle<never> = JSON.parse(String(body));
    pages.push(entry.length);
    for (const { resource } of entry) names.push(nameOf(resource as unknown as Resource));
    query = link.find(({ relation }) => relation === 'next')?.url?.split('?')[1];
  }
  return { names, pages };
};

const difference = (world: World, found: readonly string[], expected: readonly string[]): string => {
  const shown = (names: readonly string[]): string =>
    names
      .slice(0, 2)
      .map((name) => JSON.stringify(world.resources.find((resource) => nameOf(resource) === name)))
      .join('\n');
  const more = found.filter((name) => !expected.includes(name));
  const less = expected.filter((name) => !found.includes(name));
  return `${found.length} found, ${expected.length} expected\ntoo many: ${more}\n${shown(more)}\nmissing: ${less}\n${shown(less)}`;
};

/** Throws unless the server finds what the matcher finds, in its order if there is one, on full pages. */
export const checkQuery = async (server: FhirServer, world: World, query: RandomQuery): Promise<number> => {
  const url = `${query.path}?${decodeURIComponent(query.text)}`;
  const expected = answerOf(query.types, query.text, world).map(nameOf);
  const { names, pages } = await allPages(server, query).catch((error: Error) => {
    throw new Error(`${url} (${query.text}): ${error.message}`, { cause: error });
  });
  if (names.toSorted().join() !== expected.toSorted().join())
    throw new Error(`${url}\nzone ${world.zone} ${difference(world, names, expected)}`);
  if (query.text.includes('_sort=') && names.join() !== expected.join())
    throw new Error(
      `${url}\nin the order ${names}\nexpected     ${expected}\n${JSON.stringify(world.resources.filter((r) => names.includes(nameOf(r))))}`,
    );
  const size = Number(new URLSearchParams(query.text).get('_count'));
  if (pages.slice(0, -1).some((count) => count !== size)) throw new Error(`${url}: pages of ${pages}`);
  return expected.length;
};
