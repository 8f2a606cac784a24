/** Random tokens with random requests, compared with the plain reference: nothing beyond it, and nothing missing. */
import type { Bundle } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { test } from 'tap';
import type { Actor } from '../../src/access/actor.ts';
import { FhirError } from '../../src/fhir/fhir-error.ts';
import { IS_MONGODB } from '../http/test-store.ts';
import { settings } from '../store/contract/run-settings.ts';
import { type AccessTestServer, namesOf, startAccessServer } from './access-server.ts';
import { actor, actorText } from './whole/actors.ts';
import { contentAt, currentOf, isScoped, mayDo, searchable, seesVersion, valuesOf } from './whole/reference.ts';
import { addVersion, buildWorld, type Json, type World, type WorldResource } from './whole/world.ts';

/** MongoDB takes several times as long. */
const RUNS = IS_MONGODB ? 15 : 60;

interface Answer {
  readonly status: number;
  readonly text: string;
}

const ask = async (
  server: AccessTestServer,
  by: Actor,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Answer> => {
  try {
    const more = body === undefined ? { headers } : { headers, body: JSON.stringify(body) };
    const { status, body: text = '' } = await server.answer(by, method, path, more);
    return { status, text: text.toString() };
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    return { status: error.status, text: error.message };
  }
};

const nameOf = ({ type, id }: WorldResource): string => `${type}/${id}`;
const TYPES = ['Patient', 'Observation', 'Condition', 'Practitioner', 'PractitionerRole', 'Organization', 'Location'];

/** What a search must find, or 403. */
type Expected = 403 | readonly string[];

const found = (resources: Iterable<WorldResource>): string[] => [...resources].map(nameOf).sort();

const jsonOf = (resource: WorldResource): Json => currentOf(resource).json as Json;

const refersTo = (resource: WorldResource, param: string, target: WorldResource): boolean =>
  valuesOf(jsonOf(resource), param).includes(nameOf(target));

interface Search {
  readonly path: string;
  expected(world: World, by: Actor): Expected;
}

const plain = (type: string, query: string, matches: (json: Json) => boolean): Search => ({
  path: `${type}?${query}`,
  expected: (world, by) =>
    isScoped(by, type, 's') ? found(searchable(world, by, type).filter((each) => matches(jsonOf(each)))) : 403,
});

const chained = (
  type: string,
  query: string,
  param: string,
  target: string,
  matches: (json: Json) => boolean,
): Search => ({
  path: `${type}?${query}`,
  expected: (world, by) => {
    if (!isScoped(by, type, 's') || !isScoped(by, target, 's')) return 403;
    const targets = searchable(world, by, target).filter((each) => matches(jsonOf(each)));
    return found(searchable(world, by, type).filter((each) => targets.some((one) => refersTo(each, param, one))));
  },
});

const having = (
  type: string,
  query: string,
  source: string,
  param: string,
  matches: (json: Json) => boolean,
): Search => ({
  path: `${type}?${query}`,
  expected: (world, by) => {
    if (!isScoped(by, type, 's') || !isScoped(by, source, 's')) return 403;
    const referring = searchable(world, by, source).filter((each) => matches(jsonOf(each)));
    return found(searchable(world, by, type).filter((each) => referring.some((one) => refersTo(one, param, each))));
  },
});

type Step = readonly [direction: 'forward' | 'reverse', type: string, param: string];

/** All that the steps lead to, round by round, over what may be seen. */
const including = (type: string, query: string, steps: readonly Step[]): Search => ({
  path: `${type}?${query}`,
  expected: (world, by) => {
    if (!isScoped(by, type, 's')) return 403;
    const all = new Map(searchable(world, by, type).map((each) => [nameOf(each), each]));
    for (const each of all.values())
      for (const [direction, of, param] of steps) {
        const possible = direction === 'forward' ? TYPES : [of];
        const candidates = possible.flatMap((name) => searchable(world, by, name, direction === 'forward' ? 'r' : 's'));
        for (const other of candidates) {
          const isLinked =
            direction === 'forward' ? each.type === of && refersTo(each, param, other) : refersTo(other, param, each);
          if (isLinked && !all.has(nameOf(other))) all.set(nameOf(other), other);
        }
      }
    return found(all.values());
  },
});

/** Locations below l1, over those that may be seen. */
const belowHouse: Search = {
  path: 'Location?partof:below=Location/l1',
  expected: (world, by) => {
    if (!isScoped(by, 'Location', 's')) return 403;
    const seen = searchable(world, by, 'Location');
    const below = new Set(['Location/l1']);
    for (const name of below)
      for (const each of seen) if (valuesOf(jsonOf(each), 'partof').includes(name)) below.add(nameOf(each));
    return found(seen.filter((each) => valuesOf(jsonOf(each), 'partof').some((name) => below.has(name))));
  },
};

const is = (name: string, value: string) => (json: Json) => valuesOf(json, name).includes(value);

const SEARCHES: readonly Search[] = [
  ...TYPES.map((type) => plain(type, '', () => true)),
  plain('Observation', 'category=lab', is('category', 'lab')),
  plain(
    'Observation',
    'category=lab&status=final',
    (json) => is('category', 'lab')(json) && is('status', 'final')(json),
  ),
  plain('Observation', 'category:not=lab', (json) => !is('category', 'lab')(json)),
  plain('Observation', 'patient=Patient/p1', is('subject', 'Patient/p1')),
  plain('Observation', 'performer:missing=false', (json) => json['performer'] !== undefined),
  plain('Observation', '_id=b1,b4,deleted,moved', (json) => ['b1', 'b4', 'moved'].includes(String(json['id']))),
  chained('Observation', 'patient.family=alpha', 'subject', 'Patient', is('family', 'alpha')),
  chained('Observation', 'performer:Practitioner.family=dthree', 'performer', 'Practitioner', is('family', 'dthree')),
  chained('PractitionerRole', 'practitioner.family=dfour', 'practitioner', 'Practitioner', is('family', 'dfour')),
  having('Patient', '_has:Observation:patient:category=lab', 'Observation', 'subject', is('category', 'lab')),
  having(
    'Practitioner',
    '_has:PractitionerRole:practitioner:organization=Organization/o1',
    'PractitionerRole',
    'practitioner',
    is('organization', 'Organization/o1'),
  ),
  including('Observation', '_include=Observation:patient&_include=Observation:performer', [
    ['forward', 'Observation', 'subject'],
    ['forward', 'Observation', 'performer'],
  ]),
  including('Patient', '_include=Patient:general-practitioner&_include:iterate=PractitionerRole:practitioner', [
    ['forward', 'Patient', 'general-practitioner'],
    ['forward', 'PractitionerRole', 'practitioner'],
  ]),
  including('Patient', '_revinclude=Observation:patient&_revinclude=Condition:patient', [
    ['reverse', 'Observation', 'patient'],
    ['reverse', 'Condition', 'patient'],
  ]),
  including('Practitioner', '_revinclude=Observation:performer&_include:iterate=Observation:patient', [
    ['reverse', 'Observation', 'performer'],
    ['forward', 'Observation', 'patient'],
  ]),
  including('Location', '_include=Location:partof', [['forward', 'Location', 'partof']]),
  belowHouse,
];

const checkSearches = async (server: AccessTestServer, world: World, by: Actor): Promise<void> => {
  for (const { path, expected } of SEARCHES) {
    const wanted = expected(world, by);
    const { status, text } = await ask(server, by, 'GET', path);
    const got = status === 200 ? namesOf(JSON.parse(text) as Bundle) : status;
    if (JSON.stringify(got) !== JSON.stringify(wanted))
      throw new Error(
        `${path}: ${JSON.stringify(got)}, but should be ${JSON.stringify(wanted)}; ${text.slice(0, 300)}`,
      );
    if (status !== 200 || /include/.test(path)) continue;
    // Of a page that holds all matches the total is the number of its entries; `_summary=count` has them counted.
    for (const query of ['_total=accurate', '_summary=count']) {
      const { total } = JSON.parse((await ask(server, by, 'GET', `${path}&${query}`)).text) as Bundle;
      if (total !== (wanted as readonly string[]).length) throw new Error(`${path}&${query}: a total of ${total}`);
    }
  }
};

const checkReads = async (server: AccessTestServer, world: World, by: Actor): Promise<void> => {
  for (const resource of world.values()) {
    const { type, versions } = resource;
    const statusOf = (version: number): number => {
      if (!isScoped(by, type, 'r')) return 403;
      if (!seesVersion(world, by, ['r'], resource, version)) return 404;
      return versions[version - 1]?.json === undefined ? 410 : 200;
    };
    const expect = async (path: string, wanted: number): Promise<string> => {
      const { status, text } = await ask(server, by, 'GET', path);
      if (status !== wanted) throw new Error(`GET ${path}: ${status}, but should be ${wanted}; ${text.slice(0, 200)}`);
      return text;
    };
    await expect(nameOf(resource), statusOf(versions.length));
    const seen = versions.flatMap((_, at) => (seesVersion(world, by, ['r'], resource, at + 1) ? [at + 1] : []));
    for (const [at] of versions.entries()) await expect(`${nameOf(resource)}/_history/${at + 1}`, statusOf(at + 1));
    const wanted = !isScoped(by, type, 'r') ? 403 : seen.length === 0 ? 404 : 200;
    const text = await expect(`${nameOf(resource)}/_history`, wanted);
    if (wanted !== 200) continue;
    const tags = (JSON.parse(text) as Bundle).entry?.map(({ response }) => response?.etag);
    const all = seen.toReversed().map((version) => `W/"${version}"`);
    if (JSON.stringify(tags) !== JSON.stringify(all))
      throw new Error(`${nameOf(resource)}/_history: ${tags}, not ${all}`);
  }
};

const checkHistories = async (server: AccessTestServer, world: World, by: Actor): Promise<void> => {
  for (const type of ['', 'Observation', 'Condition']) {
    const wanted = [...world.values()]
      .filter((each) => type === '' || each.type === type)
      .flatMap((each) =>
        each.versions.flatMap((_, at) =>
          seesVersion(world, by, ['s'], each, at + 1) ? [`${nameOf(each)} ${at + 1}`] : [],
        ),
      )
      .sort();
    const got: string[] = [];
    const path = type === '' ? '_history' : `${type}/_history`;
    const isRefused = type !== '' && !isScoped(by, type, 's');
    let query = '_count=3';
    for (let pages = 0; ; pages++) {
      const { status, text } = await ask(server, by, 'GET', `${path}?${query}`);
      if (status !== (isRefused ? 403 : 200)) throw new Error(`${path}: ${status} ${text.slice(0, 200)}`);
      if (isRefused) break;
      const { entry = [], link = [] } = JSON.parse(text) as Bundle;
      if (entry.length > 3 || pages > 50) throw new Error(`${path}: a page of ${entry.length}`);
      for (const { fullUrl = '', response } of entry)
        got.push(`${fullUrl.split('/').slice(-2).join('/')} ${response?.etag?.slice(3, -1)}`);
      const next = link.find(({ relation }) => relation === 'next')?.url;
      if (next === undefined) break;
      query = next.split('?')[1] ?? '';
    }
    if (!isRefused && JSON.stringify(got.sort()) !== JSON.stringify(wanted))
      throw new Error(`${path}: ${got.join()}, but should be ${wanted.join()}`);
    const count = await ask(server, by, 'GET', `${path}?_summary=count`);
    if (!isRefused && (JSON.parse(count.text) as Bundle).total !== wanted.length)
      throw new Error(`${path}: a total of ${count.text}, but should be ${wanted.length}`);
  }
};

test('random tokens read, search and page through exactly what the plain rules say', async (t) => {
  const server = await startAccessServer(t);
  const world = await buildWorld(server);
  await fc.assert(
    fc.asyncProperty(actor, async (by) => {
      try {
        await checkReads(server, world, by);
        await checkSearches(server, world, by);
        await checkHistories(server, world, by);
      } catch (error) {
        throw new Error(`${actorText(by)}: ${(error as Error).message}`);
      }
    }),
    settings(t, RUNS),
  );
  t.pass('all alike');
});

/** What a write must be answered with. */
const statusOfWrite = (
  world: World,
  by: Actor,
  resource: WorldResource | undefined,
  type: string,
  json: Json | undefined,
) => {
  const current = resource === undefined ? undefined : currentOf(resource);
  const { organization } = by;
  const source = current?.source ?? organization;
  const may = (letter: 'c' | 'u' | 'd' | 'r' | 's', given: Json, from: string | undefined) =>
    mayDo(world, by, letter, type, given, from);
  const before = resource === undefined ? undefined : contentAt(resource, resource.versions.length);
  const isThere = current?.json !== undefined;
  if (json === undefined) {
    if (!isScoped(by, type, 'd')) return [403];
    if (before !== undefined && may('d', before, current?.source)) return [204];
    if (before === undefined) return [404, 204];
    return may('r', before, current?.source) || may('s', before, current?.source) ? [403] : [404];
  }
  if (!isScoped(by, type, 'u')) return [403];
  if (!isThere) {
    if (before !== undefined && !may('u', before, current?.source)) return [404];
    if (!isScoped(by, type, 'c')) return [403, 404];
    return may('c', json, source) && may('u', json, source) ? [201] : [403];
  }
  const old = current.json as Json;
  if (!may('u', old, current.source))
    return may('r', old, current.source) || may('s', old, current.source) ? [403] : [404];
  return may('u', json, source) ? [200] : [403];
};

const change = fc.record({
  id: fc.constantFrom('b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'moved', 'deleted', 'again', 'w1', 'w2'),
  patient: fc.constantFrom('p1', 'p2', 'p3'),
  performer: fc.option(fc.constantFrom('p1', 'p2', 'p3'), { nil: undefined }),
  category: fc.constantFrom('lab', 'vital'),
  status: fc.constantFrom('final', 'amended'),
  isDelete: fc.boolean(),
});

test('random tokens write exactly what the plain rules say', async (t) => {
  const server = await startAccessServer(t);
  const world = await buildWorld(server);
  await fc.assert(
    fc.asyncProperty(actor, fc.array(change, { minLength: 1, maxLength: 6 }), async (by, changes) => {
      for (const { id, patient, performer, category, status: state, isDelete } of changes) {
        const name = `Observation/${id}`;
        const json = {
          ...{ resourceType: 'Observation', id, status: state, code: { text: 'x' } },
          category: [{ coding: [{ system: 'urn:c', code: category }] }],
          subject: { reference: `Patient/${patient}` },
          ...(performer === undefined ? {} : { performer: [{ reference: `Patient/${performer}` }] }),
        };
        const resource = world.get(name);
        const wanted = statusOfWrite(world, by, resource, 'Observation', isDelete ? undefined : json);
        const { status, text } = await ask(server, by, isDelete ? 'DELETE' : 'PUT', name, isDelete ? undefined : json);
        if (!(wanted as number[]).includes(status))
          throw new Error(
            `${actorText(by)}: ${isDelete ? 'DELETE' : 'PUT'} ${name} ${patient} ${category}: ${status} ${text}, but should be ${wanted}`,
          );
        const before = resource === undefined ? undefined : currentOf(resource).json;
        const isSame = JSON.stringify(before) === JSON.stringify(json);
        const isNothing = isDelete ? before === undefined : isSame;
        if (status < 300 && !isNothing) addVersion(world, name, isDelete ? undefined : json, by.organization);
      }
    }),
    settings(t, RUNS * 2),
  );
  await fc.assert(
    fc.asyncProperty(actor, async (by) => checkReads(server, world, by)),
    settings(t, Math.ceil(RUNS / 4)),
  );
  t.pass('all alike');
});
