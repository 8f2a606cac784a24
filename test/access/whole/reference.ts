/**
 * What a token may do, in the plain words of SMART's scopes, for the few types and parameters of the world: no index, no
 * search, no clause, only JSON. What the server does is compared with it.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
 */
import type { Actor } from '../../../src/access/actor.ts';
import type { Letter, ResourceScope } from '../../../src/auth/scopes.ts';
import type { Json, World, WorldResource, WorldVersion } from './world.ts';

const codesOf = (concept: unknown): string[] =>
  ((concept as { coding?: { code: string }[] } | undefined)?.coding ?? []).map(({ code }) => code);

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

const referencesIn = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) =>
    name === 'reference' && typeof child === 'string' ? [child] : referencesIn(child),
  );
};

/** The values of a search parameter. */
export const valuesOf = (json: Json, name: string): string[] => {
  switch (name) {
    case '_id':
      return [String(json['id'])];
    case 'status':
      return [String(json['status'])];
    case 'category':
      return listOf(json['category']).flatMap(codesOf);
    case 'code':
      return codesOf(json['code']);
    case 'family':
      return listOf(json['name']).map((each) => String((each as { family?: string }).family).toLowerCase());
    case 'patient':
    case 'subject':
      return referencesIn(json['subject']);
    case 'general-practitioner':
      return referencesIn(json['generalPractitioner']);
    case 'partof':
      return referencesIn(json['partOf']);
    default:
      return referencesIn(json[name]);
  }
};

/** The elements that put a resource in the compartment of a patient. @see https://hl7.org/fhir/R4/compartmentdefinition-patient.html */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  Patient: [],
  Observation: ['subject', 'performer'],
  Condition: ['subject', 'asserter'],
};

const isOwnedType = (type: string): boolean => Object.hasOwn(MEMBERS, type);

const isInCompartment = (type: string, json: Json, patient: string): boolean =>
  (type === 'Patient' && json['id'] === patient) ||
  (MEMBERS[type] ?? []).some((element) => referencesIn(json[element]).includes(`Patient/${patient}`));

const isOfOthers = (type: string, json: Json, patients: readonly string[]): boolean =>
  (MEMBERS[type] ?? [])
    .flatMap((element) => referencesIn(json[element]))
    .some((name) => name.startsWith('Patient/') && !patients.includes(name.slice('Patient/'.length)));

const isOfCaller = ({ level }: ResourceScope, { user, context }: Actor): boolean =>
  level === 'patient' ? context.patient !== undefined : (level === 'user') === (user !== undefined);

const scopesFor = (actor: Actor, type: string, letter: Letter): ResourceScope[] =>
  actor.scopes.filter(
    (scope) => (scope.type === '*' || scope.type === type) && scope.letters.has(letter) && isOfCaller(scope, actor),
  );

export const isScoped = (actor: Actor, type: string, letter: Letter): boolean =>
  scopesFor(actor, type, letter).length > 0;

export const currentOf = ({ versions }: WorldResource): WorldVersion =>
  versions.at(-1) ?? { json: undefined, source: undefined };

const matchesScope = ({ parameters }: ResourceScope, json: Json): boolean =>
  parameters.every(([name, value]) => valuesOf(json, name).includes(value));

/** What a resource refers to that is there. All types of the world that belong to no patient are a directory's. */
const openedBy = (world: World, json: Json): string[] =>
  referencesIn(json).filter((name) => {
    const resource = world.get(name);
    return resource !== undefined && currentOf(resource).json !== undefined;
  });

