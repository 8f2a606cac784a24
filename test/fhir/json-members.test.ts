import { test } from 'tap';
import { type LinkKind, withReplacedLinks } from '../../src/fhir/json-members.ts';

const linksOf = (value: unknown): [string, LinkKind][] => {
  const links: [string, LinkKind][] = [];
  withReplacedLinks(JSON.stringify(value), (link, kind) => {
    links.push([link, kind]);
    return undefined;
  });
  return links;
};

test('Links are the values of references, of elements of type uri and url, and those of narratives', (t) => {
  t.same(linksOf({ subject: { reference: 'Patient/1' }, content: [{ attachment: { url: 'b' } }], valueUri: 'c' }), [
    ['Patient/1', 'reference'],
    ['b', 'uri'],
    ['c', 'uri'],
  ]);
  t.same(linksOf({ div: `<a href="a">x</a><img src='b'/>`, note: 'reference' }), [
    ['a', 'uri'],
    ['b', 'uri'],
  ]);
  t.same(linksOf({ text: '"reference":"a"', 'x-url': 'b', value: 'c', system: 'd' }), [], 'and nothing else');
  t.same(linksOf({ reference: 'quote " and \\ and \u00e9' }), [['quote " and \\ and \u00e9', 'reference']]);
  t.end();
});

test('A replaced link leaves all other text as it is', (t) => {
  const text = '{"value":1.10,"subject":{"reference":"old"},"div":"<a href=\\"old\\">old</a>","url":"other"}';
  const replaced = withReplacedLinks(text, (link) => (link === 'old' ? 'new "1"' : undefined));
  t.equal(
    replaced,
    '{"value":1.10,"subject":{"reference":"new \\"1\\""},"div":"<a href=\\"new \\"1\\"\\">old</a>","url":"other"}',
  );
  t.equal(
    withReplacedLinks(text, () => undefined),
    text,
  );
  t.end();
});
