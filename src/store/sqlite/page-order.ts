/** What decides the order of a page beside rid: a resource whose value changes may stand elsewhere on a later page. */
import type { Clause, PageKey, SearchQuery } from '../../search/search-query.ts';
import { sortParams } from '../../search/sort-params.ts';

/** Of a page in the order of rid: the number of the type, the position of the leader, and the rid. */
const BY_RID = 3;

const paramsOf = (clause: Clause): string[] => {
  switch (clause.kind) {
    case 'id':
    case 'source':
      return [];
    case 'lastUpdated':
      return ['_lastUpdated'];
    case 'not':
      return paramsOf(clause.clause);
    case 'any':
    case 'all':
      return clause.clauses.flatMap(paramsOf);
    case 'composite':
      return clause.values.flatMap((parts) => parts.flatMap(paramsOf));
    default:
      return [clause.param];
  }
};

/** The parameters by whose values a page comes; `keys` are where it begins and ends. */
export const orderParams = ({ searches, sort }: SearchQuery, keys: readonly (PageKey | undefined)[]): string[] => {
  const ofLeaders = keys.flatMap((key) => {
    if (sort.length > 0 || key === undefined || key.length <= BY_RID) return [];
    const leader = searches[Number(key[0])]?.clauses[Number(key[1])];
    return leader === undefined ? [] : paramsOf(leader);
  });
  return [...new Set([...sortParams(sort), ...ofLeaders])];
};
