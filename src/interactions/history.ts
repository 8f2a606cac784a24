/**
 * All versions of one resource, newest first, a page at a time.
 *
 * @see https://hl7.org/fhir/R4/http.html#history
 */
import { instantRange, instantText } from '../fhir/date-time.ts';
import { invalid, notFound, notSupported } from '../fhir/fhir-error.ts';
import { referenceText } from '../fhir/reference.ts';
import type { Action, HistoryPage, HistoryScope, Version } from '../store/store.ts';
import { type BundleEntry, bundleText, type Link } from './bundle-text.ts';
import type { FhirServer, Interaction } from './fhir-request.ts';
import { type Pair, pairsOf, queryOf } from './parse-request.ts';
import { entityTag } from './respond.ts';

/** The request and the answer that each kind of version stands for. */
const EXCHANGES: Readonly<Record<Action, { method: string; status: string }>> = {
  create: { method: 'POST', status: '201 Created' },
  'update-as-create': { method: 'PUT', status: '201 Created' },
  update: { method: 'PUT', status: '200 OK' },
  delete: { method: 'DELETE', status: '204 No Content' },
};

const entryOf = (
  server: FhirServer,
  { type, id, version, lastUpdated, isDeleted, action, text }: Version,
): BundleEntry => {
  const path = referenceText({ type, id });
  const { method, status } = EXCHANGES[action];
  return {
    fullUrl: `${server.baseUrl}/${path}`,
    ...(isDeleted ? {} : { resource: text.toString() }),
    request: { method, url: method === 'POST' ? type : path },
    response: { status, etag: entityTag(version), lastModified: instantText(lastUpdated) },
  };
};

interface AskedPage {
  readonly page: HistoryPage;
  /** The parameters as they were used. */
  readonly used: readonly Pair[];
}

const instantOf = (name: string, value: string): number => {
  const range = instantRange(value.replace(' ', '+'));
  if (range === undefined) throw invalid(`${name}: '${value}' is not an instant such as 2024-02-29T13:45:00Z`);
  return range.lo;
};

const periodOf = (value: string): { lo: number; hi: number } => {
  const range = instantRange(value.replace(' ', '+'));
  if (range === undefined) throw invalid(`_at: '${value}' is not a date such as 2024-02-29`);
  return range;
};

const askedPage = (server: FhirServer, query: string, scope: string): AskedPage => {
  const page: { -readonly [Key in keyof HistoryPage]: HistoryPage[Key] } = {
    count: server.limits.searchDefaultCount,
  };
  const used: Pair[] = [];
  for (const [name, value] of pairsOf(query)) {
    switch (name) {
      case '_format':
      case '_pretty':
        continue;
      case '_page':
        page.after = server.pageTokens.read(value, scope);
        break;
      case '_since':
        page.since = instantOf(name, value);
        break;
      case '_at':
        page.at = periodOf(value);
        break;
      case '_count':
        if (!/^[1-9]\d*$/.test(value)) throw invalid(`_count: '${value}' is not a whole number above 0`);
        page.count = Math.min(Number(value), server.limits.searchMaximumCount);
        break;
      default:
        throw notSupported(`A history has no parameter '${name}'; possible: _count, _since, _at`);
    }
    used.push(name === '_count' ? [name, String(page.count)] : [name, value]);
  }
  return { page, used };
};

/** The history of a resource, of a type (no `id`), or of all resources (no `type` either). */
export const history: Interaction<HistoryScope> = async (server, request, { type, id }) => {
  const scope: HistoryScope = { ...(type === undefined ? {} : { type }), ...(id === undefined ? {} : { id }) };
  const path = [type, id, '_history'].filter((part) => part !== undefined).join('/');
  const url = `${server.baseUrl}/${path}`;
  if (type !== undefined && id !== undefined && (await server.store.read({ type, id })) === undefined)
    throw notFound(`There is no ${referenceText({ type, id })}`);
  const { page, used } = askedPage(server, request.query, url);
  const { items, next } = await server.store.history(scope, page);
  const others = used.filter(([name]) => name !== '_page');
  const linkOf = (relation: Link['relation'], pairs: readonly Pair[]): Link => ({
    relation,
    url: pairs.length === 0 ? url : `${url}?${queryOf(pairs)}`,
  });
  const links = [
    linkOf('self', used),
    ...(next === undefined ? [] : [linkOf('next', [...others, ['_page', server.pageTokens.write(next, url)]])]),
  ];
  const entries = items.map((version) => entryOf(server, version));
  return { status: 200, headers: {}, body: bundleText({ type: 'history', links, entries }) };
};
