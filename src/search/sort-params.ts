import type { SortKey } from './search-query.ts';

/** The parameters by whose values a sort orders, `_lastUpdated` among them. An id never changes, and so has no part. */
export const sortParams = (sort: readonly SortKey[]): string[] =>
  sort.flatMap((key) => {
    if (key.by === 'param') return [key.param];
    return key.by === 'id' ? [] : ['_lastUpdated'];
  });
