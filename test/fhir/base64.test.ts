import fc from 'fast-check';
import { test } from 'tap';
import { createBase64Encoder, decodedLength, decodedPieces, isBase64Groups } from '../../src/fhir/base64.ts';

const STEP = 768 * 1024;

const contentOf = (length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 255));

/** The content in chunks of a size, as a network would bring it. */
const encoded = (content: Buffer, chunk: number, expected?: number): Buffer => {
  const encoder = createBase64Encoder(expected);
  for (let at = 0; at < content.length; at += chunk) encoder.add(content.subarray(at, at + chunk));
  return Buffer.concat(encoder.end());
};

const decoded = (base64: Buffer, start: number, end: number): Buffer =>
  Buffer.concat([...decodedPieces(base64, start, end)]);

test('content that comes in chunks becomes the same base64 as the whole, at every length around the steps', async (t) => {
  for (const length of [0, 1, 2, 3, 4, 100, STEP - 1, STEP, STEP + 1, 2 * STEP - 1, 2 * STEP, 2 * STEP + 2]) {
    const content = contentOf(length);
    const expected = Buffer.from(content.toString('base64'));
    for (const chunk of [65_536, 100_001]) {
      t.ok(encoded(content, chunk).equals(expected), `${length} bytes in chunks of ${chunk}`);
      t.ok(encoded(content, chunk, length).equals(expected), `${length} bytes, as was expected`);
      t.ok(encoded(content, chunk, 10).equals(expected), `${length} bytes, when 10 were expected`);
    }
    t.equal(decodedLength(expected), length);
    t.ok(decoded(expected, 0, length).equals(content), `${length} bytes are decoded again`);
  }
});

test('any range of content is what is decoded of its base64', async () => {
  const content = contentOf(3 * STEP + 1001);
  fc.assert(
    fc.property(fc.nat(content.length), fc.nat(content.length), fc.nat(5), (one, other, cut) => {
      const whole = content.subarray(cut);
      const [start = 0, end = 0] = [Math.min(one, whole.length), Math.min(other, whole.length)].sort((a, b) => a - b);
      const base64 = Buffer.from(whole.toString('base64'));
      return decoded(base64, start, end).equals(whole.subarray(start, end));
    }),
    { numRuns: 60 },
  );
});

test('base64 with anything else in it is not decoded in steps', async (t) => {
  for (const text of ['QUJD QUJD', 'QUJ', 'QUJD\u00a0QUJ']) t.equal(decodedLength(Buffer.from(text)), undefined, text);
  t.equal(decodedLength(Buffer.from('')), 0);
});

test('base64 is groups of four of its characters, padded at the end', async (t) => {
  const long = 'QUJD'.repeat(300_000);
  for (const text of ['QUJD', 'QUI=', 'QQ==', 'QR==', '+/+/', long, `${long}QQ==`])
    t.equal(isBase64Groups(Buffer.from(text)), true, text.slice(-8));
  for (const text of [
    '',
    'Q',
    'QUJ',
    'Q===',
    '====',
    'QQ==QUJD',
    'QU D',
    'QU-D',
    'QU_D',
    'QU\u00e9',
    `QQ==${long}`,
    `${long}Q-JD`,
  ])
    t.equal(isBase64Groups(Buffer.from(text)), false, text.slice(0, 8));
  t.equal(isBase64Groups(Buffer.from(`${long}_QUJ${long}`)), false, 'in the middle');
});
