/** What a search of a type is narrowed by. */
import type { Clause } from '../search/search-query.ts';
import type { Visit } from './access-server.ts';
import { joinedClauses } from './joined-clauses.ts';
import type { Alternative, Limits } from './limits.ts';
import { provenancesOf, referredBy } from './referrals.ts';

const clausesOf = async (visit: Visit, type: string, alternative: Alternative): Promise<readonly Clause[]> => {
  const { referredBy: referrers, about = [] } = alternative;
  if (referrers.length === 0 && about.length === 0) return alternative.clauses;
  const sets = [
    ...referrers.map((owners) => referredBy(visit, owners)),
    ...about.map((owners) => provenancesOf(visit, owners)),
  ];
  const ids = sets.map(async (set): Promise<Clause> => {
    const found = [...(await set).values()].filter((each) => each.type === type);
    return { kind: 'id', values: found.map(({ id }) => id) };
  });
  return [...alternative.clauses, ...(await Promise.all(ids))];
};

/** Whether a search can find anything by this alternative: what a Binary belongs to can be told of each one alone. */
const isSearchable = ({ belongsTo }: Alternative): boolean => belongsTo === undefined;

/** Whether no search can find what is permitted. */
export const isUnsearchable = (limits: Limits): boolean =>
  typeof limits !== 'string' && limits.length > 0 && !limits.some(isSearchable);

/** Undefined if nothing is permitted that a search could find. */
export const limitClauses = async (
  visit: Visit,
  type: string,
  limits: Limits,
): Promise<readonly Clause[] | undefined> => {
  if (typeof limits === 'string') return limits === 'everything' ? [] : undefined;
  const alternatives: (readonly Clause[])[] = [];
  for (const alternative of limits.filter(isSearchable)) {
    const clauses = await clausesOf(visit, type, alternative);
    const isNothing = clauses.some((clause) => clause.kind === 'id' && clause.values.length === 0);
    if (!isNothing) alternatives.push(clauses);
  }
  return alternatives.length === 0 ? undefined : joinedClauses(alternatives);
};
