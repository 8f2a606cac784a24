/**
 * What is above or below a resource in a hierarchy, over resources that the caller may see: a resource that is hidden
 * tells nobody what it is part of.
 *
 * @see https://hl7.org/fhir/R4/search.html#recursive
 */
import { tooCostly } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { Clause, PageKey } from '../search/search-query.ts';
import type { Version } from '../store/store.ts';
import type { Visit } from './access-server.ts';
import { judgedVersion } from './candidate.ts';

type Hierarchy = Extract<Clause, { kind: 'hierarchy' }>;

/** The most relatives, and how many are asked about in one search. */
const MOST = 1000;
const CHUNK = 200;

const tooMany = ({ param }: Hierarchy) =>
  tooCostly(`The hierarchy of ${param} has more than ${MOST} resources; narrow it, for example by one further down`);

const allFound = async (
  { server }: Visit,
  hierarchy: Hierarchy,
  clauses: readonly Clause[],
): Promise<readonly Version[]> => {
  const { type } = hierarchy;
  const found: Version[] = [];
  for (let after: PageKey | undefined; ; ) {
    const page = await server.store.search({
      searches: [{ type, clauses }],
      sort: [],
      count: MOST + 1,
      bytes: server.limits.answerBytes,
      ...(after === undefined ? {} : { after }),
    });
    found.push(...page.items);
    if (found.length > MOST) throw tooMany(hierarchy);
    after = page.next;
    if (after === undefined) return found;
  }
};

/** One step up or down from some resources; `own` is what a resource must fulfil to be seen. */
const relativesOf = async (
  visit: Visit,
  hierarchy: Hierarchy,
  from: readonly Reference[],
  own: readonly Clause[],
): Promise<Reference[]> => {
  const { type, parent, direction } = hierarchy;
  const links: Clause =
    direction === 'below'
      ? { kind: 'reference', param: parent, values: from }
      : { kind: 'id', values: from.filter((each) => each.type === type).map(({ id }) => id) };
  const found = await allFound(visit, hierarchy, [links, ...own]);
  if (direction === 'below') return found.map(({ id }) => ({ type, id }));
  return found.flatMap((version) =>
    judgedVersion(visit.server, version).entries.flatMap((entry) =>
      entry.kind === 'reference' && entry.param === parent && entry.type !== ''
        ? [{ type: entry.type, id: entry.id }]
        : [],
    ),
  );
};

/** The clause as one about references to the relatives that may be seen. Throws a FhirError 422 if there are too many. */
export const narrowedHierarchy = async (
  visit: Visit,
  hierarchy: Hierarchy,
  own: readonly Clause[] | undefined,
): Promise<Clause> => {
  const relatives = new Map(hierarchy.values.map((value) => [referenceText(value), value]));
  let level = own === undefined ? [] : hierarchy.values;
  while (level.length > 0) {
    const next: Reference[] = [];
    for (let at = 0; at < level.length; at += CHUNK)
      for (const relative of await relativesOf(visit, hierarchy, level.slice(at, at + CHUNK), own ?? [])) {
        if (relatives.has(referenceText(relative))) continue;
        relatives.set(referenceText(relative), relative);
        next.push(relative);
      }
    if (relatives.size > MOST) throw tooMany(hierarchy);
    level = next;
  }
  return { kind: 'reference', param: hierarchy.param, values: [...relatives.values()] };
};
