import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { loadSearchParameters, type SearchParameter } from '../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { compileFhirPath, type TypedValue } from '../../src/fhirpath/evaluate.ts';
import { type CompiledExpression, compileExpression } from '../../src/search/compile-expression.ts';
import { type JsonObject, type ValueType, visitValues } from '../../src/search/value-path.ts';

type Json = Record<string, unknown> & { resourceType: string };

const folder = join(import.meta.dirname, '../../../shared/data/r4-examples');
const skip = existsSync(folder) ? false : 'the examples of the specification are not here';

const structures = loadStructures();
const parameters = loadSearchParameters();

/** What `resolve()` would find, told from the text alone: the specification's examples do not contain each other. */
const typeOfReference = (reference: object, resource: object): string | undefined => {
  const { reference: text = '', type } = reference as { reference?: string; type?: string };
  if (text.startsWith('#')) {
    const { contained = [] } = resource as { contained?: { id: string; resourceType: string }[] };
    return contained.find(({ id }) => `#${id}` === text)?.resourceType;
  }
  return /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9.-]+(?:\/_history\/[^/]+)?$/.exec(text)?.[1] ?? type;
};

const compiledValues = (compiled: CompiledExpression, node: JsonObject, resource: JsonObject): TypedValue[] => {
  if (compiled.kind === 'truth') {
    const truth = compiled.truth(node, resource);
    return truth === undefined ? [] : [{ type: 'boolean', value: truth }];
  }
  const values: TypedValue[] = [];
  for (const path of compiled.paths) {
    const visit = (value: unknown) => {
      const type = path.type === 'Resource' ? (value as Json).resourceType : path.type;
      values.push({ type, value });
    };
    visitValues(path, node, resource, visit, undefined);
  }
  return values;
};

/** The package's model has `Resource.id` as a string, R4 has it as an id. */
const typeName = (type: string): string => (type === 'id' ? 'string' : type);

/** As a set: `|` removes duplicates in FHIRPath, and the compiled function leaves that to the index entries. */
const asSet = (values: readonly TypedValue[]): string[] =>
  [...new Set(values.map(({ type, value }) => JSON.stringify([typeName(type), value])))].sort();

/** Evaluates one expression both ways on each node, and keeps what differs. */
const createComparison = () => {
  const cache = new Map<string, (node: object, resource: object) => string[][]>();
  const differences: unknown[] = [];
  const counts = { compared: 0, nonEmpty: 0, notCompiled: 0 };
  const evaluator = (expression: string, context: ValueType, resourceType: string) => {
    const contextPath = context.structure?.path ?? context.type;
    const key = `${resourceType} ${contextPath} ${expression}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const resource = { type: resourceType, structure: structures.structure(resourceType) };
    const compiled = compileExpression(expression, context, resource, structures);
    if (compiled === undefined) counts.notCompiled++;
    const interpret = compileFhirPath(expression, contextPath, typeOfReference);
    const made = (node: object, whole: object) => [
      compiled === undefined ? [] : asSet(compiledValues(compiled, node as JsonObject, whole as JsonObject)),
      asSet(interpret(node, whole)),
    ];
    cache.set(key, made);
    return made;
  };
  const compare = (expression: string, context: ValueType, node: object, resource: Json): void => {
    const [found = [], expected = []] = evaluator(expression, context, resource.resourceType)(node, resource);
    counts.compared++;
    if (expected.length > 0) counts.nonEmpty++;
    if (found.join('\n') === expected.join('\n')) return;
    differences.push({ resource: `${resource.resourceType}/${resource['id']}`, expression, found, expected });
  };
  return { compare, counts, differences };
};

const examples = (): Json[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));

const withExpression = (type: string): SearchParameter[] =>
  [...parameters.of(type).values()].filter(({ expression }) => expression !== '');

test('compiled search expressions find what the fhirpath package finds in every example', { skip }, (t) => {
  const { compare, counts, differences } = createComparison();
  for (const resource of examples()) {
    const whole = { type: resource.resourceType, structure: structures.structure(resource.resourceType) };
    for (const { expression } of withExpression(resource.resourceType)) compare(expression, whole, resource, resource);
  }
  t.same(differences.slice(0, 10), []);
  t.equal(counts.notCompiled, 0, 'no expression of R4 needs the package');
  t.ok(counts.nonEmpty >= 2500, `${counts.nonEmpty} of ${counts.compared} comparisons have values`);
  t.comment(JSON.stringify(counts));
  t.end();
});

test('compiled components of composite parameters find what the fhirpath package finds', { skip }, (t) => {
  const { compare, counts, differences } = createComparison();
  for (const resource of examples()) {
    const whole = { type: resource.resourceType, structure: structures.structure(resource.resourceType) };
    for (const { expression, components } of withExpression(resource.resourceType)) {
      if (components.length === 0) continue;
      const compiled = compileExpression(expression, whole, whole, structures);
      if (compiled?.kind !== 'paths') return t.fail(expression);
      for (const path of compiled.paths) {
        const nodes: object[] = [];
        const visit = (node: unknown) => nodes.push(node as object);
        visitValues(path, resource, resource, visit, undefined);
        for (const node of nodes)
          for (const component of components) compare(component.expression, path, node, resource);
      }
    }
  }
  t.same(differences.slice(0, 10), []);
  t.equal(counts.notCompiled, 0);
  t.ok(counts.nonEmpty >= 200, `${counts.nonEmpty} of ${counts.compared} comparisons have values`);
  t.comment(JSON.stringify(counts));
  t.end();
});
