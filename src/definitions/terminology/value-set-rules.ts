/**
 * What a value set's `compose` says, as rules that can be asked: is this code in it, and which codes are. Each answer
 * may be "unknown" (undefined), where it would take a code system or value set that is not loaded.
 *
 * @see https://hl7.org/fhir/R4/valueset.html#compositions
 */
import type { ValueSet, ValueSetComposeInclude, ValueSetComposeIncludeFilter } from '@medplum/fhirtypes';
import type { Concepts } from './concepts.ts';

export interface Concept {
  readonly system: string;
  readonly code: string;
}

/** The rules of one value set. `path` are the urls of the value sets that led here: a circle is unknown. */
export interface ValueSetRules {
  contains(concept: Concept, path: readonly string[]): boolean | undefined;
  /** Concepts among which all those of the value set are. */
  candidates(path: readonly string[]): readonly Concept[] | undefined;
}

/** What rules look up elsewhere; undefined where it is not loaded. */
export interface Sources {
  concepts(system: string): Concepts | undefined;
  /** The rules of another value set, unless it is already in `path`. */
  rules(url: string, path: readonly string[]): ValueSetRules | undefined;
}

type Answer = boolean | undefined;

const anyOf = (answers: readonly Answer[]): Answer => {
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
};

const allOf = (answers: readonly Answer[]): Answer => {
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
};

/** Filters over subsumption, which every code system with a hierarchy has; others are unknown. */
const passes = (
  { property, op, value = '' }: ValueSetComposeIncludeFilter,
  concepts: Concepts,
  code: string,
): Answer => {
  if (property !== 'concept') return undefined;
  if (op === 'is-a') return concepts.descendants(value).has(code);
  if (op === 'descendent-of') return code !== value && concepts.descendants(value).has(code);
  if (op === 'is-not-a') return concepts.has(code) && !concepts.descendants(value).has(code);
  return undefined;
};

/** One `include` or `exclude`: the codes that are in its system, pass its filters, and are in all its value sets. */
const rulesOfPart = (part: ValueSetComposeInclude, sources: Sources): ValueSetRules => {
  const { system, filter = [], valueSet = [] } = part;
  const listed = part.concept === undefined ? undefined : new Set(part.concept.map(({ code }) => code));
  const isInSystem = ({ system: other, code }: Concept): Answer => {
    if (system === undefined) return true;
    if (system !== other) return false;
    if (listed !== undefined) return listed.has(code);
    const concepts = sources.concepts(system);
    if (concepts === undefined) return undefined;
    return concepts.has(code) && allOf(filter.map((each) => passes(each, concepts, code)));
  };
  return {
    contains: (concept, path) =>
      allOf([
        isInSystem(concept),
        ...valueSet.map((url) => sources.rules(url, path)?.contains(concept, [...path, url])),
      ]),
    candidates: (path) => {
      const [first] = valueSet;
      if (system !== undefined) {
        const codes = listed ?? sources.concepts(system)?.codes;
        return codes === undefined ? undefined : Array.from(codes, (code) => ({ system, code }));
      }
      return first === undefined ? [] : sources.rules(first, path)?.candidates([...path, first]);
    },
  };
};

export const rulesOf = ({ compose }: ValueSet, sources: Sources): ValueSetRules | undefined => {
  if (compose === undefined) return undefined;
  const included = compose.include.map((part) => rulesOfPart(part, sources));
  const excluded = (compose.exclude ?? []).map((part) => rulesOfPart(part, sources));
  return {
    contains: (concept, path) => {
      const isIncluded = anyOf(included.map((part) => part.contains(concept, path)));
      if (isIncluded === false || excluded.length === 0) return isIncluded;
      const isExcluded = anyOf(excluded.map((part) => part.contains(concept, path)));
      return allOf([isIncluded, isExcluded === undefined ? undefined : !isExcluded]);
    },
    candidates: (path) => {
      const parts = included.map((part) => part.candidates(path));
      return parts.includes(undefined) ? undefined : parts.flatMap((part) => part ?? []);
    },
  };
};
