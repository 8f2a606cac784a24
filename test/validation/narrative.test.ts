import type { Bundle } from '@medplum/fhirtypes';
import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { isEmptyNarrative, narrativeFault } from '../../src/validation/narrative.ts';
import { createValidator } from '../../src/validation/validate.ts';
import { absence, dataFiles } from '../data/shared-data.ts';

const div = (content: string): string => `<div xmlns="http://www.w3.org/1999/xhtml">${content}</div>`;

test('accepts what R4 lists: formatting, tables, lists, links and images', async (t) => {
  const accepted = [
    'plain text',
    '<p>one</p>\n<p class="a" style="color: red; font-size: 80%">two</p>',
    '<h1>1</h1><h6>6</h6><hr/><b>b</b><i>i</i><em>e</em><strong>s</strong><small>s</small><big>b</big><tt>t</tt>',
    '<table class="grid" border="1"><caption>c</caption><thead><tr><th colspan="2">h</th></tr></thead></table>',
    '<table><colgroup><col span="2"/></colgroup><tbody><tr><td rowspan="2" valign="top">d</td></tr></tbody></table>',
    '<ul><li>a</li></ul><ol start="3"><li>b</li></ol><dl><dt>t</dt><dd>d</dd></dl>',
    '<pre>a  b</pre><blockquote cite="http://example.org/">q</blockquote><address>a</address><kbd>k</kbd>',
    '<a name="here">a</a><a href="#here">b</a><a href="Patient/1">c</a><a href="https://example.org/?a=1&amp;b=2">d</a>',
    '<a href="mailto:a@example.org">m</a><a href="tel:+4930123456">t</a><a href="urn:uuid:1">u</a>',
    '<img src="scan.png" alt="scan"/><img src="#contained"/><img src="https://example.org/a.png"/>',
    '<img src="data:image/png;base64,iVBORw0KGgo="/><img src="data:image/jpeg;base64,/9j/"/>',
    '&lt;script&gt; &amp; &#169; &#xA9; &nbsp; &eacute;',
    '<!-- a comment --><p>text</p><br></br><br />',
    '<p title=\'single quotes "inside"\' lang="de" xml:lang="de" dir="ltr">a</p>',
    '<span title="1 > 0">a</span> > b',
  ];
  for (const content of accepted) t.equal(narrativeFault(div(content)), undefined, content);
  t.equal(narrativeFault('<div>without a namespace</div>'), undefined);
  t.equal(narrativeFault(' \n<div>a</div> \n'), undefined, 'white space around it');
});

const elementText = (name: string): string => `the element <${name}> is not possible in a narrative`;

test('refuses elements that act, embed or are deprecated, and names them', async (t) => {
  const names = (
    'script style head body html base link meta title form input button textarea select option iframe frame frameset ' +
    'object embed applet param audio video source canvas svg math template slot noscript noembed noframes plaintext ' +
    'xmp font center u s strike ins del map area basefont marquee dialog details image'
  ).split(' ');
  for (const name of names) {
    t.equal(narrativeFault(div(`<p>a</p><${name}>x</${name}>`)), elementText(name));
    t.equal(narrativeFault(div(`<${name}/>`)), elementText(name));
  }
  for (const name of ['SCRIPT', 'Script', 'P', 'svg:script', 'xhtml:p', 'x-y'])
    t.equal(narrativeFault(div(`<${name}>x</${name}>`)), elementText(name), 'elements of XHTML are in lower case');
});

test('refuses event handlers and other attributes, and names them', async (t) => {
  const attributes =
    'onclick onClick onload onerror onmouseover formaction action srcdoc srcset target ping xlink:href xmlns:x data-x is slot background dynsrc usemap'.split(
      ' ',
    );
  for (const name of attributes)
    t.equal(narrativeFault(div(`<p ${name}="x">a</p>`)), `the attribute ${name} of <p> is not possible in a narrative`);
});

test('refuses urls that run code, however they are written', async (t) => {
  const urls = [
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    '  javascript:alert(1)',
    'java&#10;script:alert(1)',
    'java&#x9;script:alert(1)',
    'java\tscript:alert(1)',
    '&#106;avascript:alert(1)',
    '&#x6a;&#x61;vascript&#58;alert(1)',
    '&#0000106;avascript:alert(1)',
    '&#1;javascript:alert(1)',
    'vbscript:x',
    'data:text/html,&lt;script&gt;alert(1)&lt;/script&gt;',
    'data:text/html;base64,PHNjcmlwdD4=',
    'data:image/svg+xml;base64,PHN2Zz4=',
    'data:image/png;base64,iVBORw0KGgo=',
    'file:///etc/passwd',
    'blob:https://example.org/1',
    'view-source:https://example.org/',
  ];
  for (const url of urls)
    t.equal(
      narrativeFault(div(`<a href="${url}">a</a>`)),
      'the attribute href of <a> has a url of a kind that is not possible',
      url,
    );
  t.equal(
    narrativeFault(div('<img src="data:image/svg+xml,a"/>')),
    'the attribute src of <img> has a url of a kind that is not possible',
  );
  // HTML has these names, and XHTML 1.0 has not: browsers would read a colon and a line feed.
  for (const url of ['javascript&colon;alert(1)', 'java&NewLine;script:alert(1)', 'java&Tab;script:alert(1)'])
    t.match(narrativeFault(div(`<a href="${url}">a</a>`)), /the attribute href of <a> has an entity other than/, url);
});

