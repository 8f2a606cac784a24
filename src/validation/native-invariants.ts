/**
 * Constraints of R4 that are checked without FHIRPath: those of whose expression the `fhirpath` package cannot make what
 * is meant, and those that look at many elements at once, for which it takes seconds where the elements are thousands. A
 * test shows that the latter say the same as their expressions.
 *
 * @see https://hl7.org/fhir/R4/conformance-rules.html#constraints
 */
import type { Structures } from '../definitions/structures.ts';
import { strayContained } from './contained-references.ts';
import { isEmptyNarrative, narrativeFault } from './narrative.ts';
import { isObject, type JsonObject } from './walk.ts';

/** What a constraint sees beside its node: `%resource`, `%rootResource`, and the definitions. */
interface NativeContext {
  readonly resource: JsonObject;
  readonly rootResource: JsonObject;
  readonly structures: Structures;
}

/** Whether a constraint holds; where it returns undefined, the expression tells. */
type Native = (node: unknown, context: NativeContext) => boolean | undefined;
type ObjectRule = (node: JsonObject, context: NativeContext) => boolean;

/** A constraint of objects. */
const of =
  (rule: ObjectRule): Native =>
  (node, context) =>
    isObject(node) ? rule(node, context) : undefined;

const itemsOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

/** The objects at a path of JSON properties: `snapshot.element`. */
const objectsAt = (node: JsonObject, path: string): JsonObject[] =>
  path
    .split('.')
    .reduce<JsonObject[]>((nodes, key) => nodes.flatMap((each) => itemsOf(each[key]).filter(isObject)), [node]);

/** `exists()` of an element that does not repeat; a primitive may have extensions in place of a value. */
const has = (node: JsonObject, key: string): boolean => node[key] !== undefined || node[`_${key}`] !== undefined;

const hasChoice = (node: JsonObject, name: string): boolean =>
  Object.keys(node).some((key) => (key.startsWith('_') ? key.slice(1) : key).startsWith(name) && key !== name);

const inOneOrder = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(inOneOrder);
  if (!isObject(value)) return value;
  const sorted = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, member]) => [key, inOneOrder(member)]));
};

/** Equal for equal values. */
const identity = (value: unknown): string => JSON.stringify(inOneOrder(value));

/** The values of a primitive element at each node, as texts that are equal if they are. Without one, its extensions count. */
const primitivesOf = (nodes: readonly JsonObject[], key: string): string[] =>
  nodes.flatMap((node) => {
    const twins = itemsOf(node[`_${key}`]);
    const values = itemsOf(node[key]);
    return Array.from({ length: Math.max(values.length, twins.length) }, (_, at) =>
      identity(typeof values[at] === 'string' ? values[at] : [twins[at]]),
    );
  });

const areDistinct = (texts: readonly string[]): boolean => new Set(texts).size === texts.length;

/** `&`, which takes what has no value for an empty text. */
const joined = (...values: readonly unknown[]): string =>
  values.map((value) => (typeof value === 'string' ? value : '')).join('');

/** A value and all objects in it, down to the contained resources. */
const objectsIn = (value: unknown, found: JsonObject[] = []): JsonObject[] => {
  if (Array.isArray(value)) for (const each of value) objectsIn(each, found);
  else if (isObject(value)) {
    found.push(value);
    for (const each of Object.values(value)) if (typeof each === 'object') objectsIn(each, found);
  }
  return found;
};

const hasCoding = (node: JsonObject, element: string, system: string, codes: readonly string[]): boolean =>
  objectsAt(node, `${element}.coding`).some(
    (coding) => coding['system'] === system && codes.includes(coding['code'] as string),
  );

const TERMINOLOGY = 'http://terminology.hl7.org/CodeSystem/';
const CONDITION_STATUS = `${TERMINOLOGY}condition-clinical`;
const CONDITION_VERIFICATION = `${TERMINOLOGY}condition-ver-status`;
const ALLERGY_VERIFICATION = `${TERMINOLOGY}allergyintolerance-verification`;
const ERROR = ['entered-in-error'];
const ENDED = ['resolved', 'remission', 'inactive'];

/** Consents of a scope must name the patient; R4's expressions have this system. */
const patientUnless = (code: string): Native =>
  of((consent) => has(consent, 'patient') || !hasCoding(consent, 'scope', 'something', [code]));

const UCUM = 'http://unitsofmeasure.org';

const isPercentage = (value: unknown): boolean =>
  !isObject(value) || (value['code'] === '%' && value['system'] === UCUM);

