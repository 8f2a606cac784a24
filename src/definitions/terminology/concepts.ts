/**
 * The codes of a code system and which of them subsume which.
 *
 * @see https://hl7.org/fhir/R4/codesystem.html#hierarchy
 */
import type { CodeSystem, CodeSystemConcept } from '@medplum/fhirtypes';

export interface Concepts {
  has(code: string): boolean;
  readonly codes: Iterable<string>;
  /** The code itself, if it is one, and all that it subsumes. */
  descendants(code: string): ReadonlySet<string>;
  /** The code itself, if it is one, and all that subsume it. */
  ancestors(code: string): ReadonlySet<string>;
}

/** Codes by the codes of which they are the children, or the other way round. */
type Links = Map<string, string[]>;

/** Properties by which a concept names its parents or a further child. @see https://hl7.org/fhir/R4/codesystem-concept-properties.html */
const PARENT_PROPERTIES = new Set(['parent', 'subsumedBy']);
const CHILD_PROPERTY = 'child';

const addLink = (links: Links, from: string, to: string): void => {
  const known = links.get(from);
  if (known === undefined) links.set(from, [to]);
  else known.push(to);
};

const reachable = (links: Links, code: string): ReadonlySet<string> => {
  const found = new Set([code]);
  // A Set yields also what is added while it is walked; a circle ends, since each code is added once.
  for (const each of found) for (const next of links.get(each) ?? []) found.add(next);
  return found;
};

const NO_CODES: ReadonlySet<string> = new Set();

/** The concepts, or undefined where the resource does not hold all of them. */
export const conceptsOf = ({ content, hierarchyMeaning, concept }: CodeSystem): Concepts | undefined => {
  if (content !== 'complete') return undefined;
  const children: Links = new Map();
  const parents: Links = new Map();
  const codes = new Set<string>();
  const link = (parent: string, child: string): void => {
    // In other hierarchies, such as part-of, a code does not subsume those below it.
    if (hierarchyMeaning !== undefined && hierarchyMeaning !== 'is-a') return;
    addLink(children, parent, child);
    addLink(parents, child, parent);
  };
  const linkProperties = ({ code, property }: CodeSystemConcept): void => {
    for (const { code: name = '', valueCode: other } of property ?? []) {
      if (other === undefined) continue;
      if (PARENT_PROPERTIES.has(name)) link(other, code);
      if (name === CHILD_PROPERTY) link(code, other);
    }
  };
  const below = new Map<string, ReadonlySet<string>>();
  const descendants = (code: string): ReadonlySet<string> => {
    if (!codes.has(code)) return NO_CODES;
    // Remembered, since the filters of a value set ask for one code's again and again.
    const found = below.get(code) ?? reachable(children, code);
    below.set(code, found);
    return found;
  };
  const add = (level: readonly CodeSystemConcept[], parent: string | undefined): void => {
    for (const each of level) {
      codes.add(each.code);
      if (parent !== undefined) link(parent, each.code);
      linkProperties(each);
      add(each.concept ?? [], each.code);
    }
  };
  add(concept ?? [], undefined);
  return {
    has: (code) => codes.has(code),
    codes,
    descendants,
    ancestors: (code) => (codes.has(code) ? reachable(parents, code) : NO_CODES),
  };
};
