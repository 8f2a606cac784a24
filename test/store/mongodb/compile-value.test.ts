import { test } from 'tap';
import type { ValueClause } from '../../../src/search/search-query.ts';
import { compileValue } from '../../../src/store/mongodb/compile-value.ts';

/** The longest pattern that MongoDB takes. */
const LONGEST = 32_764;

const clausesOf = (text: string): readonly ValueClause[] => [
  { kind: 'string', param: 'name', match: 'starts', values: [text] },
  { kind: 'string', param: 'name', match: 'contains', values: [text] },
  { kind: 'token', param: 'identifier', values: [{ system: text }] },
  { kind: 'uri', param: 'url', match: 'below', values: [text] },
];

test('a text that is too long for a pattern of the database is refused, whatever is looked for', async (t) => {
  for (const clause of clausesOf('x'.repeat(LONGEST - 100))) t.doesNotThrow(() => compileValue(clause), clause.kind);
  for (const text of ['x'.repeat(LONGEST), '.'.repeat(LONGEST / 2), 'ä'.repeat(LONGEST / 2)])
    for (const clause of clausesOf(text))
      t.throws(() => compileValue(clause), { name: 'FhirError', status: 400, issues: [{ code: 'too-long' }] });
  const exact: ValueClause = { kind: 'string', param: 'name', match: 'exact', values: ['x'.repeat(LONGEST)] };
  t.doesNotThrow(() => compileValue(exact), 'what is compared as a whole is no pattern');
});
