/**
 * What the entries of a transaction will do: which resource each is about, and what the references between them become.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
import { FhirError, invalid, notFound, preconditionFailed } from '../fhir/fhir-error.ts';
import { parseReference, type Reference, referenceText } from '../fhir/reference.ts';
import type { Expectation } from '../store/store.ts';
import { entryIssues, type RequestEntry, urlBelowBase } from './bundle-entry.ts';
import {
  absence,
  checkAbsent,
  type Find,
  isForAbsent,
  normalizedCriteria,
  resolvedCriteria,
  resolvedDeletes,
} from './conditions.ts';
import { criteriaOf } from './criteria-of.ts';
import type { FhirServer } from './fhir-request.ts';
import { conditionalReferences, foundTogether } from './transaction-conditions.ts';
import { conditionalTarget } from './update.ts';

export interface PlannedEntry {
  readonly entry: RequestEntry;
  readonly kind: 'create' | 'update' | 'patch' | 'delete' | 'read';
  /** What is created, updated or patched, or was there already; for a read or a delete, meaningless. */
  readonly reference: Reference;
  /** What is written: nothing for a read or a matched create, several for a conditional delete. */
  readonly written: readonly Reference[];
  /** A create whose `ifNoneExist` found `reference`, so that nothing is written. */
  readonly isMatched: boolean;
  /** The criteria in their normal form, of a create or update under a condition. */
  readonly condition?: string;
  /** Whether the id of the resource may differ from `reference`, as with a conditional update that creates. */
  readonly isFoundByCriteria?: boolean;
}

export interface TransactionPlan {
  readonly entries: readonly PlannedEntry[];
  readonly expected: readonly Expectation[];
  /** What the literal references of the entries become, by their text. */
  readonly replacements: ReadonlyMap<string, string>;
}

/** Throws what goes wrong with an entry as an error of the whole Bundle that names the entry. */
export const inEntry = async <T>(entry: RequestEntry, action: () => T | Promise<T>): Promise<T> => {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    throw new FhirError(error.status, entryIssues(entry, error.issues), error.headers);
  }
};

const NOTHING: Reference = { type: '', id: '' };

interface Target {
  readonly kind: PlannedEntry['kind'];
  readonly type: string;
  readonly id?: string;
  readonly criteria?: string;
}

