import { createRequire } from 'node:module';
import type { ElementDefinition, StructureDefinition } from '@medplum/fhirtypes';
import { test } from 'tap';
import { readDefinitions } from '../../src/definitions/read-definitions.ts';
import { type ElementRule, loadStructures, type Structure } from '../../src/definitions/structures.ts';

/** R4 as the fhirpath package knows it: an independent source. */
interface Model {
  readonly path2Type: Readonly<Record<string, string>>;
  readonly path2Repeating: Readonly<Record<string, boolean>>;
  readonly path2RefType: Readonly<Record<string, readonly string[]>>;
  /** Elements defined by reference to others, which the other tables then lack. */
  readonly pathsDefinedElsewhere: Readonly<Record<string, string>>;
  readonly type2Parent: Readonly<Record<string, string>>;
}

const model = createRequire(import.meta.url)('fhirpath/fhir-context/r4') as Model;
const structures = loadStructures();

const isConcrete = (type: string): boolean => {
  for (let parent = model.type2Parent[type]; parent !== undefined; parent = model.type2Parent[parent]) {
    if (parent === 'Resource') return !['DomainResource', 'MetadataResource'].includes(type);
  }
  return false;
};

/** The structures of all types and of all that they refer to. */
const all = (): ReadonlySet<Structure> => {
  const roots = [...structures.resourceTypes, 'Element', 'ElementDefinition', 'SubstanceAmount', 'MarketingStatus'];
  const found = new Set(roots.flatMap((type) => structures.structure(type) ?? []));
  for (const each of found) for (const rule of each.elements.values()) found.add(rule.structure);
  return found;
};

const elements = new Map<string, ElementRule>();
for (const { path, elements: rules } of all())
  for (const rule of rules.values()) elements.set(`${path}.${rule.key}`, rule);

test('there are the 146 concrete resource types of R4', async (t) => {
  const types = Object.keys(model.type2Parent).filter(isConcrete).sort();
  t.strictSame(structures.resourceTypes, types);
  t.equal(types.length, 146);
  t.notOk(structures.isResourceType('SubscriptionStatus'));
  t.notOk(structures.isResourceType('DomainResource'));
  t.notOk(structures.isResourceType('__proto__'));
});

test('the elements and their types are those of the fhirpath model', async (t) => {
  const known = (path: string): boolean => path in model.path2Type || path in model.pathsDefinedElsewhere;
  t.strictSame(
    [...elements.keys()].filter((path) => !known(path)),
    [],
  );

  const types = Object.entries(model.path2Type).filter(
    ([path]) =>
      // Abstract types, primitives (whose value, id and extension are no JSON properties) and what R4 does not have.
      !/^(DomainResource|Resource|MetadataResource|BackboneElement|Element)\./.test(path) &&
      structures.structure(path.split('.')[0] ?? '')?.kind !== 'primitive-type' &&
      !path.startsWith('ElementDefinition.extension.') &&
      path.includes('.'),
  );
  t.ok(types.length > 7000);
  const different = types.filter(([path, type]) => {
    const ours = elements.get(path)?.type;
    return type === 'System.String' ? !['id', 'string', 'uri'].includes(ours ?? '') : ours !== type;
  });
  t.strictSame(different, []);
});

test('the elements that repeat are those of the fhirpath model', async (t) => {
  const different = [...elements].filter(
    ([path, { isArray }]) =>
      !(path in model.pathsDefinedElsewhere) && isArray !== (model.path2Repeating[path] ?? false),
  );
  t.strictSame(
    different.map(([path]) => path),
    [],
  );
});

test('the structures of elements defined elsewhere are those of the fhirpath model', async (t) => {
  for (const [path, other] of Object.entries(model.pathsDefinedElsewhere)) {
    t.equal(elements.get(path)?.structure.path, other, path);
  }
});

test('the targets of references are those of the fhirpath model', async (t) => {
  const different = Object.entries(model.path2RefType).filter(([path, targets]) => {
    if (path.startsWith('ElementDefinition.extension.') || targets.includes('Resource')) return false;
    return [...new Set(targets)].sort().join() !== [...(elements.get(path)?.targets ?? [])].sort().join();
  });
  t.strictSame(different, []);
});

test('cardinalities and summary flags are those of R4 data elements', async (t) => {
  const dataElements = (readDefinitions('dataelements.json') as StructureDefinition[]).flatMap(
    ({ snapshot }) => (snapshot?.element[0] ?? []) as ElementDefinition,
  );
  const byPath = new Map(dataElements.map((element) => [element.path, element]));
  const compared = [...elements].flatMap(([path, { name, isChoice, min, isArray, isSummary }]) => {
    const owner = path.slice(0, path.lastIndexOf('.'));
    const element = byPath.get(`${owner}.${name}${isChoice ? '[x]' : ''}`);
    // The data element of Quantity.comparator is that of SimpleQuantity, which forbids it.
    if (element === undefined || path === 'Quantity.comparator') return [];
    const theirs = [element.min, element.max !== '1', element.isSummary ?? false];
    return [{ path, ours: [min, isArray, isSummary].join(), theirs: theirs.join() }];
  });
  t.ok(compared.length > 6000);
  t.strictSame(
    compared.filter(({ ours, theirs }) => ours !== theirs),
    [],
  );
});

test('an id of a resource is of type id, that of an element a string', async (t) => {
  t.equal(structures.structure('Patient')?.elements.get('id')?.type, 'id');
  t.equal(structures.structure('Patient.contact')?.elements.get('id')?.type, 'string');
});

test('characteristic of EvidenceVariable is that of R4, not of a later release', async (t) => {
  const rules = structures.structure('EvidenceVariable.characteristic')?.elements ?? new Map();
  const names = new Set([...rules.values()].map(({ name }) => name));
  t.strictSame([...names].sort(), [
    'definition',
    'description',
    'exclude',
    'extension',
    'groupMeasure',
    'id',
    'modifierExtension',
    'participantEffective',
    'timeFromStart',
    'usageContext',
  ]);
  t.equal(rules.get('definitionExpression')?.min, 1);
  t.equal(structures.structure('EvidenceVariable')?.elements.get('characteristic')?.min, 1);
});
