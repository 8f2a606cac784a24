/**
 * What a caller may do with the resources of a type: by the scopes of the token, the patient of the launch, and what the
 * client and the user reach. A scope never widens what the user may see.
 */
import type { Letter, ResourceScope } from '../auth/scopes.ts';
import type { Compartments } from '../definitions/compartments.ts';
import type { Reference } from '../fhir/reference.ts';
import { compartmentClause } from '../search/compartment-clause.ts';
import type { Clause } from '../search/search-query.ts';
import { remembered, type Visit } from './access-server.ts';
import type { Actor } from './actor.ts';
import { grantedClauses } from './scope-clauses.ts';

/** Ids of Patients, of one of which something must be. */
export type Owners = readonly string[];

/** One way to be permitted; all that it says must hold. */
export interface Alternative {
  readonly clauses: readonly Clause[];
  /** What is in the compartment of one of each of these, and may be seen, must refer to it. */
  readonly referredBy: readonly Owners[];
  /** Of a Provenance: what it is about is in the compartment of one of each of these, and may be seen. */
  readonly about?: readonly Owners[];
  /** Of a Binary: it belongs to one of each of these, by what it is in. */
  readonly belongsTo?: readonly Owners[];
  /** Of a Binary that is read: the scopes must be about the resource that its securityContext names, too. */
  readonly isAsContext?: true;
  /** Of a write: of no other patient's compartment but one of each of these may it be. */
  readonly onlyOf?: readonly Owners[];
}

/** `unscoped`: no scope is about it. `everything`: all resources of the type. */
export type Limits = 'unscoped' | 'everything' | readonly Alternative[];

const patientsOf = (ids: readonly string[]): Reference[] => ids.map((id) => ({ type: 'Patient', id }));

export const isInCompartments = (compartments: Compartments, type: string): boolean =>
  type === 'Patient' || (compartments.of('Patient')?.has(type) ?? false);

/** What resources of a type must be, whatever the scopes say; undefined if none of the type is within reach. */
const reached = ({ reach }: Actor, type: string): { clauses: Clause[]; owners: Owners[] } | undefined => {
  if (reach.types !== undefined && !reach.types.includes(type)) return undefined;
  switch (reach.kind) {
    case 'none':
      return undefined;
    case 'all':
      return { clauses: [], owners: [] };
    case 'sources': {
      const { organizations } = reach;
      if (organizations.length === 0) return undefined;
      return { clauses: [{ kind: 'source', values: organizations }], owners: [] };
    }
    case 'patients':
      return reach.patients.length === 0 ? undefined : { clauses: [], owners: [reach.patients] };
  }
};

const distinct = <T>(items: readonly T[]): T[] => [
  ...new Map(items.map((item) => [JSON.stringify(item), item])).values(),
];

/**
 * What is of one of these owners; undefined if nothing of the type can be. R4 has in the compartment of a Patient also the
 * Patients that link to it; these are records of their own, and whoever writes a link must not show one by it.
 */
export const ownClause = ({ server }: Pick<Visit, 'server'>, owners: Owners, type: string): Clause | undefined =>
  type === 'Patient' ? { kind: 'id', values: owners } : compartmentClause(server, patientsOf(owners), type);

/** R4 has it in no patient's compartment, though it may be a patient's own, as an implant is. */
const OF_PATIENTS: Readonly<Record<string, string>> = { Device: 'patient' };

/** Whether the scope means something to this caller: `patient/` needs a patient, `user/` a user, `system/` none. */
const isOfCaller = ({ level }: ResourceScope, { user, context }: Actor): boolean => {
  switch (level) {
    case 'patient':
      return context.patient !== undefined;
    case 'user':
      return user !== undefined;
    case 'system':
      return user === undefined;
  }
};

const scopesFor = ({ actor }: Visit, type: string, letter: Letter): ResourceScope[] =>
  actor.scopes.filter(
    (scope) => (scope.type === '*' || scope.type === type) && scope.letters.has(letter) && isOfCaller(scope, actor),
  );

/** Whether the caller may read all types, so that nothing that a Binary may belong to is out of its scopes. */
const readsAllTypes = (visit: Visit): boolean =>
  (['r', 's'] as const).some((letter) =>
    scopesFor(visit, '*', letter).some(({ type, parameters }) => type === '*' && parameters.length === 0),
  );

/** What is of these owners; none if it cannot be. */
const ownedBy = (
  visit: Visit,
  type: string,
  letter: Letter,
  clauses: readonly Clause[],
  owners: readonly Owners[],
): Alternative[] => {
  const isSourced = clauses.some(({ kind }) => kind === 'source');
  const isReading = letter === 'r' || letter === 's';
  if (type === 'Binary' && (owners.length > 0 || isSourced || (isReading && !readsAllTypes(visit))))
    return [{ clauses, referredBy: [], belongsTo: owners, ...(isReading ? { isAsContext: true } : {}) }];
  if (owners.length === 0) return [{ clauses, referredBy: [] }];
  if (isInCompartments(visit.server.compartments, type)) {
    const members = owners.map((ids) => ownClause(visit, ids, type));
    const own = { clauses: [...clauses, ...members.flatMap((clause) => clause ?? [])], referredBy: [] };
    if (!isReading) return [{ ...own, onlyOf: owners }];
    // R4 counts only those about the patient as such; but of what the patient sees, the patient may know where it is from.
    return type === 'Provenance' ? [own, { clauses, referredBy: [], about: owners }] : [own];
  }
  // What belongs to no patient is shown to who may see what refers to it, and changed by nobody for that.
  if (!isReading) return [];
  const param = OF_PATIENTS[type];
  if (param === undefined) return [{ clauses, referredBy: owners }];
  const members = owners.map((ids): Clause => ({ kind: 'reference', param, values: patientsOf(ids) }));
  return [
    { clauses: [...clauses, ...members], referredBy: [] },
    { clauses, referredBy: owners },
  ];
};