const KINDS: Readonly<Record<string, PlannedEntry['kind']>> = {
  GET: 'read',
  HEAD: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** What an entry is about, before its criteria are resolved. Throws a FhirError 400 or 404. */
const targetOf = (server: FhirServer, { request, text }: RequestEntry): Target => {
  const { method = '', url = '', ifNoneExist } = request;
  const kind = KINDS[method];
  if (kind === undefined) throw invalid(`${method} is not possible in a transaction`);
  if (kind === 'read') return { kind, type: '' };
  const [path = '', ...query] = urlBelowBase(url, server.baseUrl).split('?');
  const [type = '', id, ...more] = path.split('/');
  if (!server.isResourceType(type)) throw notFound(`R4 has no resource type '${type}'`);
  if (kind !== 'delete' && text === undefined) throw invalid(`${method} needs a resource`);
  if (kind === 'create') {
    if (id !== undefined || query.length > 0) throw invalid(`POST needs the url of a type, not '${url}'`);
    return { kind, type, ...(ifNoneExist === undefined ? {} : { criteria: ifNoneExist }) };
  }
  if (id === undefined && query.length > 0) return { kind, type, criteria: criteriaOf({ query: query.join('?') }) };
  const parsed = more.length === 0 && query.length === 0 ? parseReference(path, server.baseUrl) : undefined;
  if (parsed?.kind !== 'local')
    throw invalid(`${method} needs the url of a resource such as Patient/123, or criteria, not '${url}'`);
  return { kind, type, id: parsed.id };
};

/** What is known while the entries are planned, in the order in which a transaction is carried out. */
interface Planning {
  readonly server: FhirServer;
  readonly find: Find;
  readonly expected: Expectation[];
  /** What entries planned before delete. */
  readonly deleted: Set<string>;
}

/** The match of criteria after the deletions of the same transaction. */
const matchOf = async (
  { server, find, expected, deleted }: Planning,
  type: string,
  criteria: string,
  name: string,
): Promise<Reference | undefined> => {
  const { match, expectation } = await resolvedCriteria(server, type, criteria, name, find);
  expected.push(expectation);
  return match === undefined || deleted.has(referenceText(match)) ? undefined : match;
};

const plannedDelete = async (planning: Planning, { type, id, criteria }: Target): Promise<readonly Reference[]> => {
  if (criteria === undefined) return [{ type, id: id ?? '' }];
  const { matches, expectation } = await resolvedDeletes(planning.server, type, criteria, planning.find);
  planning.expected.push(expectation);
  return matches;
};

const idOf = ({ text = '{}' }: RequestEntry): string | undefined => {
  const { id } = (JSON.parse(text) ?? {}) as { id?: unknown };
  return typeof id === 'string' ? id : undefined;
};

type Planned = Omit<PlannedEntry, 'entry' | 'kind'>;

const writing = (reference: Reference, more: Partial<Planned> = {}): Planned => ({
  reference,
  written: [reference],
  isMatched: false,
  ...more,
});

const plannedUpdate = async (
  planning: Planning,
  entry: RequestEntry,
  { type, id, criteria }: Target,
  newId: string,
): Promise<Planned> => {
  const { server, expected, deleted } = planning;
  const mustBeAbsent = isForAbsent(entry.request.ifNoneMatch);
  if (criteria === undefined) {
    const reference = { type, id: id ?? '' };
    if (!mustBeAbsent || deleted.has(referenceText(reference))) return writing(reference);
    await checkAbsent(server.store, reference);
    expected.push(absence(reference));
    return writing(reference);
  }
  const match = await matchOf(planning, type, criteria, 'PUT');
  if (mustBeAbsent && match !== undefined)
    throw preconditionFailed(`If-None-Match: ${referenceText(match)} is there, and matches '${criteria}'`);
  const target = await conditionalTarget(server.store, type, match, idOf(entry), newId);
  expected.push(...target.expected);
  const condition = normalizedCriteria(type, criteria);
  return writing(target.reference, { condition, isFoundByCriteria: true });
};

const plannedEntry = async (
  planning: Planning,
  entry: RequestEntry,
  target: Target,
  newId: string,
): Promise<Planned> => {
  const { kind, type, id = '', criteria } = target;
  switch (kind) {
    case 'read':
      return { reference: NOTHING, written: [], isMatched: false };
    case 'delete': {
      const written = await plannedDelete(planning, target);
      for (const reference of written) planning.deleted.add(referenceText(reference));
      return { reference: NOTHING, written, isMatched: false };
    }
    case 'update':
      return plannedUpdate(planning, entry, target, newId);
    case 'patch': {
      if (criteria === undefined) return writing({ type, id });
      const match = await matchOf(planning, type, criteria, 'PATCH');
      if (match === undefined) throw notFound(`PATCH: no ${type} matches '${criteria}'`);
      return writing(match);
    }
    case 'create': {
      if (criteria === undefined) return writing({ type, id: newId });
      const condition = normalizedCriteria(type, criteria);
      const match = await matchOf(planning, type, criteria, 'ifNoneExist');
      if (match === undefined) return writing({ type, id: newId }, { condition });
      return { reference: match, written: [], isMatched: true, condition };
    }
  }
};

/** Refuses two entries that write the same resource, or create under the same condition. */
const checkDistinct = (planned: readonly PlannedEntry[]): void => {
  const seen = new Map<string, RequestEntry>();
  for (const { entry, written, isMatched, condition } of planned) {
    const keys = [...written.map(referenceText), ...(isMatched || condition === undefined ? [] : [condition])];
    for (const key of new Set(keys)) {
      const other = seen.get(key);
      const text = `Entries ${other?.index} and ${entry.index} both write ${key}; a transaction writes each resource once`;
      if (other !== undefined) throw invalid(text, `Bundle.entry[${entry.index}]`);
      seen.set(key, entry);
    }
  }
};

const resolvedReference = async (planning: Planning, text: string, made: ReadonlyMap<string, Reference>) => {
  const { server } = planning;
  const parsed = parseReference(text, server.baseUrl);
  if (parsed?.kind !== 'conditional') throw invalid(`'${text}' is not a reference`);
  const { type, query } = parsed;
  if (!server.isResourceType(type)) throw invalid(`'${text}': R4 has no resource type '${type}'`);
  const match = made.get(normalizedCriteria(type, query)) ?? (await matchOf(planning, type, query, 'reference'));
  if (match === undefined) throw preconditionFailed(`The reference '${text}' matches no resource`);
  return match;
};

/** What the references of the entries become: fullUrls of other entries, and search criteria. */
const replacementsOf = async (
  planning: Planning,
  conditional: ReadonlyMap<string, RequestEntry>,
  planned: readonly PlannedEntry[],
): Promise<Map<string, string>> => {
  const replacements = new Map<string, string>();
  const made = new Map<string, Reference>();
  for (const { entry, kind, reference, condition } of planned) {
    if (condition !== undefined) made.set(condition, reference);
    if (entry.fullUrl === undefined || kind === 'read' || kind === 'delete') continue;
    if (replacements.has(entry.fullUrl))
      throw invalid(`Entry ${entry.index}: another entry has the same fullUrl`, `Bundle.entry[${entry.index}].fullUrl`);
    replacements.set(entry.fullUrl, referenceText(reference));
  }
  for (const [text, entry] of conditional) {
    const match = await inEntry(entry, () => resolvedReference(planning, text, made));
    replacements.set(text, referenceText(match));
  }
  return replacements;
};

/** Plans the entries; `ids` are for those that create. Fails with a FhirError that names the entry at fault. */
export const transactionPlan = async (
  server: FhirServer,
  entries: readonly RequestEntry[],
  ids: readonly string[],
): Promise<TransactionPlan> => {
  const targets: { entry: RequestEntry; target: Target }[] = [];
  for (const entry of entries) targets.push({ entry, target: await inEntry(entry, () => targetOf(server, entry)) });
  const conditional = conditionalReferences(entries);
  const find = await foundTogether(
    server,
    targets.map(({ target }) => target),
    [...conditional.keys()],
  );
  const planning: Planning = { server, find, expected: [], deleted: new Set() };
  // What is deleted is gone for the conditions of the other entries.
  const isDelete = ({ target }: { target: Target }): boolean => target.kind === 'delete';
  const planned: PlannedEntry[] = [];
  for (const { entry, target } of [...targets.filter(isDelete), ...targets.filter((item) => !isDelete(item))]) {
    const more = await inEntry(entry, () => plannedEntry(planning, entry, target, ids[entry.index] ?? ''));
    planned.push({ entry, kind: target.kind, ...more });
  }
  planned.sort((a, b) => a.entry.index - b.entry.index);
  checkDistinct(planned);
  const replacements = await replacementsOf(planning, conditional, planned);
  return { entries: planned, expected: planning.expected, replacements };
};
