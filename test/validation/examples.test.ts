import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Bundle } from '@medplum/fhirtypes';
import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createValidator } from '../../src/validation/validate.ts';
import { REFUSED_EXAMPLES } from '../data/refused-examples.ts';

const EXAMPLES = new URL('../../../shared/data/r4-examples/', import.meta.url);
const SYNTHEA = new URL('../../../shared/data/synthea/', import.meta.url);

const validate = createValidator(loadStructures());
const facts = { integralDecimals: new Set<string>() };

const read = (folder: URL): [string, unknown][] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => [name, JSON.parse(readFileSync(new URL(name, folder), 'utf8'))]);

const skipWithout = (folder: URL) => ({ skip: existsSync(folder) ? false : 'no ../shared/data' });

test('accepts the official examples, but for those that break a rule of R4', skipWithout(EXAMPLES), async (t) => {
  const examples = read(EXAMPLES);
  t.ok(examples.length > 300);
  const refused = examples.flatMap(([name, resource]) => {
    const [first] = validate(resource, facts);
    return first === undefined ? [] : [[name, first.diagnostics]];
  });
  t.strictSame(Object.fromEntries(refused), REFUSED_EXAMPLES);
});

test('accepts every Synthea bundle and every resource in it', skipWithout(SYNTHEA), async (t) => {
  for (const [name, bundle] of read(SYNTHEA)) {
    t.strictSame(validate(bundle, { ...facts, expectedType: 'Bundle' }), [], name);
    const resources = ((bundle as Bundle).entry ?? []).map(({ resource }) => resource);
    t.strictSame(
      resources.flatMap((resource) => validate(resource, facts)),
      [],
      name,
    );
  }
});
