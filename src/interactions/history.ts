/**
 * All versions of one resource, newest first, a page at a time.
 *
 * @see https://hl7.org/fhir/R4/http.html#history
 */
import { instantText } from '../fhir/date-time.ts';
import { invalid, notFound, notSupported } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { PageKey } from '../search/search-query.ts';
import type { Version } from '../store/store.ts';
import { type BundleEntry, bundleText, type Link } from './bundle-text.ts';
import type { FhirServer, Interaction } from './fhir-request.ts';
import { type Pair, pairsOf, queryOf } from './parse-request.ts';
import { entityTag } from './respond.ts';

const entryOf = (server: FhirServer, { version, lastUpdated, isDeleted, text, ...reference }: Version): BundleEntry => {
  const path = referenceText(reference);
  const method = isDeleted ? 'DELETE' : version === 1 ? 'POST' : 'PUT';
  const status = isDeleted ? '204 No Content' : version === 1 ? '201 Created' : '200 OK';
  return {
    fullUrl: `${server.baseUrl}/${path}`,
    ...(isDeleted ? {} : { resource: text.toString() }),
    request: { method, url: method === 'POST' ? reference.type : path },
    response: { status, etag: entityTag(version), lastModified: instantText(lastUpdated) },
  };
};

interface HistoryPage {
  readonly count: number;
  readonly after?: PageKey;
  /** The parameters as they were used. */
  readonly used: readonly Pair[];
}

const pageOf = (server: FhirServer, query: string, scope: string): HistoryPage => {
  let count = server.limits.searchDefaultCount;
  let after: PageKey | undefined;
  const used: Pair[] = [];
  for (const [name, value] of pairsOf(query)) {
    if (name === '_format') continue;
    if (name === '_page') {
      after = server.pageTokens.read(value, scope);
      used.push([name, value]);
      continue;
    }
    if (name !== '_count') throw notSupported(`A history has no parameter '${name}'; possible: _count`);
    if (!/^[1-9]\d*$/.test(value)) throw invalid(`_count: '${value}' is not a whole number above 0`);
    count = Math.min(Number(value), server.limits.searchMaximumCount);
    used.push([name, String(count)]);
  }
  return after === undefined ? { count, used } : { count, after, used };
};

export const history: Interaction<Reference> = async (server, request, reference) => {
  const url = `${server.baseUrl}/${referenceText(reference)}/_history`;
  const page = pageOf(server, request.query, url);
  const { items, next } = await server.store.history(reference, page);
  const newest = await server.store.read(reference);
  if (newest === undefined) throw notFound(`There is no ${referenceText(reference)}`);
  const count = ['_count', String(page.count)] as const;
  const links: Link[] = [{ relation: 'self', url: page.used.length === 0 ? url : `${url}?${queryOf(page.used)}` }];
  if (next !== undefined)
    links.push({ relation: 'next', url: `${url}?${queryOf([count, ['_page', server.pageTokens.write(next, url)]])}` });
  const entries = items.map((version) => entryOf(server, version));
  return {
    status: 200,
    headers: {},
    body: bundleText({ type: 'history', total: newest.version, links, entries }),
  };
};