/** Whether the ends of a Range are in order, or undefined where their units differ. */
const isOrdered: Native = (range) => {
  if (!isObject(range) || !isObject(range['low']) || !isObject(range['high'])) return undefined;
  const { low, high } = range;
  const isSameUnit = ['system', 'code', 'unit'].every((key) => low[key] === high[key]);
  return isSameUnit && low['value'] !== undefined && high['value'] !== undefined
    ? Number(low['value']) <= Number(high['value'])
    : undefined;
};

const idsContained = new WeakMap<JsonObject, ReadonlySet<unknown>>();

/** Whether a reference to a contained resource finds it. */
const findsContained = ({ reference }: JsonObject, root: JsonObject): boolean => {
  if (typeof reference !== 'string' || !reference.startsWith('#') || reference === '#') return true;
  const ids = idsContained.get(root) ?? new Set(objectsAt(root, 'contained').map(({ id }) => id));
  idsContained.set(root, ids);
  return ids.has(reference.slice(1));
};

const LISTED_REQUESTS = ['batch', 'transaction', 'history'];
const LISTED_RESPONSES = ['batch-response', 'transaction-response', 'history'];

/** Whether all entries have an element, or, in Bundles of other types, none. */
const inEntries = (key: string, types: readonly string[]): Native =>
  of((bundle, { resource }) => {
    const isWanted = types.includes(resource['type'] as string);
    const isTyped = has(resource, 'type');
    return objectsAt(bundle, 'entry').every((entry) => isTyped && has(entry, key) === isWanted);
  });

const hasDistinctUrls: ObjectRule = (bundle) => {
  if (bundle['type'] === 'history') return true;
  const entries = objectsAt(bundle, 'entry').filter((entry) => has(entry, 'fullUrl'));
  const versionOf = (entry: JsonObject): unknown => objectsAt(entry, 'resource.meta')[0]?.['versionId'];
  return areDistinct(entries.map((entry) => joined(entry['fullUrl'], versionOf(entry))));
};

/** A component must not repeat the code of an Observation that has a value. */
const hasOwnCodes: ObjectRule = (observation, { resource }) => {
  if (!hasChoice(observation, 'value')) return true;
  const codes = new Set(objectsAt(resource, 'code.coding').map(identity));
  return !objectsAt(observation, 'component.code.coding').some((coding) => codes.has(identity(coding)));
};

/** Whether all values of `key` at the path are among `allowed`. */
const areAmong = (nodes: readonly JsonObject[], key: string, allowed: readonly string[]): boolean => {
  const known = new Set(allowed);
  return primitivesOf(nodes, key).every((text) => known.has(text));
};

const isRelatedToMeal: Native = of((repeat) => {
  if (!has(repeat, 'offset')) return true;
  const when = itemsOf(repeat['when']);
  return has(repeat, 'when') && !when.some((code) => ['C', 'CM', 'CD', 'CV'].includes(code as string));
});

const elementsOf = (definition: JsonObject, view: 'snapshot' | 'differential'): JsonObject[] =>
  objectsAt(definition, `${view}.element`);

const haveIds = (elements: readonly JsonObject[]): boolean => elements.every((element) => has(element, 'id'));

const isRoot = ({ path }: JsonObject): boolean => typeof path === 'string' && !path.includes('.');

const isOfR4 = ({ url }: JsonObject): boolean =>
  typeof url === 'string' && url.startsWith('http://hl7.org/fhir/StructureDefinition');

const areTypeCodes = (elements: readonly JsonObject[], pattern: RegExp): boolean =>
  elements
    .flatMap((element) => objectsAt(element, 'type'))
    .every((type) => !has(type, 'code') || (typeof type['code'] === 'string' && pattern.test(type['code'])));

const SYSTEM_TYPE = '^http://hl7\\.org/fhirpath/System\\.[A-Z][A-Za-z]+$';
const DIFFERENTIAL_TYPE = new RegExp(`^[a-zA-Z0-9]+$|${SYSTEM_TYPE}`);
const SNAPSHOT_TYPE = new RegExp(`^[a-zA-Z0-9.]+$|${SYSTEM_TYPE}`);

/** `and` of what may be empty: a constraint holds unless it is false. */
const isNotFalse = (one: boolean | undefined, other: boolean): boolean => one !== false && other;

