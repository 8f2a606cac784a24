/**
 * All versions of one resource, of a type or of all, newest first, a page at a time.
 *
 * @see https://hl7.org/fhir/R4/http.html#history
 */
import { instantRange, instantText } from '../fhir/date-time.ts';
import { type FhirError, invalid, notFound, notSupported } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { SUMMARIES } from '../search/parse-search.ts';
import type { Action, HistoryPage, HistoryScope, Version } from '../store/store.ts';
import { type BundleEntry, bundleText } from './bundle-text.ts';
import type { FhirServer, Interaction } from './fhir-request.ts';
import { PAGE, pagingOf } from './page-links.ts';
import { type Pair, pairsOf } from './parse-request.ts';
import { preferencesOf } from './preferences.ts';
import { entityTag } from './respond.ts';
import { type ShownPart, shownPart, shownText } from './shown-part.ts';

/** The request and the answer that each kind of version stands for. */
const EXCHANGES: Readonly<Record<Action, { method: string; status: string }>> = {
  create: { method: 'POST', status: '201 Created' },
  'update-as-create': { method: 'PUT', status: '201 Created' },
  update: { method: 'PUT', status: '200 OK' },
  delete: { method: 'DELETE', status: '204 No Content' },
};

const entryOf = (server: FhirServer, shown: Version, part: ShownPart): BundleEntry => {
  const { type, id, version, lastUpdated, isDeleted, action } = shown;
  const path = referenceText({ type, id });
  const { method, status } = EXCHANGES[action];
  return {
    fullUrl: `${server.baseUrl}/${path}`,
    ...(isDeleted ? {} : { resource: shownText(server, shown, part) }),
    request: { method, url: method === 'POST' ? type : path },
    response: { status, etag: entityTag(version), lastModified: instantText(lastUpdated) },
  };
};

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

const countOf = (value: string, maximum: number): number => {
  if (!/^\d+$/.test(value)) throw invalid(`_count: '${value}' is not a whole number`);
  return Math.min(Number(value), maximum);
};

interface Asked {
  readonly page: HistoryPage;
  readonly part: ShownPart;
  /** The parameters as they were used, without that of page links. */
  readonly used: readonly Pair[];
}

const unknown = (name: string): FhirError =>
  name === '_list'
    ? notSupported('_list: histories are not narrowed by a List; read the versions that it refers to')
    : notSupported(`A history has no parameter '${name}'; possible: _count, _since, _at, _summary, _elements`);

const askedOf = ({ limits }: FhirServer, pairs: readonly Pair[], isLenient: boolean): Asked => {
  const page: { -readonly [Key in keyof HistoryPage]: HistoryPage[Key] } = {
    count: limits.searchDefaultCount,
    bytes: limits.answerBytes,
  };
  const used: Pair[] = [];
  for (const pair of pairs) {
    const [name, value] = pair;
    if (used.some(([earlier]) => earlier === name)) throw invalid(`${name}: stands twice`);
    switch (name) {
      case PAGE:
      case '_format':
      case '_pretty':
        continue;
      case '_since':
        page.since = instantOf(name, value);
        break;
      case '_at':
        page.at = periodOf(value);
        break;
      case '_count':
        page.count = countOf(value, limits.searchMaximumCount);
        break;
      case '_summary':
      case '_elements':
        break;
      default:
        if (isLenient) continue;
        throw unknown(name);
    }
    used.push(name === '_count' ? [name, String(page.count)] : pair);
  }
  return { page, part: shownPart(used, SUMMARIES), used };
};

/** An earlier version may be visible where the current one is not. */
const hasHistory = async ({ store }: FhirServer, reference: Reference): Promise<boolean> =>
  (await store.read(reference)) !== undefined || (await store.history(reference, { count: 1 })).items.length > 0;

/** The history of a resource, of a type (no `id`), or of all resources (no `type` either). */
export const history: Interaction<HistoryScope> = async (server, request, { type, id }) => {
  const scope: HistoryScope = { ...(type === undefined ? {} : { type }), ...(id === undefined ? {} : { id }) };
  const url = [server.baseUrl, type, id, '_history'].filter((part) => part !== undefined).join('/');
  const pairs = pairsOf(request.query);
  const { page, part, used } = askedOf(server, pairs, preferencesOf(request).handling === 'lenient');
  if (type !== undefined && id !== undefined && !(await hasHistory(server, { type, id })))
    throw notFound(`There is no ${referenceText({ type, id })}`);
  const { after, self, links } = pagingOf(server.pageTokens, url, used, pairs);
  if (page.count === 0 || part.summary === 'count') {
    const total = await server.store.countHistory(scope, page);
    return { status: 200, headers: {}, body: bundleText({ type: 'history', total, links: [self], entries: [] }) };
  }
  const [first, key] = after === undefined ? [] : [after[0] as number | null, after.slice(1)];
  const { items, next, asOf } = await server.store.history(scope, {
    ...page,
    ...(key === undefined ? {} : { after: key }),
  });
  const entries = items.map((version) => entryOf(server, version, part));
  // What is made between two pages is on neither, so all pages tell the instant of the first one: a safe next `_since`.
  const instant = (key === undefined ? asOf : first) ?? null;
  const body = bundleText({
    type: 'history',
    ...(instant === null ? {} : { lastUpdated: instant }),
    links: links(next === undefined ? undefined : [instant, ...next]),
    entries,
  });
  return { status: 200, headers: {}, body };
};
