/** Short forms of resources, writes and queries, as the tests of every store need them. */
import type { Reference } from '../../../src/fhir/reference.ts';
import type { ResourceText } from '../../../src/fhir/resource-text.ts';
import type { IndexEntry, TokenEntry } from '../../../src/search/index-entry.ts';
import type { Clause, PageKey, SearchQuery } from '../../../src/search/search-query.ts';
import type { IfMatch, Store, Version, Write } from '../../../src/store/store.ts';

/** A resource whose JSON has `content`, such as `"active":true`, behind `meta`. */
export const resourceOf = (type: string, id: string, content = ''): ResourceText => ({
  type,
  id,
  head: `{"resourceType":"${type}","id":"${id}","meta":{`,
  tail: `}${content === '' ? '' : `,${content}`}}`,
});

export const created = (resource: ResourceText, entries: readonly IndexEntry[] = []): Write => ({
  kind: 'create',
  resource,
  entries,
});

export const updated = (
  resource: ResourceText,
  entries: readonly IndexEntry[] = [],
  more: { ifMatch?: IfMatch; requires?: readonly Reference[]; source?: string } = {},
): Write => ({ kind: 'update', resource, entries, ...more });

export const deleted = ({ type, id }: Reference, ifMatch?: IfMatch): Write =>
  ifMatch === undefined
    ? { kind: 'delete', reference: { type, id } }
    : { kind: 'delete', reference: { type, id }, ifMatch };

export const token = (param: string, code: string, system = ''): TokenEntry => ({
  kind: 'token',
  param,
  system,
  code,
});

export const withToken = (param: string, code: string, system?: string): Clause => ({
  kind: 'token',
  param,
  values: [system === undefined ? { code } : { system, code }],
});

export const searchOf = (type: string, clauses: readonly Clause[], count = 100): SearchQuery => ({
  searches: [{ type, clauses }],
  sort: [],
  count,
});

const MAXIMUM_PAGES = 1000;

/** Every page of a search, and what `between` does before each next one. */
export const allPages = async (
  store: Store,
  query: SearchQuery,
  between: (page: number) => Promise<void> = async () => {},
): Promise<Version[]> => {
  const found: Version[] = [];
  let after: PageKey | undefined;
  for (let page = 0; page < MAXIMUM_PAGES; page++) {
    const { items, next } = await store.search(after === undefined ? query : { ...query, after });
    found.push(...items);
    if (items.length > query.count) throw new Error(`A page of ${items.length} items; asked for ${query.count}`);
    if (next === undefined) return found;
    if (items.length < query.count) throw new Error('A page that is not full has a next page');
    after = next;
    await between(page);
  }
  throw new Error(`More than ${MAXIMUM_PAGES} pages`);
};

/** The ids that a search finds, in alphabetical order. */
export const idsOf = async (store: Store, type: string, ...clauses: Clause[]): Promise<string[]> =>
  (await allPages(store, searchOf(type, clauses))).map(({ id }) => id).sort();