/** What a patient's resources refer to, as far as they are seen, and over one more step. */
const referredOf = (world: World, actor: Actor, patients: readonly string[]): Set<string> => {
  const first = new Set<string>();
  for (const { type, versions } of world.values()) {
    const { json, source } = versions.at(-1) as WorldVersion;
    if (json === undefined || !isOwnedType(type)) continue;
    if (!patients.some((patient) => isInCompartment(type, json, patient))) continue;
    if (mayDo(world, actor, 'r', type, json, source) || mayDo(world, actor, 's', type, json, source))
      for (const reference of openedBy(world, json)) first.add(reference);
  }
  const all = new Set(first);
  for (const name of first) {
    const resource = world.get(name);
    const { json, source } = resource === undefined ? { json: undefined, source: undefined } : currentOf(resource);
    if (resource === undefined || json === undefined || isOwnedType(resource.type)) continue;
    const isSeen = (['r', 's'] as const).some((letter) =>
      scopesFor(actor, resource.type, letter).some(
        (scope) =>
          matchesScope(scope, json) &&
          reaches(actor, source) &&
          ownersOf(actor, scope).every((owners) =>
            (owners === patients ? first : firstOf(world, actor, owners)).has(name),
          ),
      ),
    );
    if (isSeen) for (const reference of openedBy(world, json)) all.add(reference);
  }
  return all;
};

/** The first step alone. */
const firstOf = (world: World, actor: Actor, patients: readonly string[]): Set<string> => {
  const found = new Set<string>();
  for (const resource of world.values()) {
    const { json, source } = currentOf(resource);
    const { type } = resource;
    if (json === undefined || !isOwnedType(type)) continue;
    if (!patients.some((patient) => isInCompartment(type, json, patient))) continue;
    if (mayDo(world, actor, 'r', type, json, source) || mayDo(world, actor, 's', type, json, source))
      for (const reference of openedBy(world, json)) found.add(reference);
  }
  return found;
};

const reaches = ({ reach }: Actor, source: string | undefined): boolean => {
  if (reach.kind === 'sources') return source !== undefined && reach.organizations.includes(source);
  return reach.kind !== 'none';
};

const ownersOf = ({ context, reach }: Actor, { level }: ResourceScope): (readonly string[])[] => [
  ...(level === 'patient' ? [[context.patient ?? '']] : []),
  ...(reach.kind === 'patients' ? [reach.patients] : []),
];

/** Whether the token permits this with a resource as it is in a version. */
export const mayDo = (
  world: World,
  actor: Actor,
  letter: Letter,
  type: string,
  json: Json,
  source: string | undefined,
): boolean =>
  scopesFor(actor, type, letter).some((scope) => {
    if (!matchesScope(scope, json) || !reaches(actor, source)) return false;
    return ownersOf(actor, scope).every((owners) => {
      const isRead = letter === 'r' || letter === 's';
      const isOwned = owners.some((patient) => isInCompartment(type, json, patient));
      // Nobody writes into the record of another patient, also where both are named.
      if (isOwnedType(type)) return isOwned && (isRead || !isOfOthers(type, json, owners));
      return isRead && referredOf(world, actor, owners).has(`${type}/${json['id']}`);
    });
  });

/** The content by which a version is judged: of a deletion, what was deleted. */
export const contentAt = ({ versions }: WorldResource, version: number): Json | undefined =>
  versions
    .slice(0, version)
    .map(({ json }) => json)
    .findLast((json) => json !== undefined);

const mayDoAt = (
  world: World,
  actor: Actor,
  letters: readonly Letter[],
  resource: WorldResource,
  version: number,
): boolean => {
  const json = contentAt(resource, version);
  const source = resource.versions[version - 1]?.source;
  return json !== undefined && letters.some((letter) => mayDo(world, actor, letter, resource.type, json, source));
};

/** An old version is seen by who sees it and the newest. */
export const seesVersion = (
  world: World,
  actor: Actor,
  letters: readonly Letter[],
  resource: WorldResource,
  version: number,
): boolean => [version, resource.versions.length].every((number) => mayDoAt(world, actor, letters, resource, number));

/** The current resources of a type that may be searched. */
export const searchable = (world: World, actor: Actor, type: string, letter: Letter = 's'): WorldResource[] =>
  [...world.values()].filter((resource) => {
    const { json, source } = currentOf(resource);
    return resource.type === type && json !== undefined && mayDo(world, actor, letter, type, json, source);
  });
