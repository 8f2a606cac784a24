import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle, Observation, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { createFhirExchange } from '../../scripts/child-server/fhir-exchange.ts';
import { startChildServer } from '../../scripts/child-server/start-child-server.ts';
import { searchedFiles } from './clear-text.ts';

const RECORD = readFileSync(new URL('../../fixtures/second-opinion-request.json', import.meta.url), 'utf8');

/** What must not be readable: names, identifiers, codes, FHIR's own words, and the header of a plain SQLite file. */
const needlesOf = (record: string): string[] => {
  const resources = ((JSON.parse(record) as Bundle).entry ?? []).map(({ resource }) => resource);
  const [patient] = resources.filter((resource): resource is Patient => resource?.resourceType === 'Patient');
  const results = resources.filter((resource): resource is Observation => resource?.resourceType === 'Observation');
  const words = [
    ...(patient?.name ?? []).flatMap(({ family, given }) => [family, ...(given ?? [])]),
    ...(patient?.identifier ?? []).map(({ value }) => value),
    ...results.flatMap(({ code }) => (code.coding ?? []).map(({ code }) => code)),
    ...['resourceType', 'Patient', 'Observation', 'http://loinc.org', 'CREATE TABLE', 'SQLite format 3'],
  ];
  return [...new Set(words)].filter((word): word is string => word !== undefined && Buffer.byteLength(word) >= 5);
};

test('the files of the store contain no clear text, neither while the server runs nor after', async (t) => {
  const folder = t.testdir();
  const needles = needlesOf(RECORD);
  t.ok(needles.length > 15, `${needles.length} needles`);
  const server = await startChildServer({ dataFolder: folder });
  const exchange = createFhirExchange(server.base, 1);
  t.equal((await exchange.send('POST', '', RECORD)).status, 200);
  const { text } = await exchange.send('GET', `Patient?family=${encodeURIComponent(needles[0]!)}`);
  t.match(text, needles[0], 'the server itself finds the name');
  exchange.close();

  const findings = () => searchedFiles(folder, needles).map(({ name, found }) => [name, found]);
  const storedBytes = () => searchedFiles(folder, []).reduce((sum, { bytes }) => sum + bytes, 0);
  const names = ['consilium.db', 'consilium.db-shm', 'consilium.db-wal'];
  t.strictSame(Object.fromEntries(findings()), Object.fromEntries(names.map((name) => [name, []])));
  t.ok(storedBytes() > RECORD.length, 'the record is in these files');

  t.equal(await server.end('SIGTERM'), 0);
  for (const [name, found] of findings()) t.strictSame(found, [], `${name} after closing`);
  t.ok(storedBytes() > RECORD.length / 2, 'the record is still there');
});

test('the search for clear text finds what is there', async (t) => {
  const folder = t.testdir();
  writeFileSync(join(folder, 'plain'), RECORD);
  const needles = needlesOf(RECORD).filter((needle) => !/CREATE|SQLite/.test(needle));
  t.strictSame(searchedFiles(folder, needles), [{ name: 'plain', bytes: Buffer.byteLength(RECORD), found: needles }]);
  writeFileSync(join(folder, 'plain'), needles.map((needle) => Buffer.from(needle.toLowerCase(), 'utf16le')).at(-1)!);
  t.match(searchedFiles(folder, needles), [{ found: needles.slice(-1) }]);
});
