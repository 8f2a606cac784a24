/**
 * Code systems and value sets: those of R4, and those that are added from packages. R4's own are read when they are
 * first asked for, so that a server which needs none of them reads nothing.
 *
 * @see https://hl7.org/fhir/R4/terminology-module.html
 */
import type { ValueSet } from '@medplum/fhirtypes';
import { type Concepts, conceptsOf } from './terminology/concepts.ts';
import { openTerminologyFiles, type TerminologyResource } from './terminology/definition-files.ts';
import { type Concept, rulesOf, type ValueSetRules } from './terminology/value-set-rules.ts';

/** The most codes that the expansion of a value set may have; the largest of R4 itself has 6,401. */
export const EXPANSION_LIMIT = 10_000;

export interface Terminology {
  /** Whether all codes of this code system are loaded. */
  hasSystem(system: string): boolean;
  /** Whether the value set is loaded, whether or not it can be expanded. */
  hasValueSet(valueSetUrl: string): boolean;
  /** Whether the code is in the value set (its url, with or without `|version`); undefined where that is unknown. */
  contains(valueSetUrl: string, system: string, code: string): boolean | undefined;
  /**
   * All codes of the value set, each once. Undefined if it cannot be expanded: it is not loaded or has another version,
   * needs something that is not loaded, or has more than `EXPANSION_LIMIT` codes.
   */
  expansion(valueSetUrl: string): readonly Concept[] | undefined;
  /** The codes that a code subsumes, itself included; none if it is not in the system, undefined without the system. */
  descendants(system: string, code: string): ReadonlySet<string> | undefined;
  /** The codes that subsume a code, itself included; otherwise as `descendants`. */
  ancestors(system: string, code: string): ReadonlySet<string> | undefined;
  /** Adds a CodeSystem or ValueSet; it takes the place of an earlier one with the same url. */
  add(resource: TerminologyResource): void;
}

/** A code system; without concepts where not all of them are there. */
interface LoadedCodeSystem {
  readonly concepts: Concepts | undefined;
}

/** An expansion, also one that is not possible. */
interface Expansion {
  readonly concepts: readonly Concept[] | undefined;
}

/** A value set without what the server does not need. */
interface LoadedValueSet {
  readonly version: string | undefined;
  readonly rules: ValueSetRules | undefined;
}

/** Remembers what `make` returns, unless it is undefined: keys come from clients, and may not fill the memory. */
const remembered = <T>(memory: Map<string, T>, key: string, make: () => T | undefined): T | undefined => {
  const known = memory.get(key);
  if (known !== undefined) return known;
  const made = make();
  if (made !== undefined) memory.set(key, made);
  return made;
};

const split = (canonical: string): [url: string, version: string | undefined] => {
  const bar = canonical.indexOf('|');
  return bar < 0 ? [canonical, undefined] : [canonical.slice(0, bar), canonical.slice(bar + 1)];
};

/** Reads nothing yet. */
export const loadTerminology = (): Terminology => {
  const files = openTerminologyFiles();
  const systems = new Map<string, LoadedCodeSystem>();
  const valueSets = new Map<string, LoadedValueSet>();
  const expansions = new Map<string, Expansion>();

  const concepts = (system: string): Concepts | undefined =>
    remembered(systems, system, () => {
      const resource = files.read(system);
      return resource?.resourceType === 'CodeSystem' ? { concepts: conceptsOf(resource) } : undefined;
    })?.concepts;
  const rules = (canonical: string, path: readonly string[]): ValueSetRules | undefined =>
    path.includes(canonical) ? undefined : valueSet(canonical)?.rules;
  const loaded = (resource: ValueSet): LoadedValueSet => ({
    version: resource.version,
    rules: rulesOf(resource, { concepts, rules }),
  });
  const valueSet = (canonical: string): LoadedValueSet | undefined => {
    const [url, version] = split(canonical);
    const found = remembered(valueSets, url, () => {
      const resource = files.read(url);
      return resource?.resourceType === 'ValueSet' ? loaded(resource) : undefined;
    });
    return version === undefined || version === found?.version ? found : undefined;
  };
  const expand = (canonical: string): readonly Concept[] | undefined => {
    const rulesHere = rules(canonical, []);
    const candidates = rulesHere?.candidates([canonical]);
    if (rulesHere === undefined || candidates === undefined || candidates.length > EXPANSION_LIMIT) return undefined;
    const found = new Map<string, Concept>();
    for (const concept of candidates) {
      const isContained = rulesHere.contains(concept, [canonical]);
      if (isContained === undefined) return undefined;
      if (isContained) found.set(`${concept.system}|${concept.code}`, concept);
    }
    return [...found.values()];
  };
  return {
    hasSystem: (system) => concepts(system) !== undefined,
    hasValueSet: (canonical) => valueSet(canonical) !== undefined,
    contains: (canonical, system, code) => rules(canonical, [])?.contains({ system, code }, [canonical]),
    expansion: (canonical) => {
      const isThere = valueSet(canonical) !== undefined;
      return isThere ? remembered(expansions, canonical, () => ({ concepts: expand(canonical) }))?.concepts : undefined;
    },
    descendants: (system, code) => concepts(system)?.descendants(code),
    ancestors: (system, code) => concepts(system)?.ancestors(code),
    add: (resource) => {
      const { url = '' } = resource;
      if (resource.resourceType === 'CodeSystem') systems.set(url, { concepts: conceptsOf(resource) });
      else valueSets.set(url, loaded(resource));
      expansions.clear();
    },
  };
};
