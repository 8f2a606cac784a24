import { test } from 'tap';
import { cutLargeString, LARGE_STRING, STAND_IN } from '../../src/fhir/large-string.ts';

const LARGE = 'QUJD'.repeat(LARGE_STRING / 2);

test('a large string is cut out, wherever it stands', async (t) => {
  for (const json of [
    `{"resourceType":"Binary","data":"${LARGE}"}`,
    `{"data" : "${LARGE}" , "contentType":"text/plain","note":"\\"é\\\\"}`,
    `{"language":"a\\"b","display":"ends with \\\\","data":"${LARGE}","meta":{}}`,
  ]) {
    const bytes = Buffer.from(json);
    const cut = cutLargeString(bytes);
    t.equal(cut?.text, json.replace(LARGE, STAND_IN));
    t.equal(bytes.toString('latin1', cut?.large.start, cut?.large.end), LARGE);
  }
});

test('nothing is cut where there is no large string without escapes, or the stand-in would not be alone', async (t) => {
  for (const json of [
    '{"data":"QUJD"}',
    `{"data":"${LARGE}\\/QUJ"}`,
    `{"contentType":"${STAND_IN}","data":"${LARGE}"}`,
    `{"data":"${LARGE}","contentType":"${STAND_IN}"}`,
    `{"data":"${LARGE}`,
    ' '.repeat(LARGE.length),
    `{"items":[${'"x",'.repeat(LARGE_STRING)}"x"]}`,
  ])
    t.equal(cutLargeString(Buffer.from(json)), undefined, json.slice(0, 40));
});
