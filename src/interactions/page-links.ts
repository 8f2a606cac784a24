/**
 * The pages of a search or history: where one begins, and the links that lead from it to the others. A store pages only
 * forward; the way back is remembered in the token of each page, as far as it fits.
 *
 * @see https://hl7.org/fhir/R4/http.html#paging
 */
import { invalid } from '../fhir/fhir-error.ts';
import type { PageTokens, PageTrail } from '../search/page-token.ts';
import type { PageKey } from '../search/search-query.ts';
import type { Link } from './bundle-text.ts';
import { type Pair, queryOf } from './parse-request.ts';

/** The parameter of page links. */
export const PAGE = '_page';

export interface Paging {
  /** What the page continues after; nothing on the first page. */
  readonly after?: PageKey;
  readonly self: Link;
  /** `self`, `first`, and `previous` and `next` if there are such pages; `next` is where the page ends. */
  links(next: PageKey | undefined): Link[];
}

/**
 * Of a url without parameters, the parameters that are used, and all that are given, of which one may name a page. Throws a
 * FhirError 400 if that is no page of these.
 */
export const pagingOf = (tokens: PageTokens, url: string, used: readonly Pair[], given: readonly Pair[]): Paging => {
  const linkOf = (relation: Link['relation'], page: readonly Pair[] = []): Link => {
    const parameters = queryOf([...used, ...page]);
    return { relation, url: parameters === '' ? url : `${url}?${parameters}` };
  };
  const scope = linkOf('self').url;
  const asked = given.filter(([name]) => name === PAGE);
  const [token, another] = asked;
  if (another !== undefined) throw invalid(`${PAGE}: stands twice`);
  const trail: PageTrail = token === undefined ? [null] : tokens.read(token[1], scope);
  const linkTo = (relation: Link['relation'], pages: PageTrail): Link =>
    linkOf(relation, pages.at(-1) === null ? [] : [[PAGE, tokens.write(pages, scope)]]);
  const before = trail.slice(0, -1);
  const after = trail.at(-1) ?? undefined;
  const self = linkOf('self', asked);
  return {
    ...(after === undefined ? {} : { after }),
    self,
    links: (next) => [
      self,
      linkOf('first'),
      ...(before.length === 0 ? [] : [linkTo('previous', before)]),
      ...(next === undefined ? [] : [linkTo('next', [...trail, next])]),
    ],
  };
};
