/** Words of any script are found as they are written, without case and marks. */
import { type Test, test } from 'tap';
import type { Store } from '../../../src/store/store.ts';
import { created, idsOf, resourceOf } from './resources.ts';

const TEXTS: readonly (readonly [text: string, found: readonly string[], missed: readonly string[]])[] = [
  ['Cafés, Müller', ['cafés', 'cafe\u0301s', 'CAFES', 'muller CAFÉS', '"müller"', 'cafés*'], ['cafe', 'caf', 'müll*']],
  ['हिन्दी भाषा', ['हिन्दी', 'भाषा'], ['अंग्रेज़ी']],
  ['東京 病院', ['東京'], ['大阪']],
  ['Ελλάς', ['ΕΛΛΆΣ', 'ελλας'], ['ελλα']],
  ['x-ray AND 12.5', ['x ray', 'and', '12 5', 'ray'], ['xray', 'NEAR(x ray)', '12 NOT 5']],
  ['a\u{1E900}b', ['a\u{1E900}b'], ['zzz\u{1E900}']],
];

export const testWords = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: words are found in any script, and signs of a query language are no such`, async (t) => {
    const store = await open(t);
    for (const [at, [text, found, missed]] of TEXTS.entries()) {
      const type = `Type${at}`;
      await store.commit([created(resourceOf(type, 'a'), [{ kind: 'text', param: '_content', text }])]);
      const search = (words: string) => idsOf(store, type, { kind: 'text', param: '_content', values: [words] });
      for (const words of found) t.same(await search(words), ['a'], `'${words}' in '${text}'`);
      for (const words of missed) t.same(await search(words), [], `no '${words}' in '${text}'`);
    }
  });
};
