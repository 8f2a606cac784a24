/** The patients that somebody can choose from, a page at a time. */
import type { Reach } from '../../../auth/reach.ts';
import type { PatientsView } from '../choose-pages.ts';
import { formTarget, queryText, type Visit } from './visit.ts';

const PAGE = 10;
/** Who looks further than that is better served by a search. */
const PAGES = 10;

/** `path`: of the page itself; `action`: where the choice goes. */
export const patientsView = async (
  visit: Visit,
  reach: Reach,
  path: string,
  action: string,
): Promise<Omit<PatientsView, 'app'>> => {
  const query = new URLSearchParams(queryText(visit.request));
  const text = (query.get('text') ?? '').trim().slice(0, 100);
  const asked = Number(query.get('page') ?? 1);
  const page = Number.isInteger(asked) ? Math.min(Math.max(asked, 1), PAGES) : 1;
  const found = await visit.auth.directory.patientsWithin(reach, text, page * PAGE + 1);
  const patients = found.slice((page - 1) * PAGE, page * PAGE);
  const hasMore = found.length > page * PAGE;
  const pageHref = (number: number): string =>
    `${visit.root}${path}?${new URLSearchParams({ ...(text === '' ? {} : { text }), page: String(number) })}`;
  return {
    target: formTarget(visit, action),
    searchAction: `${visit.root}${path}`,
    ...{ text, patients, first: (page - 1) * PAGE + 1, isCut: hasMore && page === PAGES },
    ...(page > 1 ? { previous: pageHref(page - 1) } : {}),
    ...(hasMore && page < PAGES ? { next: pageHref(page + 1) } : {}),
  };
};
