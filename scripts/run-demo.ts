/**
 * `npm run demo`: starts a server on a temporary store and runs the main job against it over HTTP: pushes a patient's
 * record, reads and searches it, updates it, and shows a refusal. Then it goes on serving until Ctrl-C, or ends at once
 * with `--exit`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import type { Bundle, DocumentReference, Observation, OperationOutcome, Patient } from '@medplum/fhirtypes';
import closeWithGrace from 'close-with-grace';
import { type RunningServer, startServer } from '../src/app.ts';
import { ConfigurationError, readConfig } from '../src/config.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures');
const CA_19_9 = 'http://loinc.org|24108-3';
const DISCHARGE_LETTER = 'http://loinc.org|18842-5';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly bytes: Buffer;
}

const print = (text = ''): void => void process.stdout.write(`${text}\n`);
const indented = (text: string): string => text.replace(/^/gm, '    ');
const fixture = (name: string): string => readFileSync(join(FIXTURES, name), 'utf8');

let step = 0;
const title = (text: string): void => print(`\n${styleText('bold', `${++step}. ${text}`)}`);

/** Sends a request and prints its line and status; fails if the status is not the expected one. */
const send = async (
  base: string,
  expected: number,
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> => {
  const started = performance.now();
  const url = path === '' ? base : `${base}/${path}`;
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/fhir+json' }), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const text = bytes.toString();
  const more = Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`);
  print(indented(`${method} ${decodeURIComponent(url)}${more.join('')}`));
  print(indented(`${response.status} ${response.statusText}, ${(performance.now() - started).toFixed(0)} ms`));
  if (response.status !== expected) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return { status: response.status, headers: response.headers, text, bytes };
};

const get = async <T>(base: string, path: string): Promise<T> => JSON.parse((await send(base, 200, 'GET', path)).text);

/** Numbers as they are written: `316.50` keeps its zero. */
const asWritten = (_key: string, value: unknown, { source }: { source?: string }): unknown =>
  typeof value === 'number' ? source : value;

const resourcesOf = <T>(bundle: Bundle): T[] => (bundle.entry ?? []).map(({ resource }) => resource as T);

const push = async (base: string): Promise<Patient> => {
  title("Push the patient's record: one transaction, all or nothing");
  const { text } = await send(base, 200, 'POST', '', fixture('second-opinion-request.json'));
  const response = JSON.parse(text) as Bundle;
  const counts = new Map<string, number>();
  for (const { resourceType } of resourcesOf<Patient>(response))
    counts.set(resourceType, (counts.get(resourceType) ?? 0) + 1);
  const list = [...counts].map(([type, count]) => `${count} ${type}`).join(', ');
  print(indented(`${response.entry?.length} entries, each ${response.entry?.[0]?.response?.status}: ${list}`));
  const patient = resourcesOf<Patient>(response).find(({ resourceType }) => resourceType === 'Patient');
  if (patient === undefined) throw new Error('The transaction created no Patient');
  return patient;
};

const readPatient = async (base: string, id: string): Promise<void> => {
  title('Read the Patient');
  const { text, headers } = await send(base, 200, 'GET', `Patient/${id}`);
  const { name, gender, birthDate, meta } = JSON.parse(text) as Patient;
  print(indented(`ETag: ${headers.get('etag')}`));
  print(indented(JSON.stringify({ meta, name, gender, birthDate }, null, 2)));
};

const searchLaboratory = async (base: string, id: string): Promise<Observation> => {
  title('Search the laboratory results by code and date: CA 19-9 since April');
  const query = new URLSearchParams({ patient: id, code: CA_19_9, date: 'ge2026-04-01' });
  const { text } = await send(base, 200, 'GET', `Observation?${query}`);
  const results = resourcesOf<Observation>(JSON.parse(text, asWritten as (key: string, value: unknown) => unknown));
  for (const { effectiveDateTime, code, valueQuantity } of results)
    print(indented(`${effectiveDateTime}  ${code?.text}  ${valueQuantity?.value} ${valueQuantity?.unit}`));
  const [first] = results;
  if (first === undefined) throw new Error('No laboratory results were found');
  return first;
};

const fetchDocument = async (base: string, id: string): Promise<void> => {
  title('Fetch the discharge letter, a PDF');
  const query = new URLSearchParams({ patient: id, type: DISCHARGE_LETTER });
  const [document] = resourcesOf<DocumentReference>(await get<Bundle>(base, `DocumentReference?${query}`));
  const url = document?.content?.[0]?.attachment?.url ?? '';
  const { headers, bytes } = await send(base, 200, 'GET', url);
  print(
    indented(
      `${headers.get('content-type')}, ${bytes.length} bytes, begins with ${bytes.subarray(0, 8).toString('latin1')}`,
    ),
  );
};

const updateOnce = async (base: string, { id, meta }: Observation): Promise<void> => {
  title('Amend a result: an update of exactly the version that was read, and the history it leaves');
  const { text } = await send(base, 200, 'GET', `Observation/${id}`);
  // By text, so that every digit stays as the laboratory wrote it.
  const amended = text.replace('"status":"final"', '"status":"amended"');
  const match = { 'if-match': `W/"${meta?.versionId}"` };
  await send(base, 200, 'PUT', `Observation/${id}`, amended, match);
  const history = await get<Bundle>(base, `Observation/${id}/_history`);
  for (const { resource, response } of history.entry ?? []) {
    const { status, meta: stamp } = resource as Observation;
    print(indented(`version ${stamp?.versionId}  ${response?.lastModified}  status ${status}`));
  }
  print(indented('The same update once more is of a version that is no longer current:'));
  await send(base, 412, 'PUT', `Observation/${id}`, amended.replace('amended', 'corrected'), match);
};

const refuse = async (base: string): Promise<void> => {
  title('An invalid push is refused, with every fault named, and nothing is stored');
  const { text } = await send(base, 400, 'POST', 'Patient', fixture('patient-invalid.json'));
  for (const { diagnostics } of (JSON.parse(text) as OperationOutcome).issue ?? []) print(indented(`- ${diagnostics}`));
};

const runSteps = async (base: string): Promise<void> => {
  const patient = await push(base);
  const id = patient.id ?? '';
  await readPatient(base, id);
  const result = await searchLaboratory(base, id);
  await fetchDocument(base, id);
  await updateOnce(base, result);
  await refuse(base);
};

const IS_EMBEDDED = ['sqlite', undefined].includes(process.env['CONSILIUM_STORE']);
const HAS_KEY = ['CONSILIUM_STORE_KEY', 'CONSILIUM_STORE_KEY_FILE'].some((name) => process.env[name] !== undefined);

/** On the configured port; if none is configured and the usual one is taken, on a free one. */
const start = async (folder: string): Promise<RunningServer> => {
  const environment = {
    CONSILIUM_LOG_LEVEL: 'error',
    // A MongoDB gives no place for a key; that of a demo is for its page links alone.
    ...(IS_EMBEDDED || HAS_KEY ? {} : { CONSILIUM_STORE_KEY: randomBytes(32).toString('hex') }),
    ...process.env,
    CONSILIUM_DATA: folder,
    // The demo speaks to itself.
    CONSILIUM_BASE_URL: undefined,
  };
  try {
    return await startServer(readConfig(environment));
  } catch (error) {
    if (!(error instanceof ConfigurationError) || process.env['CONSILIUM_PORT'] !== undefined) throw error;
    return startServer(readConfig({ ...environment, CONSILIUM_PORT: '0' }));
  }
};

const { values } = parseArgs({ options: { exit: { type: 'boolean', default: false } } });
const folder = mkdtempSync(join(tmpdir(), 'consilium-demo-'));
try {
  const server = await start(folder);
  const close = async (): Promise<void> => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const place = IS_EMBEDDED ? `with a temporary store in ${folder}` : 'on the MongoDB of CONSILIUM_STORE';
  print(`Consilium is ready at ${server.baseUrl}, ${place}`);
  try {
    await runSteps(server.baseUrl);
  } catch (error) {
    await close();
    throw error;
  }
  if (values.exit) {
    await close();
  } else {
    closeWithGrace({ logger: false }, close);
    const end = IS_EMBEDDED ? 'the store is deleted then' : 'the record stays in its database';
    print(`\nServing ${server.baseUrl} until Ctrl-C; ${end}.`);
  }
} catch (error) {
  rmSync(folder, { recursive: true, force: true });
  process.stderr.write(`${error instanceof ConfigurationError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