test('refuses styles that load or run something', async (t) => {
  const styles = [
    'background: url(http://example.org/a.png)',
    'background:URL (javascript:alert(1))',
    'width: expression(alert(1))',
    'width: exp/**/ression(alert(1))',
    'width: \\65xpression(alert(1))',
    '-moz-binding: url(a)',
    'behavior: url(a.htc)',
    "@import 'a.css'",
    'background: &#117;rl(//a)',
    'background: url(//example.org/a.png)',
    'background: url(data:image/svg+xml,a)',
    'background: url(a.png), url(http://example.org/b.png)',
    'background: url(a.png',
  ];
  for (const style of styles)
    t.equal(
      narrativeFault(div(`<p style="${style}">a</p>`)),
      'the attribute style of <p> has a style that loads or runs something',
      style,
    );
});

test('takes a style with an image beside the resource, as publishing tools write it', async (t) => {
  for (const url of ['tbl_bck1.png', "'images/tbl_bck1.png'", ' a.png '])
    t.equal(
      narrativeFault(div(`<td style="background-color: white; background-image: url(${url})">a</td>`)),
      undefined,
    );
});

test('refuses what is not well-formed XHTML, which browsers might repair to something else', async (t) => {
  const illFormed = [
    '<div><p>a</div>',
    '<div>a',
    '<div><p></b></p></div>',
    '<div>a</div><div>b</div>',
    '<div>a</div>text',
    'text<div>a</div>',
    '<p>a</p>',
    div('<p class=a>b</p>'),
    div('<p class>b</p>'),
    div('<p class="a" class="b">c</p>'),
    div('<p class="a<b">c</p>'),
    div('<p class="a"id="b">c</p>'),
    div('<p/class="a">c</p>'),
    div('a & b'),
    div('a &nosemicolon b'),
    div('<p title="a & b">c</p>'),
    div('1 < 2'),
    div('<![CDATA[<script>alert(1)</script>]]>'),
    div('<!DOCTYPE html>'),
    div('<?xml-stylesheet href="a.css"?>'),
    div('<!-- a -- b -->'),
    div('<!--> <img src=x onerror=alert(1)> -->'),
    div('<!---> <script>1</script> -->'),
    div('<!--[if IE]><script>alert(1)</script><![endif]-->'),
    div('<!-- a --!> <script>1</script> -->'),
    div('<!-- open'),
    div('< script>alert(1)</script>'),
    div('<p >a</p'),
    div('</p/>'),
  ];
  for (const text of illFormed) t.match(narrativeFault(text), /^is not well-formed XHTML: ./, text);
  t.equal(
    narrativeFault('<div xmlns="http://www.w3.org/2000/svg">a</div>'),
    'the attribute xmlns of <div> is not the namespace of XHTML',
  );
});

test('long hostile texts are answered in a time that grows with their length', async (t) => {
  const length = 400_000;
  const hostile = ['<p>', '<!--', '&', 'a ', '<div class="', ' ', '<', '&#1;', '</p>', '--', ' a="b"'];
  for (const piece of hostile)
    t.doesNotThrow(() => narrativeFault(`<div ${piece.repeat(length)}`) ?? narrativeFault(div(piece.repeat(length))));
});

test('a narrative has a text or an image', async (t) => {
  for (const text of ['<div> \n</div>', '<div><p></p></div>', '<div><!-- a --></div>', '<div><img alt="a"/></div>'])
    t.ok(isEmptyNarrative(text), text);
  for (const text of ['<div>a</div>', '<div><p><b>a</b></p></div>', '<div><img src="#a"/></div>'])
    t.notOk(isEmptyNarrative(text), text);
});

const validate = createValidator(loadStructures());
const facts = { integralDecimals: new Set<string>() };
const SCRIPT = { status: 'generated', div: '<div><script>alert(1)</script></div>' };

test('every narrative is checked: of contained resources, sections and Bundle entries too', async (t) => {
  const patient = { resourceType: 'Patient', id: 'p', text: SCRIPT };
  const composition = {
    resourceType: 'Composition',
    status: 'final',
    type: { text: 'a' },
    date: '2024',
    author: [{ display: 'a' }],
    title: 'a',
    section: [{ text: { ...SCRIPT, div: '<div>a</div>' }, section: [{ text: SCRIPT }] }],
  };
  const cases: readonly (readonly [object, string])[] = [
    [patient, 'Patient.text.div'],
    [{ resourceType: 'Patient', contained: [patient] }, 'Patient.contained[0].text.div'],
    [composition, 'Composition.section[0].section[0].text.div'],
    [
      { resourceType: 'Bundle', type: 'collection', entry: [{ resource: patient }] },
      'Bundle.entry[0].resource.text.div',
    ],
  ];
  for (const [resource, expression] of cases)
    t.strictSame(validate(resource, facts), [
      { severity: 'error', code: 'invariant', diagnostics: `${expression}: ${elementText('script')}`, expression },
    ]);
});

/** The narratives of a resource and all in it. */
const narrativesIn = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) =>
    key === 'div' && typeof each === 'string' ? [each] : narrativesIn(each),
  );
};

for (const folder of ['r4-examples', 'synthea'])
  test(`accepts the narratives of ${folder}`, { skip: absence(folder) }, async (t) => {
    const narratives = dataFiles(folder).flatMap(({ text }) => narrativesIn(JSON.parse(text) as Bundle));
    t.strictSame(
      narratives.flatMap((text) => narrativeFault(text) ?? []),
      [],
    );
  });