const arePathsOfSnapshot: ObjectRule = (snapshot, { resource }) => {
  const [first, ...rest] = objectsAt(snapshot, 'element');
  const areThere = first !== undefined && has(first, 'path') && has(resource, 'type');
  const isSame = areThere ? first['path'] === resource['type'] : undefined;
  const isRootType = resource['kind'] === 'logical' || isSame;
  const start = joined(objectsAt(resource, 'snapshot.element')[0]?.['path'], '.');
  return isNotFalse(
    isRootType,
    rest.every((element) => typeof element['path'] === 'string' && element['path'].startsWith(start)),
  );
};

const arePathsOfDifferential: ObjectRule = (differential, { resource }) => {
  const [first, ...rest] = objectsAt(differential, 'element');
  const { path } = first ?? {};
  const { kind, type } = resource;
  const isText = typeof path === 'string' && typeof type === 'string';
  const isOfType = kind === 'logical' || (isText ? path.startsWith(type) : undefined);
  const given = objectsAt(resource, 'differential.element')[0]?.['path'];
  const start = joined(typeof given === 'string' ? given.replace(/\..*/gs, '') : '', '.');
  return isNotFalse(
    isOfType,
    rest.every((element) => typeof element['path'] === 'string' && element['path'].startsWith(start)),
  );
};

