import fc from 'fast-check';
import { test } from 'tap';
import { jsonNode, jsonText, openedArray, openedObject } from '../../src/fhir/exact-json.ts';
import { FhirError } from '../../src/fhir/fhir-error.ts';
import { jsonPatched, PATCH_OPERATIONS_LIMIT } from '../../src/fhir/json-patch.ts';
import { absence, dataFiles } from '../data/shared-data.ts';
import { settings } from '../store/contract/run-settings.ts';

interface Case {
  readonly doc?: unknown;
  readonly patch?: unknown;
  readonly expected?: unknown;
  readonly error?: string;
  readonly comment?: string;
  readonly disabled?: boolean;
}

/** The status and sentence of the refusal, or nothing if the patch was applied. */
const refusal = (document: string, patch: string): { status: number; text: string } | undefined => {
  try {
    jsonPatched(document, patch);
    return undefined;
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    return { status: error.status, text: error.message };
  }
};

const SUITE = 'patch/json-patch-tests';

test('the public suite of JSON Patch passes', { skip: absence(SUITE) }, (t) => {
  for (const { name, text } of dataFiles(SUITE).filter((file) => file.name !== 'package.json'))
    for (const [index, each] of (JSON.parse(text) as Case[]).entries()) {
      if (each.disabled === true || each.doc === undefined) continue;
      const title = `${name} ${index}: ${each.comment ?? JSON.stringify(each.patch)}`;
      const [document, patch] = [JSON.stringify(each.doc), JSON.stringify(each.patch)];
      if (each.error !== undefined) t.match(refusal(document, patch), { status: /400|422/ }, title);
      else if (each.expected === undefined) t.equal(refusal(document, patch), undefined, title);
      else t.same(JSON.parse(jsonPatched(document, patch)), each.expected, title);
    }
  t.end();
});

test('what a patch does not touch stays as it was written: digits, escapes and the order of keys', (t) => {
  const document = String.raw`{"b":1.10,"2":[1e3,-0.0,{"n\u0061me":"\/x"}],"a":{"c":3.00,"d":0.1000000000000000055},"1":0}`;
  t.equal(jsonPatched(document, '[]'), document);
  t.equal(
    jsonPatched(document, '[{"op":"replace","path":"/a/c","value":5.50}]'),
    document.replace('3.00', '5.50'),
    'also beside the patched place',
  );
  t.equal(jsonPatched(document, '[{"op":"remove","path":"/2/0"}]'), document.replace('1e3,', ''));
  t.equal(jsonPatched(document, '[{"op":"add","path":"/2/-","value":2.0}]'), document.replace('"}]', '"},2.0]'));
  t.equal(
    jsonPatched(document, '[{"op":"move","from":"/b","path":"/z"}]'),
    `${document.replace('"b":1.10,', '').slice(0, -1)},"z":1.10}`,
  );
  t.equal(
    jsonPatched(document, '[{"op":"copy","from":"/a/d","path":"/1"}]'),
    document.replace('"1":0', '"1":0.1000000000000000055'),
  );
  t.equal(
    jsonPatched(document, '[{"op":"replace","path":"/2/2/name","value":"y"}]'),
    document.replace(String.raw`\/x`, 'y'),
  );
  t.end();
});

test('a test compares numbers by what they are worth, exactly', (t) => {
  const same = [
    ['1.0', '1'],
    ['1e3', '1000.00'],
    ['-0.0', '0'],
    ['10e-1', '1'],
    ['0.10', '1E-1'],
    ['[1.0,{"a":2}]', '[1,{"a":2.00}]'],
    ['{"a":1,"b":2}', '{"b":2,"a":1}'],
    [String.raw`"\u0061"`, '"a"'],
  ];
  const different = [
    ['0.1000000000000000055', '0.1'],
    ['1', '-1'],
    ['1', '"1"'],
    ['0', 'false'],
    ['null', '{}'],
    ['[]', '{}'],
    ['[1]', '[1,1]'],
    ['{"a":1}', '{"b":1}'],
    ['100', '1'],
  ];
  for (const [one, other] of same)
    t.equal(refusal(`{"v":${one}}`, `[{"op":"test","path":"/v","value":${other}}]`), undefined, `${one} is ${other}`);
  for (const [one, other] of different)
    t.equal(
      refusal(`{"v":${one}}`, `[{"op":"test","path":"/v","value":${other}}]`)?.status,
      422,
      `${one} is not ${other}`,
    );
  t.end();
});

test('a malformed patch is refused with 400 and the number of the operation', (t) => {
  const malformed: [patch: string, sentence: RegExp][] = [
    ['{}', /array of operations/],
    ['[1]', /Operation 0 is not an object/],
    ['[{"path":"/a"}]', /Operation 0: op must be one of add/],
    ['[{"op":"test","path":"/a","value":1},{"op":"spam","path":"/a"}]', /Operation 1: op 'spam' is none of/],
    ['[{"op":"remove"}]', /Operation 0 \(remove\): path must be/],
    ['[{"op":"remove","path":"a"}]', /path: 'a' is not a JSON Pointer/],
    ['[{"op":"remove","path":"/~2"}]', /after ~ comes 0 or 1/],
    ['[{"op":"add","path":"/a"}]', /value is missing/],
    ['[{"op":"copy","path":"/a"}]', /from must be/],
    ['[{"op":"move","from":"/a","path":"/a/b"}]', /into itself/],
  ];
  for (const [patch, sentence] of malformed) {
    const refused = refusal('{"a":1}', patch);
    t.equal(refused?.status, 400, patch);
    t.match(refused?.text, sentence);
  }
  t.end();
});

