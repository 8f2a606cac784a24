import { test } from 'tap';
import { checkCommit } from '../../../src/store/mongodb/commit-limits.ts';
import { created, deleted, resourceOf } from '../contract/resources.ts';

const LIMITS = { entries: 3, bytes: 200 };
const write = (content: string) => created(resourceOf('Basic', 'b', `"data":"${content}"`));

test('a transaction over a limit is refused with 413 and the name of the limit', async (t) => {
  const small = deleted({ type: 'Basic', id: 'b' });
  t.doesNotThrow(() => checkCommit([small, small, small], LIMITS));
  t.throws(() => checkCommit([small, small, small, small], LIMITS), {
    name: 'FhirError',
    status: 413,
    message: /CONSILIUM_TRANSACTION_ENTRIES/,
  });
  t.doesNotThrow(() => checkCommit([write('x'), write('x')], LIMITS));
  t.throws(() => checkCommit([write('ä'.repeat(50)), write('x')], LIMITS), {
    name: 'FhirError',
    status: 413,
    message: /CONSILIUM_TRANSACTION_MEGABYTES/,
  });
  t.doesNotThrow(() => checkCommit([write('x'.repeat(1000))], LIMITS), 'a single write is no transaction');
});
