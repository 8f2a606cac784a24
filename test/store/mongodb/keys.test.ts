import fc from 'fast-check';
import { type Test, test } from 'tap';
import {
  anySystemKey,
  exactKey,
  keyName,
  namedReferenceOf,
  referenceKey,
  referenceOf,
  referencePrefix,
  startsPattern,
  stringKey,
  systemPrefix,
  tokenKey,
  tokenPrefix,
  uriKey,
} from '../../../src/store/mongodb/keys.ts';
import { settings } from '../contract/run-settings.ts';

/** Texts that are rich in the signs that keys are made with. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '|', '=', '~', '>', '@', '!', '/', '%', ':', '#', '7', 'C'), maxLength: 6 }),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
);
const type = fc.constantFrom('', 'Patient', 'Group');

/** Values that stand in one array, each as a list of its parts. */
const point = fc.oneof(
  fc.tuple(fc.constant('token'), text, text, text),
  fc.tuple(fc.constant('any system'), text, text),
  fc.tuple(fc.constant('reference'), text, type, text),
  fc.tuple(fc.constant('uri'), text, text),
);
const string = fc.oneof(fc.tuple(fc.constant('folded'), text, text), fc.tuple(fc.constant('exact'), text, text));

const keyOf = ([kind = '', param = '', one = '', other = '']: readonly string[]): string => {
  switch (kind) {
    case 'token':
      return tokenKey(param, one, other);
    case 'any system':
      return anySystemKey(param, one);
    case 'reference':
      return referenceKey(param, { type: one, id: other });
    case 'uri':
      return uriKey(param, one);
    case 'folded':
      return stringKey(param, one);
    default:
      return exactKey(param, one);
  }
};

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** Pairs that are often alike but for the place of a sign. */
const checkPairs = (t: Test, values: fc.Arbitrary<string[]>): void => {
  const pairs = fc.array(values, { minLength: 2, maxLength: 40 });
  fc.assert(
    fc.property(pairs, (all) =>
      all.every((one) => all.every((other) => isSame(one, other) === (keyOf(one) === keyOf(other)))),
    ),
    settings(t, 2000),
  );
  t.pass('no two values share a key');
};

test('no two different values share a key', async (t) => {
  checkPairs(t, point as fc.Arbitrary<string[]>);
  checkPairs(t, string as fc.Arbitrary<string[]>);
});

test('a key says what it is of', async (t) => {
  fc.assert(
    fc.property(text, type, text, text, (param, targetType, id, other) => {
      const target = { type: targetType, id };
      const key = referenceKey(param, target);
      t.strictSame(referenceOf(key, param), target);
      t.strictSame(namedReferenceOf(key), { name: keyName(param), target });
      if (other !== param) t.equal(referenceOf(key, other), undefined);
      t.ok(key.startsWith(referencePrefix(param, targetType)));
      t.equal(namedReferenceOf(tokenKey(param, other, id)), undefined);
      t.equal(namedReferenceOf(uriKey(param, id)), undefined);
    }),
    settings(t, 300),
  );
});

test('the keys of a system and of a parameter are those that begin as its prefix', async (t) => {
  fc.assert(
    fc.property(text, text, text, text, text, (param, system, code, otherParam, otherSystem) => {
      const key = tokenKey(param, system, code);
      t.equal(key.startsWith(systemPrefix(otherParam, otherSystem)), param === otherParam && system === otherSystem);
      t.equal(key.startsWith(tokenPrefix(otherParam)), param === otherParam);
      t.equal(new RegExp(startsPattern(systemPrefix(param, system)), 'u').test(key), true);
    }),
    settings(t, 300),
  );
});

test('the name of a parameter can be the name of a field', async (t) => {
  for (const name of ['code', 'value-quantity', 'code:text', 'code-value-quantity#0', '_id'])
    t.equal(keyName(name), name, 'usual names stay as they are');
  t.equal(keyName('a.b$c=d'), 'a%002eb%0024c%003dd');
});