/** By key of the constraint. Some keys, such as `inv-1`, are of several constraints: these are not here. */
export const NATIVE_INVARIANTS: ReadonlyMap<string, Native> = new Map<string, Native>([
  // The package compares no quantities without a unit.
  ['rng-2', isOrdered],
  // The element may be a decimal, of which the package cannot make a node.
  ['ras-1', (node) => !isObject(node) || (isPercentage(node['low']) && isPercentage(node['high']))],
  // `htmlChecks()` is a function of HL7's validator, which means two rules by the same name.
  ['txt-1', (node) => typeof node !== 'string' || narrativeFault(node) === undefined],
  ['txt-2', (node) => typeof node !== 'string' || !isEmptyNarrative(node)],
  // `descendants().as(canonical)`: the package refuses `as` on several items.
  ['dom-3', of((resource, { structures }) => strayContained(resource, structures).length === 0)],
  ['ref-1', of((reference, { rootResource }) => findsContained(reference, rootResource))],

  [
    'ait-1',
    of((node) => has(node, 'clinicalStatus') || hasCoding(node, 'verificationStatus', ALLERGY_VERIFICATION, ERROR)),
  ],
  [
    'ait-2',
    of((node) => !has(node, 'clinicalStatus') || !hasCoding(node, 'verificationStatus', ALLERGY_VERIFICATION, ERROR)),
  ],
  ['bdl-3', inEntries('request', LISTED_REQUESTS)],
  ['bdl-4', inEntries('response', LISTED_RESPONSES)],
  ['bdl-7', of(hasDistinctUrls)],
  // `category.select($this='problem-list-item')` compares a CodeableConcept with a text: of any category it is false.
  [
    'con-3',
    of(
      (node) =>
        has(node, 'clinicalStatus') ||
        !has(node, 'category') ||
        hasCoding(node, 'verificationStatus', CONDITION_VERIFICATION, ERROR),
    ),
  ],
  ['con-4', of((node) => !hasChoice(node, 'abatement') || hasCoding(node, 'clinicalStatus', CONDITION_STATUS, ENDED))],
  [
    'con-5',
    of((node) => !has(node, 'clinicalStatus') || !hasCoding(node, 'verificationStatus', CONDITION_VERIFICATION, ERROR)),
  ],
  ['cpb-7', of((node) => areDistinct(objectsAt(node, 'document').map(({ profile, mode }) => joined(profile, mode))))],
  ['cpb-9', of((node) => areDistinct(primitivesOf(objectsAt(node, 'resource'), 'type')))],
  ['cpb-12', of((node) => areDistinct(primitivesOf(objectsAt(node, 'searchParam'), 'name')))],
  [
    'csd-1',
    of((node) =>
      areDistinct(
        primitivesOf(
          objectsIn(node).flatMap((each) => objectsAt(each, 'concept')),
          'code',
        ),
      ),
    ),
  ],
  // Of any type with a code, the expression selects true or false, and one of them exists.
  ['eld-11', of(() => true)],
  ['eld-13', of((node) => areDistinct(primitivesOf(objectsAt(node, 'type'), 'code')))],
  ['eld-14', of((node) => areDistinct(primitivesOf(objectsAt(node, 'constraint'), 'key')))],
  [
    'ig-1',
    of((node) => areAmong(objectsAt(node, 'resource'), 'groupingId', primitivesOf(objectsAt(node, 'grouping'), 'id'))),
  ],
  [
    'ig-2',
    of((node) => areAmong(objectsAt(node, 'definition.resource'), 'fhirVersion', primitivesOf([node], 'fhirVersion'))),
  ],
  [
    'mea-1',
    of((node) =>
      objectsAt(node, 'group.stratifier').every(
        (each) => ['code', 'description', 'criteria'].some((key) => has(each, key)) !== has(each, 'component'),
      ),
    ),
  ],
  [
    'mrp-2',
    of((node) =>
      objectsAt(node, 'group.stratifier.stratum').every((each) => has(each, 'value') !== has(each, 'component')),
    ),
  ],
  [
    'nsd-1',
    of(
      (node) =>
        node['kind'] !== 'root' ||
        objectsAt(node, 'uniqueId').every((each) => has(each, 'type') && each['type'] !== 'uuid'),
    ),
  ],
  [
    'nsd-2',
    of((node) =>
      areDistinct(
        primitivesOf(
          objectsAt(node, 'uniqueId').filter(({ preferred }) => preferred === true),
          'type',
        ),
      ),
    ),
  ],
  ['obs-7', of(hasOwnCodes)],
  ['ppc-2', patientUnless('patient-privacy')],
  ['ppc-3', patientUnless('research')],
  ['ppc-4', patientUnless('adr')],
  ['ppc-5', patientUnless('treatment')],
  ['que-2', of((node) => areDistinct(primitivesOf(objectsIn(node).slice(1), 'linkId')))],
  [
    'sdf-1',
    of(
      (node) => node['derivation'] === 'constraint' || areDistinct(primitivesOf(elementsOf(node, 'snapshot'), 'path')),
    ),
  ],
  [
    'sdf-3',
    of((node) =>
      objectsAt(node, 'element').every((each) => has(each, 'definition') && has(each, 'min') && has(each, 'max')),
    ),
  ],
  ['sdf-8', of(arePathsOfSnapshot)],
  ['sdf-8a', of(arePathsOfDifferential)],
  ['sdf-8b', of((node) => objectsAt(node, 'element').every((each) => has(each, 'base')))],
  [
    'sdf-9',
    of((node) => {
      const roots = Object.values(node)
        .flatMap(itemsOf)
        .filter(isObject)
        .flatMap((each) => objectsAt(each, 'element'))
        .filter(isRoot);
      return !roots.some((each) => has(each, 'label') || has(each, 'code') || has(each, 'requirements'));
    }),
  ],
  ['sdf-14', of((node) => haveIds(elementsOf(node, 'snapshot')) && haveIds(elementsOf(node, 'differential')))],
  [
    'sdf-16',
    of(
      (node) => haveIds(elementsOf(node, 'snapshot')) && areDistinct(primitivesOf(elementsOf(node, 'snapshot'), 'id')),
    ),
  ],
  [
    'sdf-17',
    of(
      (node) =>
        haveIds(elementsOf(node, 'differential')) && areDistinct(primitivesOf(elementsOf(node, 'differential'), 'id')),
    ),
  ],
  [
    'sdf-19',
    of(
      (node) =>
        !isOfR4(node) ||
        (areTypeCodes(elementsOf(node, 'differential'), DIFFERENTIAL_TYPE) &&
          areTypeCodes(elementsOf(node, 'snapshot'), SNAPSHOT_TYPE)),
    ),
  ],
  ['sdf-20', of((node) => !objectsAt(node, 'element').some((each) => isRoot(each) && has(each, 'slicing')))],
  // `derivation` that is missing makes the expression empty.
  [
    'sdf-21',
    of(
      (node) =>
        !has(node, 'derivation') ||
        node['derivation'] === 'specialization' ||
        !elementsOf(node, 'differential').some((each) => hasChoice(each, 'defaultValue')),
    ),
  ],
  [
    'sdf-22',
    of(
      (node) =>
        !isOfR4(node) ||
        ![...elementsOf(node, 'snapshot'), ...elementsOf(node, 'differential')].some((each) =>
          hasChoice(each, 'defaultValue'),
        ),
    ),
  ],
  [
    'sdf-23',
    of((node) =>
      [...elementsOf(node, 'snapshot'), ...elementsOf(node, 'differential')].every(
        (each) => (typeof each['path'] === 'string' && each['path'].includes('.')) || !has(each, 'sliceName'),
      ),
    ),
  ],
  [
    'tcp-1',
    of((node) => {
      const versions = objectsAt(node, 'version');
      return versions.length < 2 || versions.every((each) => has(each, 'code'));
    }),
  ],
  ['tim-9', isRelatedToMeal],
]);
