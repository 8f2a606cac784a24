import { test } from 'tap';
import { createPageTokens, TOKEN_CHARACTERS } from '../../src/search/page-token.ts';

const SCOPE = 'http://localhost/fhir/Patient?name=a';
const tokens = createPageTokens(Buffer.alloc(32, 1));
const refused = { name: 'FhirError', status: 400, message: /_page/ };

test('a page token gives back the key that it was made of', (t) => {
  for (const key of [[1], [0, -8.64e15, 1.7976931348623157e308, 9], ['id', 2], ['ü|,/+😀', 0.1], []])
    t.same(tokens.read(tokens.write([key], SCOPE), SCOPE), [key]);
  t.match(tokens.write([[1, 'a']], SCOPE), /^[\w.-]+$/, 'it needs no encoding in a url');
  t.end();
});

test('a page token that was changed in any character is refused', (t) => {
  const token = tokens.write([null, [0, 1704067200000, 42]], SCOPE);
  for (let at = 0; at < token.length; at++)
    for (const other of ['A', 'b', '0', '.', '']) {
      const changed = token.slice(0, at) + other + token.slice(at + 1);
      if (changed !== token) t.throws(() => tokens.read(changed, SCOPE), refused, `'${other}' at ${at}`);
    }
  for (const text of ['', '.', 'a.b', '[1]', `${token}x`, token.slice(0, -5), `x${token}`, '%00', 'ü.ü'])
    t.throws(() => tokens.read(text, SCOPE), refused, text);
  t.end();
});

test('a page token of another search or another server is refused', (t) => {
  const token = tokens.write([[1]], SCOPE);
  t.throws(() => tokens.read(token, `${SCOPE}b`), refused);
  t.throws(() => tokens.read(token, ''), refused);
  t.throws(() => createPageTokens(Buffer.alloc(32, 2)).read(token, SCOPE), refused);
  t.end();
});

test('a page token leaves the oldest pages out rather than become too long for a url', (t) => {
  const trail = [null, ...Array.from({ length: 300 }, (_, at) => [1704067200000 - at, 'Nuñez', at])];
  const token = tokens.write(trail, SCOPE);
  t.ok(token.length <= TOKEN_CHARACTERS && token.length > TOKEN_CHARACTERS - 60, `${token.length}`);
  const read = tokens.read(token, SCOPE);
  t.ok(read.length > 20, `${read.length} pages back`);
  t.same(read, trail.slice(-read.length));
  const short = trail.slice(0, 5);
  t.same(tokens.read(tokens.write(short, SCOPE), SCOPE), short);
  const long = [['x'.repeat(2 * TOKEN_CHARACTERS)]];
  t.same(tokens.read(tokens.write([null, ...long], SCOPE), SCOPE), long, 'where the page itself begins always stays');
  t.end();
});
