import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import {
  allMatches,
  createFhirExchange,
  type FhirExchange,
  mapInFlight,
} from '../../scripts/child-server/fhir-exchange.ts';
import { startChildServer } from '../../scripts/child-server/start-child-server.ts';
import { searchedFiles } from './clear-text.ts';
import { contentOf, tokensOf } from './json-tokens.ts';
import { absence, dataFiles, dataFolder } from './shared-data.ts';
import { codesOf, type LoadedEntry, loadedEntries, matchesDay, spanOf } from './synthea-record.ts';

const LOAD = fileURLToPath(new URL('../../scripts/load-bundles.ts', import.meta.url));
const IN_FLIGHT = 8;

/** Passes requests on to the server, and keeps the answers by the bodies that they answer. */
const startRecorder = async (t: Test, base: string) => {
  const exchange = createFhirExchange(base, IN_FLIGHT);
  const answers = new Map<string, string>();
  const recorder = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const prefer = request.headers.prefer as string;
    const { status, headers, text } = await exchange.send(request.method ?? '', '', body, { prefer });
    answers.set(body, text);
    response.writeHead(status, { 'content-type': headers['content-type'] }).end(text);
  });
  recorder.listen(0, '127.0.0.1');
  await once(recorder, 'listening');
  t.teardown(() => {
    exchange.close();
    recorder.close();
  });
  return { base: `http://127.0.0.1:${(recorder.address() as AddressInfo).port}/fhir`, answers };
};

const runLoad = async (base: string): Promise<{ status: number; stdout: string }> => {
  const child = spawn(process.execPath, [LOAD, '--base', base, fileURLToPath(dataFolder('synthea'))]);
  let stdout = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.resume();
  const [status] = await once(child, 'close');
  return { status, stdout };
};

interface Expected {
  readonly search: string;
  readonly found: readonly LoadedEntry[];
}

/** Runs the searches, following all pages, and compares the ids found with those expected. */
const checkSearches = async (t: Test, exchange: FhirExchange, searches: readonly Expected[]): Promise<void> => {
  const wrong = await mapInFlight(searches, IN_FLIGHT, async ({ search, found }) => {
    const [type = ''] = search.split('?');
    const ids = (await allMatches(exchange, search)).map(({ id }) => `${type}/${id}`).sort();
    const expected = found.map(({ location }) => location).sort();
    return ids.join() === expected.join() ? [] : [{ search, found: ids.length, expected: expected.length }];
  });
  t.strictSame(wrong.flat(), [], `${searches.length} searches`);
};

const grouped = <T>(items: readonly T[], keysOf: (item: T) => readonly string[]): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const item of items)
    for (const key of new Set(keysOf(item))) groups.set(key, [...(groups.get(key) ?? []), item]);
  return groups;
};

const ofType = (entries: readonly LoadedEntry[], type: string): LoadedEntry[] =>
  entries.filter((entry) => entry.type === type);

const codeSearches = (entries: readonly LoadedEntry[], criteria: string): Expected[] =>
  [...grouped(ofType(entries, 'Observation'), ({ resource }) => codesOf(resource.code))].map(([code, found]) => ({
    search: `Observation?${criteria}code=${encodeURIComponent(code)}`,
    found,
  }));

const dayOf = (instant: number): string => new Date(instant).toISOString().slice(0, 10);

/** The days of every `step`th resource, of all that go over midnight, and days on which nothing happened. */
const sampledDays = (found: readonly LoadedEntry[], step: number): string[] => {
  const spans = found.map(({ resource }) => spanOf(resource));
  const days = spans.flatMap(({ lo, hi }, at) =>
    at % step === 0 || dayOf(lo) !== dayOf(hi - 1) ? [dayOf(lo), dayOf(hi - 1)] : [],
  );
  return [...new Set([...days, '1899-12-31', '2000-02-29', '2999-01-01'])];
};

const dateSearches = (type: string, criteria: string, found: readonly LoadedEntry[], step: number): Expected[] =>
  sampledDays(found, step).flatMap((day) =>
    ['ge', 'le', 'eq', 'gt', 'lt'].map((prefix) => ({
      search: `${type}?${criteria}&date=${prefix}${day}`,
      found: found.filter(({ resource }) => matchesDay(spanOf(resource), prefix, day)),
    })),
  );

