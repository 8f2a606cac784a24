/**
 * A search narrowed to what its caller may see: what it finds, and what its chains, `_has` and hierarchies lead through.
 * A limit is a clause of the same query, so that totals, pages and conditions know nothing of what is hidden.
 */
import type { Letter } from '../auth/scopes.ts';
import { FhirError, forbidden } from '../fhir/fhir-error.ts';
import type { Clause, SearchQuery, TypeSearch } from '../search/search-query.ts';
import type { Visit } from './access-server.ts';
import { isUnsearchable, limitClauses } from './limit-clauses.ts';
import { limitsOf } from './limits.ts';
import { narrowedHierarchy } from './narrow-hierarchy.ts';
import { scopeMissing } from './refusals.ts';

const NOTHING: Clause = { kind: 'id', values: [] };

/** What leads over other resources. */
type Leading = Extract<Clause, { kind: 'chain' | 'has' | 'hierarchy' }>;

const isLeading = (clause: Clause): clause is Leading =>
  clause.kind === 'chain' || clause.kind === 'has' || clause.kind === 'hierarchy';

const leadsOn = (clause: Clause): boolean => {
  switch (clause.kind) {
    case 'not':
      return leadsOn(clause.clause);
    case 'any':
    case 'all':
      return clause.clauses.some(leadsOn);
    default:
      return isLeading(clause);
  }
};

/** Throws a FhirError 403 if no scope lets its caller search the type that is passed through. */
const narrowedLeading = async (visit: Visit, clause: Leading): Promise<Clause> => {
  const { server, actor } = visit;
  const limits = limitsOf(visit, clause.type, ['s']);
  if (limits === 'unscoped') throw scopeMissing(server.baseUrl, actor, clause.type, ['s']);
  if (clause.kind === 'hierarchy') {
    if (limits === 'everything') return clause;
    return narrowedHierarchy(visit, clause, await limitClauses(visit, clause.type, limits));
  }
  const inner = await narrowedClause(visit, clause.clause);
  const own = await limitClauses(visit, clause.type, limits);
  if (own === undefined) return NOTHING;
  return { ...clause, clause: own.length === 0 ? inner : { kind: 'all', clauses: [inner, ...own] } };
};

/**
 * A chain without a type goes through all types that the reference may lead to. Those without a scope are left out, if one
 * has a scope.
 */
const narrowedAny = async (visit: Visit, clauses: readonly Clause[]): Promise<Clause> => {
  const narrowed: Clause[] = [];
  let refusal: FhirError | undefined;
  for (const clause of clauses)
    try {
      narrowed.push(await narrowedClause(visit, clause));
    } catch (error) {
      if (!(error instanceof FhirError) || error.status !== 403) throw error;
      refusal ??= error;
    }
  if (refusal !== undefined && narrowed.length === 0) throw refusal;
  return { kind: 'any', clauses: narrowed };
};

const narrowedClause = async (visit: Visit, clause: Clause): Promise<Clause> => {
  if (!leadsOn(clause)) return clause;
  if (isLeading(clause)) return narrowedLeading(visit, clause);
  switch (clause.kind) {
    case 'not':
      return { kind: 'not', clause: await narrowedClause(visit, clause.clause) };
    case 'any':
      return narrowedAny(visit, clause.clauses);
    case 'all': {
      const clauses: Clause[] = [];
      for (const each of clause.clauses) clauses.push(await narrowedClause(visit, each));
      return { kind: 'all', clauses };
    }
    default:
      return clause;
  }
};

type Narrowed = TypeSearch | 'unscoped' | 'unsearchable' | 'nothing';

const narrowedSearch = async (visit: Visit, search: TypeSearch, letters: readonly Letter[]): Promise<Narrowed> => {
  const { type } = search;
  const limits = limitsOf(visit, type, letters);
  if (limits === 'unscoped') return 'unscoped';
  if (isUnsearchable(limits)) return 'unsearchable';
  // What a chain leads through is refused also where nothing would be found anyhow.
  const clauses: Clause[] = [];
  for (const clause of search.clauses) clauses.push(await narrowedClause(visit, clause));
  const own = await limitClauses(visit, type, limits);
  if (own === undefined) return 'nothing';
  if (own.length === 0 && !search.clauses.some(leadsOn)) return search;
  return { type, clauses: [...clauses, ...own] };
};

const refusalOf = (
  { server, actor }: Visit,
  { searches: [first, ...others] }: SearchQuery,
  letters: readonly Letter[],
  refusals: ReadonlySet<Narrowed>,
): FhirError => {
  if (refusals.has('unsearchable'))
    return forbidden(
      'Binaries are not searched with this token: of each one alone it can be told whether it may be seen',
    );
  const type = first === undefined || others.length > 0 ? '*' : first.type;
  return scopeMissing(server.baseUrl, actor, type, letters);
};

/**
 * The query for what one of `letters` permits; undefined if nothing could be found. Types without a scope are left out, and
 * so are Binaries where it depends on each one; if there is nothing else, the query is refused with a FhirError 403,
 * unless that is to be silent.
 */
export const narrowedQuery = async (
  visit: Visit,
  query: SearchQuery,
  letters: readonly Letter[],
  isSilent: boolean,
): Promise<SearchQuery | undefined> => {
  const searches: TypeSearch[] = [];
  const refusals = new Set<Narrowed>();
  for (const search of query.searches) {
    const narrowed = await narrowedSearch(visit, search, letters);
    if (typeof narrowed === 'string') refusals.add(narrowed);
    else searches.push(narrowed);
  }
  if (searches.length === 0 && !refusals.has('nothing') && !isSilent) throw refusalOf(visit, query, letters, refusals);
  if (searches.length === 0) return undefined;
  const isSame = searches.length === query.searches.length && searches.every((each, at) => each === query.searches[at]);
  return isSame ? query : { ...query, searches };
};
