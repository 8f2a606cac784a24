import { test } from 'tap';
import type { Constraint, Structure } from '../../src/definitions/structures.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { loadTerminology } from '../../src/definitions/terminology.ts';
import { createInvariantCompiler } from '../../src/fhirpath/invariant.ts';
import { NATIVE_INVARIANTS } from '../../src/validation/native-invariants.ts';
import { absence, dataFiles } from '../data/shared-data.ts';
import { INVARIANT_SEEDS } from './invariant-seeds.ts';
import { mutated, randomFrom } from './mutations.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const structures = loadStructures();
const compile = createInvariantCompiler(loadTerminology());

/** Those of which the package cannot make what is meant; the tests of invariants have cases of them. */
const WITHOUT_EXPRESSION = new Set(['rng-2', 'ras-1', 'txt-1', 'txt-2']);

/** `as` on several items is refused by the package; of single ones it is `ofType`. */
const expressionOf = ({ key, expression }: Constraint): string =>
  key === 'dom-3'
    ? expression
        .replaceAll(/\.as\((\w+)\)/g, '.ofType($1)')
        .replaceAll(/where\(as\((\w+)\) = '#'\)/g, "ofType($1).where($this = '#')")
    : expression;

interface Place {
  readonly node: JsonObject;
  readonly structure: Structure;
  readonly constraint: Constraint;
  readonly resource: JsonObject;
  readonly rootResource: JsonObject;
}

/** Every node of a resource that a native constraint is about. */
const placesIn = (whole: JsonObject): Place[] => {
  const places: Place[] = [];
  const visit = (
    node: unknown,
    structure: Structure,
    own: readonly Constraint[],
    at: Pick<Place, 'resource' | 'rootResource'>,
  ): void => {
    if (typeof node !== 'object' || node === null) return;
    const object = node as JsonObject;
    for (const constraint of [...structure.constraints, ...own])
      if (NATIVE_INVARIANTS.has(constraint.key) && !WITHOUT_EXPRESSION.has(constraint.key))
        places.push({ node: object, structure, constraint, ...at });
    for (const [key, value] of Object.entries(object)) {
      const rule = structure.elements.get(key);
      if (rule === undefined) continue;
      for (const each of Array.isArray(value) ? value : [value])
        if (rule.type !== 'Resource') visit(each, rule.structure, rule.constraints, at);
        else visitResource(each, rule.name === 'contained' ? at.rootResource : each);
    }
  };
  const visitResource = (resource: JsonObject, rootResource: JsonObject): void => {
    const structure = structures.structure(String(resource?.['resourceType']));
    if (structure !== undefined) visit(resource, structure, [], { resource, rootResource });
  };
  visitResource(whole, whole);
  return places;
};

type Verdict = boolean | 'error';

const byExpression = ({ node, structure, constraint, resource, rootResource }: Place): Verdict => {
  try {
    return compile(expressionOf(constraint), structure.path)(node, resource, rootResource);
  } catch {
    return 'error';
  }
};

const natively = ({ node, constraint, resource, rootResource }: Place): Verdict | undefined =>
  NATIVE_INVARIANTS.get(constraint.key)?.(node, { resource, rootResource, structures });

const count = (seen: Map<string, number>, key: string, verdict: Verdict): void => {
  const name = `${key} ${verdict}`;
  seen.set(name, (seen.get(name) ?? 0) + 1);
};

/** What both say of a resource, and where they differ. */
const differences = (whole: JsonObject, seen: Map<string, number>): string[] =>
  placesIn(whole).flatMap((place) => {
    const expected = byExpression(place);
    count(seen, place.constraint.key, expected);
    const actual = natively(place);
    if (expected === 'error' || actual === expected) return [];
    return [`${place.constraint.key} is ${actual}, not ${expected}: ${JSON.stringify(place.node).slice(0, 600)}`];
  });

/** Mutants of each example and seed. */
const MUTANTS = { example: 8, seed: 300 };
/** Mutants are made of resources up to this size. */
const MUTANT_CHARACTERS = 20_000;

const mutantsOf = (resource: JsonObject, mutants: number, random: () => number): JsonObject[] =>
  JSON.stringify(resource).length > MUTANT_CHARACTERS
    ? [resource]
    : [resource, ...Array.from({ length: mutants }, () => mutated(resource, random))];

const checked = (resources: readonly JsonObject[], mutants: number) => {
  const random = randomFrom(7);
  const seen = new Map<string, number>();
  const found = resources.flatMap((resource) =>
    mutantsOf(resource, mutants, random).flatMap((each) => differences(each, seen)),
  );
  return { seen, found };
};

test('what is checked natively is what the expressions of R4 say, on resources made for it', async (t) => {
  const { seen, found } = checked(INVARIANT_SEEDS, MUTANTS.seed);
  t.same(found.slice(0, 10), []);
  const ofOthers = new Set(['bdl-3', 'bdl-4', 'bdl-7', 'que-2', 'dom-3', 'ref-1']);
  for (const key of NATIVE_INVARIANTS.keys())
    if (!WITHOUT_EXPRESSION.has(key) && !ofOthers.has(key)) {
      t.ok((seen.get(`${key} true`) ?? 0) > 0, `${key} is kept`);
      if (key !== 'eld-11') t.ok((seen.get(`${key} false`) ?? 0) > 0, `${key} is broken`);
    }
});

test('and on the official examples', { skip: absence('r4-examples') }, async (t) => {
  const examples = dataFiles('r4-examples').map(({ text }) => JSON.parse(text) as JsonObject);
  const { seen, found } = checked(examples, MUTANTS.example);
  t.same(found.slice(0, 10), []);
  for (const key of ['bdl-3', 'bdl-4', 'bdl-7', 'que-2', 'dom-3', 'ref-1'])
    for (const verdict of [true, false]) t.ok((seen.get(`${key} ${verdict}`) ?? 0) > 0, `${key} ${verdict}`);
});
