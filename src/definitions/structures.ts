/**
 * What R4 says of every type: its elements, their types, cardinalities and choices. Read from the StructureDefinitions
 * of the specification and kept in the few fields that the server needs (they are 37 MB as JSON).
 *
 * @see https://hl7.org/fhir/R4/structuredefinition.html
 */
import type { ElementDefinition, StructureDefinition } from '@medplum/fhirtypes';
import { readDefinitions } from './read-definitions.ts';

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
  /** The structure of the value: of its type, or of the backbone element itself. */
  readonly structure: Structure;
}

export interface Structure {
  /** `Observation`, `Quantity` or `Observation.component`. */
  readonly path: string;
  readonly kind: 'resource' | 'complex-type' | 'primitive-type' | 'backbone';
  /** By JSON property, without the `_` twins. */
  readonly elements: ReadonlyMap<string, ElementRule>;
}

export interface Structures {
  /** All concrete resource types of R4, sorted. */
  readonly resourceTypes: readonly string[];
  isResourceType(name: string): boolean;
  /** The structure of a resource type, data type or primitive type, for example `Patient`, `HumanName`, `date`. */
  structure(type: string): Structure | undefined;
}

interface MutableStructure extends Structure {
  readonly elements: Map<string, ElementRule>;
}

/** Elements that the package's `Meta` has beyond R4. */
const META_OF_R4 = new Set(['id', 'extension', 'versionId', 'lastUpdated', 'source', 'profile', 'security', 'tag']);

const FHIR_TYPE_EXTENSION = 'http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type';

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const typeNames = (element: ElementDefinition): string[] =>
  (element.type ?? []).map(
    (type) => type.extension?.find(({ url }) => url === FHIR_TYPE_EXTENSION)?.valueUrl ?? type.code ?? '',
  );

const targetsOf = (element: ElementDefinition): string[] => {
  const profiles = (element.type ?? []).flatMap(({ targetProfile }) => targetProfile ?? []);
  const names = profiles.map((url) => url.slice(url.lastIndexOf('/') + 1));
  return names.includes('Resource') ? [] : [...new Set(names)];
};

/** Reads the definitions (about 0.3 s) and returns their condensed form. */
export const loadStructures = (): Structures => {
  const definitions = [...readDefinitions('profiles-types.json'), ...readDefinitions('profiles-resources.json')].filter(
    (resource): resource is StructureDefinition =>
      resource.resourceType === 'StructureDefinition' && resource.derivation !== 'constraint',
  );
  const byPath = new Map<string, MutableStructure>();
  const named = (path: string, kind: Structure['kind']): MutableStructure => {
    const known = byPath.get(path);
    if (known !== undefined) return known;
    const made: MutableStructure = { path, kind, elements: new Map() };
    byPath.set(path, made);
    return made;
  };
  for (const definition of definitions) named(definition.type, definition.kind as Structure['kind']);

  const addElement = (owner: MutableStructure, element: ElementDefinition): void => {
    const path = element.path;
    const last = path.slice(path.lastIndexOf('.') + 1);
    if (owner.path === 'Meta' && !META_OF_R4.has(last)) return;
    const isChoice = last.endsWith('[x]');
    const name = isChoice ? last.slice(0, -3) : last;
    const types = element.contentReference === undefined ? typeNames(element) : ['BackboneElement'];
    const targets = targetsOf(element);
    for (const type of types) {
      const own = element.contentReference?.slice(1) ?? path;
      const isBackbone = type === 'BackboneElement' || (type === 'Element' && owner.kind !== 'primitive-type');
      const key = isChoice ? name + capitalized(type) : name;
      owner.elements.set(key, {
        key,
        name,
        type,
        min: element.min ?? 0,
        isArray: element.max !== '1',
        isChoice,
        isSummary: element.isSummary ?? false,
        targets: type === 'Reference' || type === 'canonical' ? targets : [],
        structure: isBackbone ? named(own, 'backbone') : named(type, 'complex-type'),
      });
    }
  };

  for (const { kind, type, snapshot } of definitions) {
    if (kind === 'primitive-type') continue;
    for (const element of snapshot?.element ?? []) {
      const dot = element.path.lastIndexOf('.');
      if (dot < 0) continue;
      const ownerPath = element.path.slice(0, dot);
      addElement(named(ownerPath, ownerPath === type ? (kind as Structure['kind']) : 'backbone'), element);
    }
  }
  const resourceTypes = definitions
    .filter(({ kind, abstract }) => kind === 'resource' && !abstract)
    .map(({ type }) => type)
    .sort();
  const isResourceType = new Set(resourceTypes);
  return {
    resourceTypes,
    isResourceType: (name) => isResourceType.has(name),
    structure: (type) => byPath.get(type),
  };
};
