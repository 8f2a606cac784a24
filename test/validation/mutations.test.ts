import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'tap';
import { loadJsonSchemas } from '../../src/definitions/json-schema.ts';
import { loadStructures, type Structure } from '../../src/definitions/structures.ts';
import { createSchemaGate } from '../../src/validation/schema-gate.ts';
import { createValidator } from '../../src/validation/validate.ts';
import { settings } from '../store/contract/run-settings.ts';

const EXAMPLES = new URL('../../../shared/data/r4-examples/', import.meta.url);

const structures = loadStructures();
const validate = createValidator(structures);
const shapeFault = createSchemaGate(loadJsonSchemas(structures));
const facts = { integralDecimals: new Set<string>() };

type JsonObject = Record<string, unknown>;

/** A property of an object inside a resource. */
interface Place {
  readonly owner: JsonObject;
  readonly key: string;
  /** FHIRPath of the owner and of the element. */
  readonly ownerPath: string;
  readonly path: string;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** All places of elements with a value, but not those inside of other resources. */
const placesIn = (owner: JsonObject, structure: Structure | undefined, ownerPath: string): Place[] =>
  Object.entries(owner).flatMap(([key, value]) => {
    const rule = structure?.elements.get(key);
    if (rule === undefined) return [];
    const path = `${ownerPath}.${rule.name}`;
    const inner = (item: unknown, index: number): Place[] =>
      isObject(item) && rule.type !== 'Resource'
        ? placesIn(item, rule.structure, Array.isArray(value) ? `${path}[${index}]` : path)
        : [];
    return [{ owner, key, ownerPath, path }, ...[value].flat().flatMap(inner)];
  });

/** Ways to break a valid resource at a place; each returns the FHIRPath where a fault must be found. */
const MUTATIONS: Readonly<Record<string, (place: Place) => string>> = {
  'an unknown element': ({ owner, ownerPath }) => {
    owner['unheardOf'] = 'a';
    return `${ownerPath}.unheardOf`;
  },
  'null instead of a value': ({ owner, key, path }) => {
    owner[key] = null;
    return path;
  },
  'an array for a single value, and the other way round': ({ owner, key, path }) => {
    owner[key] = Array.isArray(owner[key]) ? owner[key][0] : [owner[key]];
    return path;
  },
  'an object for a primitive value, and the other way round': ({ owner, key, path }) => {
    const other = (value: unknown): unknown => (isObject(value) ? 'a' : { a: 1 });
    if (!Array.isArray(owner[key])) {
      owner[key] = other(owner[key]);
      return path;
    }
    owner[key] = owner[key].map(other);
    return `${path}[0]`;
  },
};

const skip = existsSync(EXAMPLES) ? false : 'no ../shared/data';

test('a valid resource that is broken anywhere is refused at that place', { skip }, async (t) => {
  const texts = readdirSync(EXAMPLES)
    .map((name) => readFileSync(new URL(name, EXAMPLES), 'utf8'))
    // Smaller ones are as telling, and quicker.
    .filter((text) => text.length < 20_000 && validate(JSON.parse(text), facts).length === 0);
  const property = fc.property(
    fc.constantFrom(...texts),
    fc.constantFrom(...Object.keys(MUTATIONS)),
    fc.nat(),
    (text, mutation, number) => {
      const resource = JSON.parse(text) as JsonObject;
      const type = String(resource['resourceType']);
      const structure = structures.structure(type);
      const places = placesIn(resource, structure, type);
      const place = places[number % places.length];
      if (place === undefined || structure === undefined) return true;
      const expected = MUTATIONS[mutation]?.(place);
      const found = validate(resource, facts).some(({ expression }) => expression === expected);
      // Both readers must see it: the walker, which words it, and the schema.
      return found && shapeFault(resource, structure) !== undefined;
    },
  );
  t.doesNotThrow(() => fc.assert(property, settings(t, 500)));
});

test('the schemas of all types compile', async (t) => {
  for (const type of ['EvidenceVariable', 'SubstanceSpecification', 'StructureDefinition', 'ResearchStudy', 'Binary']) {
    const structure = structures.structure(type);
    t.ok(structure !== undefined && shapeFault({ resourceType: type, unheardOf: 1 }, structure), type);
  }
});

test('every type has a schema for all its structures', async (t) => {
  const schemas = loadJsonSchemas(structures);
  const all = new Set(
    structures.resourceTypes.flatMap((type) => schemas.referred(structures.structure(type) as Structure)),
  );
  t.ok(all.size > 600);
  const different = [...all].filter((structure) => {
    const { properties } = schemas.schema(structure);
    const keys = Object.keys(properties).filter(
      (key) => (structure.kind !== 'resource' || key !== 'resourceType') && !key.startsWith('_'),
    );
    return keys.join() !== [...structure.elements.keys()].join();
  });
  t.strictSame(
    different.map(({ path }) => path),
    [],
  );
});