const permittedBy = (
  visit: Visit,
  scope: Pick<ResourceScope, 'level' | 'parameters'>,
  type: string,
  letter: Letter,
): Alternative[] => {
  const { server, actor } = visit;
  const within = reached(actor, type);
  const own = grantedClauses(server, type, scope.parameters);
  if (within === undefined || own === undefined) return [];
  const { patient } = actor.context;
  const launched = scope.level === 'patient' && patient !== undefined ? [[patient]] : [];
  const owners = distinct([...launched, ...within.owners]);
  return ownedBy(visit, type, letter, [...own, ...within.clauses], owners);
};

const isEverything = ({ clauses, referredBy, about, belongsTo }: Alternative): boolean =>
  clauses.length === 0 && referredBy.length === 0 && about === undefined && belongsTo === undefined;

const limitsOfAny = (visit: Visit, type: string, letters: readonly Letter[]): Limits => {
  const scoped = letters.map((letter) => ({ letter, scopes: scopesFor(visit, type, letter) }));
  if (scoped.every(({ scopes }) => scopes.length === 0)) return 'unscoped';
  const alternatives = scoped.flatMap(({ letter, scopes }) =>
    scopes.flatMap((scope) => permittedBy(visit, scope, type, letter)),
  );
  return alternatives.some(isEverything) ? 'everything' : distinct(alternatives);
};

/** Whether nothing but where a resource is from decides. */
const isOfSources = ({ clauses, referredBy, about, belongsTo, onlyOf }: Alternative): boolean =>
  clauses.every(({ kind }) => kind === 'source') &&
  referredBy.length === 0 &&
  about === undefined &&
  belongsTo === undefined &&
  onlyOf === undefined;

/** Whether a resource from `source` is permitted whatever is in it. */
export const isOfPermittedSource = (limits: Limits, source: string | undefined): boolean =>
  typeof limits !== 'string' &&
  source !== undefined &&
  limits.some(
    (alternative) =>
      isOfSources(alternative) &&
      alternative.clauses.every((clause) => clause.kind === 'source' && clause.values.includes(source)),
  );

const sourcesIn = (limits: readonly Alternative[]): readonly string[] | undefined => {
  const sources = limits.map(({ clauses }) => clauses.find((clause) => clause.kind === 'source')?.values);
  return sources.every((each) => each !== undefined) ? sources.flat() : undefined;
};

/** Of limits that are asked again and again. */
const knownSources = new WeakMap<readonly Alternative[], { readonly sources: readonly string[] | undefined }>();

/** The sources of all that may be permitted; undefined if it may be of any. */
export const onlySources = (limits: Limits): readonly string[] | undefined => {
  if (typeof limits === 'string') return undefined;
  const known = knownSources.get(limits);
  if (known !== undefined) return known.sources;
  const sources = sourcesIn(limits);
  knownSources.set(limits, { sources });
  return sources;
};

/** Of callers who ask again and again: what is permitted whatever search parameters there are. */
const known = new WeakMap<Actor, Map<string, Limits>>();

const isLasting = (limits: Limits): boolean => typeof limits === 'string' || limits.every(isOfSources);

/** What the caller may do with resources of `type` by one of `letters`. */
export const limitsOf = (visit: Visit, type: string, letters: readonly Letter[]): Limits => {
  const name = `limits ${type} ${letters.join('')}`;
  const before = known.get(visit.actor)?.get(name);
  if (before !== undefined) return before;
  const limits = remembered(visit, name, () => limitsOfAny(visit, type, letters));
  if (isLasting(limits)) {
    const ofActor = known.get(visit.actor) ?? new Map<string, Limits>();
    known.set(visit.actor, ofActor.set(name, limits));
  }
  return limits;
};

/**
 * What the caller reaches of a type at all: for what is asked of resources for which no scope is needed, such as whether a
 * reference leads to something.
 */
const reachLimits = (visit: Visit, type: string): Limits =>
  remembered(visit, `reach ${type}`, () => {
    const { scopes, context } = visit.actor;
    const isOfPatient = scopes.some((scope) => scope.level === 'patient');
    if (isOfPatient && context.patient === undefined) return [];
    const level = isOfPatient ? 'patient' : 'system';
    const alternatives = permittedBy(visit, { level, parameters: [] }, type, 'r');
    return alternatives.some(isEverything) ? 'everything' : alternatives;
  });

/** What the caller may see of a type, by whatever letter; where no scope is about it, what it reaches. */
export const visibleLimits = (visit: Visit, type: string): Limits => {
  const limits = limitsOf(visit, type, ['r', 's']);
  return limits === 'unscoped' ? reachLimits(visit, type) : limits;
};
