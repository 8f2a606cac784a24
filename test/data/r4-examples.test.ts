import { isDeepStrictEqual } from 'node:util';
import type { OperationOutcome } from '@medplum/fhirtypes';
import { test } from 'tap';
import { createFhirExchange, mapInFlight } from '../../scripts/child-server/fhir-exchange.ts';
import { startChildServer } from '../../scripts/child-server/start-child-server.ts';
import { contentOf, tokensOf } from './json-tokens.ts';
import { REFUSED_EXAMPLES } from './refused-examples.ts';
import { absence, type DataFile, dataFiles } from './shared-data.ts';

test('the official R4 examples', { skip: absence('r4-examples') }, async (t) => {
  const server = await startChildServer({ dataFolder: t.testdir() });
  const exchange = createFhirExchange(server.base, 8);
  t.teardown(async () => {
    exchange.close();
    await server.end('SIGTERM');
  });
  const files = dataFiles('r4-examples');
  const pathOf = ({ text }: DataFile): string => {
    const { resourceType, id } = JSON.parse(text);
    return `${resourceType}/${id}`;
  };
  const answers = await mapInFlight(files, 8, async (file) => {
    const put = await exchange.send('PUT', pathOf(file), file.text);
    return { file, put, read: await exchange.send('GET', pathOf(file)) };
  });

  t.test('those that are refused break a rule of R4, and nothing of them is stored', async (t) => {
    const refused = answers.filter(({ put }) => put.status >= 400);
    const reasons = refused.map(({ file, put }) => [
      file.name,
      (JSON.parse(put.text) as OperationOutcome).issue?.[0]?.diagnostics,
    ]);
    t.strictSame(Object.fromEntries(reasons), REFUSED_EXAMPLES);
    for (const { file, put, read } of refused) t.strictSame([put.status, read.status], [400, 404], file.name);
  });

  t.test('all others come back as the same JSON text apart from id and meta', async (t) => {
    const stored = answers.filter(({ put }) => put.status < 400);
    t.equal(stored.length, files.length - Object.keys(REFUSED_EXAMPLES).length);
    for (const { file, put, read } of stored) {
      const given = tokensOf(file.text);
      const { id, meta } = JSON.parse(read.text);
      const facts = [put.status, read.status, read.text === put.text, id, meta.versionId];
      if (!isDeepStrictEqual(facts, [201, 200, true, JSON.parse(file.text).id, '1'])) t.fail(file.name, { facts });
      if (!isDeepStrictEqual(JSON.parse(given.join('')), JSON.parse(file.text))) t.fail('the test misreads a file');
      if (contentOf(tokensOf(read.text)) !== contentOf(given))
        t.equal(contentOf(tokensOf(read.text)), contentOf(given), file.name);
      if (read.text !== tokensOf(read.text).join('')) t.fail(`white space is left in ${file.name}`);
    }
  });
});
