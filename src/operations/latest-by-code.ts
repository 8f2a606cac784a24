/** Resources in groups of the same code, and of each group the latest. */
import { tooCostly } from '../fhir/fhir-error.ts';
import { referenceText } from '../fhir/reference.ts';
import { answerTooLarge } from '../interactions/answer-bytes.ts';
import { type BundleEntry, bundleText } from '../interactions/bundle-text.ts';
import type { FhirResponse, FhirServer } from '../interactions/fhir-request.ts';
import type { PageKey, SearchQuery } from '../search/search-query.ts';
import type { Version } from '../store/store.ts';

/** The most resources that one call looks through. */
const MOST = 10_000;
const PAGE_COUNT = 500;

/** All matches, in order. Fails with a FhirError 422 if there are more than 10,000, or than fit into an answer. */
export const allMatches = async (server: FhirServer, query: Omit<SearchQuery, 'count'>): Promise<Version[]> => {
  const found: Version[] = [];
  let left = server.limits.answerBytes;
  for (let after: PageKey | undefined; ; ) {
    const page = await server.store.search({
      ...query,
      count: PAGE_COUNT,
      bytes: left,
      ...(after === undefined ? {} : { after }),
    });
    found.push(...page.items);
    left = page.items.reduce((room, { text }) => room - text.length, left);
    if (left < 0) throw answerTooLarge(server);
    after = page.next;
    if (after === undefined) return found;
    if (found.length >= MOST) throw tooCostly(`More than ${MOST} resources match; ask for fewer, such as by category`);
  }
};

interface Concept {
  readonly coding?: readonly { readonly system?: string; readonly code?: string }[];
  readonly text?: string;
}

/** What stands for the concept: each of its codings, or its text if it has none. */
export const conceptKeys = ({ coding = [], text }: Concept = {}): string[] => {
  const codings = coding.filter(({ code }) => code !== undefined);
  if (codings.length > 0) return codings.map(({ system = '', code }) => `${system}|${code}`);
  return text === undefined ? [] : [`text ${text}`];
};

export interface Dated {
  readonly version: Version;
  readonly keys: readonly string[];
  /** Milliseconds since 1970 UTC. */
  readonly time: number | undefined;
}

/**
 * Of each group the first `most` of `items`, which are sorted from the latest to the oldest, and those of the same time as
 * the last of these. Items are of one group if they share a key, or each shares one with a third.
 *
 * @see https://hl7.org/fhir/R4/observation-operation-lastn.html
 */
export const latestByCode = (items: readonly Dated[], most: number): Version[] => {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    for (let parent = parents.get(root); parent !== undefined; parent = parents.get(root)) root = parent;
    return root;
  };
  for (const { keys } of items)
    for (const key of keys.slice(1)) {
      const [root, other] = [rootOf(keys[0] as string), rootOf(key)];
      if (root !== other) parents.set(other, root);
    }
  const groups = new Map<string, { count: number; time: number | undefined }>();
  return items.flatMap(({ version, keys: [key], time }) => {
    const name = key === undefined ? '' : rootOf(key);
    const group = groups.get(name) ?? { count: 0, time: undefined };
    groups.set(name, group);
    const ties = group.count >= most && time !== undefined && time === group.time;
    if (group.count >= most && !ties) return [];
    group.count++;
    group.time = time;
    return [version];
  });
};

/** A searchset with all of the matches. */
export const searchsetOf = (server: FhirServer, url: string, matches: readonly Version[]): FhirResponse => {
  const entries = matches.map(
    (version): BundleEntry => ({
      fullUrl: `${server.baseUrl}/${referenceText(version)}`,
      resource: version.text.toString(),
      search: { mode: 'match' },
    }),
  );
  const links = [{ relation: 'self', url }] as const;
  return {
    status: 200,
    headers: {},
    body: bundleText({ type: 'searchset', total: matches.length, links, entries }),
  };
};