test('the Synthea records', { skip: absence('synthea') }, async (t) => {
  const folder = t.testdir();
  const server = await startChildServer({ dataFolder: folder });
  const exchange = createFhirExchange(server.base, IN_FLIGHT);
  t.teardown(async () => {
    exchange.close();
    await server.end('SIGTERM');
  });
  const recorder = await startRecorder(t, server.base);
  const files = dataFiles('synthea');
  const records: LoadedEntry[][] = [];
  const patientOf = (record: readonly LoadedEntry[]): string => ofType(record, 'Patient')[0]!.location;

  await t.test('all load through `npm run load`, every entry created', async (t) => {
    const { status, stdout } = await runLoad(recorder.base);
    t.equal(status, 0);
    for (const file of files) records.push(loadedEntries(file, recorder.answers.get(file.text)!));
    t.equal(files.length, 12);
    t.match(stdout, `: ${records.flat().length.toLocaleString('en-US')} created, 0 updated, 0 refused\n`);
    t.equal(server.complaints(), '');
  });
  const all = records.flat();

  await t.test('every entry is readable with its text, token by token, and its references rewritten', async (t) => {
    const wrong = await mapInFlight(all, IN_FLIGHT, async ({ location, tokens }) => {
      const { status, headers, text } = await exchange.send('GET', location);
      const isSame = contentOf(tokensOf(text)) === contentOf(tokens);
      const { resourceType, id, meta } = JSON.parse(text);
      const isThere = status === 200 && headers.etag === 'W/"1"' && meta.versionId === '1';
      return isThere && isSame && `${resourceType}/${id}` === location ? [] : [{ location, status, isSame }];
    });
    t.strictSame(wrong.flat(), [], `${all.length} entries`);
  });

  await t.test('each type has as many resources as the files', async (t) => {
    for (const [type, found] of grouped(all, (entry) => [entry.type])) {
      const { text } = await exchange.send('GET', `${type}?_summary=count`);
      t.equal(JSON.parse(text).total, found.length, type);
    }
  });

  await t.test('Observations are found by every code, of one patient and of all', async (t) => {
    const searches = records.flatMap((record) => codeSearches(record, `patient=${patientOf(record)}&`));
    await checkSearches(t, exchange, [...searches, ...codeSearches(all, ''), ...codeSearches(all, '_count=7&')]);
  });

  await t.test('Observations are found by date, of one patient and of all', async (t) => {
    const searches = records.flatMap((record) =>
      dateSearches('Observation', `patient=${patientOf(record)}`, ofType(record, 'Observation'), 12),
    );
    const ofAll = dateSearches('Observation', '_count=100', ofType(all, 'Observation'), 120);
    await checkSearches(t, exchange, [...searches, ...ofAll]);
  });

  await t.test('Encounters, which are periods, are found by date', async (t) => {
    const searches = records.flatMap((record) =>
      dateSearches('Encounter', `_count=10&patient=${patientOf(record)}`, ofType(record, 'Encounter'), 3),
    );
    const overMidnight = ofType(all, 'Encounter').filter(({ resource }) => {
      const { lo, hi } = spanOf(resource);
      return dayOf(lo) !== dayOf(hi - 1);
    });
    t.ok(overMidnight.length > 0, `${overMidnight.length} Encounters go over midnight`);
    await checkSearches(t, exchange, searches);
  });

  await t.test('Conditions are found by patient and clinical status', async (t) => {
    const searches = records.flatMap((record) =>
      ['active', 'resolved', 'recurrence'].flatMap((status) => {
        const system = 'http://terminology.hl7.org/CodeSystem/condition-clinical';
        const found = ofType(record, 'Condition').filter(({ resource }) =>
          codesOf(resource.clinicalStatus).includes(`${system}|${status}`),
        );
        const criteria = `Condition?_count=3&patient=${patientOf(record)}&clinical-status=`;
        return [status, encodeURIComponent(`${system}|${status}`)].map((value) => ({
          search: criteria + value,
          found,
        }));
      }),
    );
    t.ok(searches.some(({ found }) => found.length > 3));
    await checkSearches(t, exchange, searches);
  });

  await t.test('the files of the store contain none of it in clear text', async (t) => {
    const codes = ofType(all, 'Observation').flatMap(({ resource }) => codesOf(resource.code));
    const identifying = ofType(all, 'Patient').flatMap(({ resource }) => {
      const { name, identifier } = resource as unknown as {
        name: { family: string }[];
        identifier: { value: string }[];
      };
      return [...name.map(({ family }) => family), ...identifier.map(({ value }) => value)];
    });
    const words = [...codes.map((code) => code.split('|')[1] ?? ''), ...identifying];
    const needles = [...new Set(words)].filter((word) => word.length >= 5);
    t.ok(needles.length > 100, `${needles.length} needles`);
    const searched = searchedFiles(folder, needles);
    t.strictSame(Object.fromEntries(searched.map(({ name, found }) => [name, found])), {
      'consilium.db': [],
      'consilium.db-shm': [],
      'consilium.db-wal': [],
    });
    t.ok(searched.reduce((sum, { bytes }) => sum + bytes, 0) > 2_000_000);
  });
});