test('a patch that cannot be applied is refused with 422 and the number of the operation', (t) => {
  const refused: [patch: string, sentence: RegExp][] = [
    ['[{"op":"remove","path":"/b"}]', /Operation 0 \(remove\): there is nothing at '\/b'/],
    ['[{"op":"test","path":"/a","value":1.0},{"op":"test","path":"/a","value":2}]', /Operation 1 \(test\).*another/],
    ['[{"op":"add","path":"/l/4","value":1}]', /'4' in '\/l\/4' is no index up to 2/],
    ['[{"op":"add","path":"/a/b","value":1}]', /nothing at '\/a\/b'/],
    ['[{"op":"remove","path":""}]', /whole document/],
    ['[{"op":"remove","path":"/l/-"}]', /nothing/],
    ['[{"op":"replace","path":"/l/01","value":1}]', /nothing/],
  ];
  for (const [patch, sentence] of refused) {
    const answer = refusal('{"a":1,"l":[1,2]}', patch);
    t.equal(answer?.status, 422, patch);
    t.match(answer?.text, sentence);
  }
  t.end();
});

test('no path reaches a prototype', (t) => {
  for (const path of ['/__proto__/polluted', '/constructor/prototype/polluted', '/l/__proto__/polluted', '/l/length'])
    t.equal(refusal('{"l":[]}', `[{"op":"add","path":"${path}","value":true}]`)?.status, 422, path);
  t.equal(
    jsonPatched('{}', '[{"op":"add","path":"/__proto__","value":{"polluted":true}}]'),
    '{"__proto__":{"polluted":true}}',
  );
  t.notOk('polluted' in {});
  t.end();
});

test('a patch has limits: of operations, and of what it copies', (t) => {
  const many = JSON.stringify(Array(PATCH_OPERATIONS_LIMIT + 1).fill({ op: 'test', path: '/a', value: 1 }));
  t.match(refusal('{"a":1}', many), { status: 422, text: /limit of this server/ });
  const doubling = JSON.stringify(Array(100).fill({ op: 'copy', from: '', path: '/a/-' }));
  t.match(refusal('{"a":["0123456789"]}', doubling), { status: 422, text: /copies more than/ });
  const deep = Array.from({ length: 900 }, (_, index) => [
    { op: 'add', path: '/b', value: JSON.parse('['.repeat(50) + ']'.repeat(50)) },
    { op: 'move', from: index % 2 === 0 ? '/a' : '/c', path: `/b${'/0'.repeat(50)}` },
    { op: 'move', from: '/b', path: index % 2 === 0 ? '/c' : '/a' },
  ]).flat();
  t.match(refusal('{"a":1}', JSON.stringify(deep.slice(0, PATCH_OPERATIONS_LIMIT))), {
    status: 422,
    text: /nested too deeply/,
  });
  t.end();
});

const numberText = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.nat(999),
    fc.stringMatching(/^\.\d{1,4}$|^$/),
    fc.stringMatching(/^[eE][+-]?\d$|^$/),
  )
  .map((parts) => parts.join(''));
const valueText: fc.Arbitrary<string> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    numberText,
    fc.array(tie('value') as fc.Arbitrary<string>, { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
    fc
      .array(tie('value') as fc.Arbitrary<string>, { maxLength: 3 })
      .map((items) => `{${items.map((item, index) => `"k${index}":${item}`).join(',')}}`),
  ),
})).value as fc.Arbitrary<string>;

const operation = fc.record({
  op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy'),
  path: fc.stringMatching(/^\/[a-c](\/(k?[0-2]|-)){0,2}$/),
  from: fc.stringMatching(/^\/[a-c](\/k?[0-2]){0,2}$/),
  value: fc.constant('patched'),
});

test('random patches of some members keep the others byte for byte, and their numbers', (t) => {
  fc.assert(
    fc.property(
      fc.array(valueText, { minLength: 6, maxLength: 6 }),
      fc.array(operation, { maxLength: 6 }),
      (values, patch) => {
        // The patch is about a, b and c, which stand between members that it is not about.
        const keys = ['x', 'a', 'y', 'b', 'z', 'c'];
        const document = `{${keys.map((key, index) => `"${key}":${values[index]}`).join(',')}}`;
        // An operation that random paths make impossible is left out.
        let patched = document;
        for (const one of patch)
          if (refusal(patched, JSON.stringify([one])) === undefined)
            patched = jsonPatched(patched, JSON.stringify([one]));
        const members = openedObject(jsonNode(patched));
        for (const [index, key] of keys.entries())
          if ('xyz'.includes(key)) t.equal(members?.get(key)?.node.content, values[index]);
        const numbers = document.match(/[:[,]-?\d[\d.eE+-]*/g)?.map((token) => token.slice(1)) ?? [];
        for (const token of patched.match(/[:[,]-?\d[\d.eE+-]*/g) ?? [])
          if (!numbers.includes(token.slice(1))) throw new Error(token);
      },
    ),
    settings(t, 200),
  );
  t.end();
});

test('opening all of a text and printing it gives the text', (t) => {
  const open = (node: ReturnType<typeof jsonNode>): void => {
    openedArray(node)?.forEach(open);
    for (const { node: child } of openedObject(node)?.values() ?? []) open(child);
  };
  fc.assert(
    fc.property(valueText, (text) => {
      const node = jsonNode(text);
      open(node);
      return jsonText(node) === text;
    }),
    settings(t, 200),
  );
  t.end();
});
