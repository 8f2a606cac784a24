import { test } from 'tap';
import { type Expression, parseExpression } from '../../src/fhirpath/syntax.ts';

/** Writes a tree with all its parentheses. */
const written = (node: Expression): string => {
  switch (node.kind) {
    case 'member':
      return node.source === undefined ? node.name : `${written(node.source)}.${node.name}`;
    case 'call': {
      const call = `${node.name}(${node.parameters.map(written).join(', ')})`;
      return node.source === undefined ? call : `${written(node.source)}.${call}`;
    }
    case 'index':
      return `${written(node.source)}[${node.index}]`;
    case 'literal':
      return JSON.stringify(node.value);
    case 'resource':
      return '%resource';
    case 'type':
      return `(${written(node.source)} ${node.operator} ${node.type})`;
    case 'binary':
      return `(${written(node.left)} ${node.operator} ${written(node.right)})`;
  }
};

const parsed = (text: string): string | undefined => {
  const tree = parseExpression(text);
  return tree === undefined ? undefined : written(tree);
};

test('reads paths, calls, indexers and literals', (t) => {
  t.equal(parsed('Bundle.entry[0].resource'), 'Bundle.entry[0].resource');
  t.equal(parsed(" a . where( b = 'c' ).`div` "), 'a.where((b = "c")).div');
  t.equal(parsed('%resource.referenceSeq.chromosome'), '%resource.referenceSeq.chromosome');
  t.equal(parsed('a = true or b != 12'), '((a = true) or (b != 12))');
  t.equal(parsed('exists()'), 'exists()');
  t.end();
});

test('binds as FHIRPath does: is and as before |, then =, then and, then or', (t) => {
  t.equal(parsed('a as B | c as D'), '((a as B) | (c as D))');
  t.equal(parsed('a | b | c'), '((a | b) | c)');
  t.equal(parsed('a.exists() and a != false'), '(a.exists() and (a != false))');
  t.equal(parsed('a = 1 and b = 2 or c = 3'), '(((a = 1) and (b = 2)) or (c = 3))');
  t.equal(parsed('(a | b).c'), '(a | b).c');
  t.equal(parsed('where(resolve() is FHIR.Patient)'), 'where((resolve() is Patient))');
  t.end();
});

test('takes keywords as names where FHIRPath does', (t) => {
  t.equal(parsed('Observation.value.as(Quantity)'), 'Observation.value.as(Quantity)');
  t.equal(parsed('a.is'), 'a.is');
  t.end();
});

test('gives nothing for what is no FHIRPath or beyond the subset', (t) => {
  const texts = [
    '',
    'a |',
    'a.',
    '(a',
    'a)',
    'a[b]',
    "'open",
    'a + b',
    '$this',
    'a > 1',
    "a.where(b = 'c\\'d')",
    '@2020',
    'a b',
  ];
  for (const text of texts) t.equal(parsed(text), undefined, text);
  t.end();
});
