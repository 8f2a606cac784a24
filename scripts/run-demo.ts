/**
 * `npm run demo`: starts a server on a temporary store and runs the main job against it over HTTP: a hospital's system gets
 * a token and pushes a patient's record, reads and searches it, amends it; the patient's app is launched, and reads what is the
 * patient's. Then it goes on serving until Ctrl-C, or ends at once with `--exit`.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle, DocumentReference, Observation, OperationOutcome, Patient } from '@medplum/fhirtypes';
import closeWithGrace from 'close-with-grace';
import { type RunningServer, startServer } from '../src/app.ts';
import { requestToken } from '../src/commands/backend-token.ts';
import { ConfigurationError, readConfig } from '../src/config.ts';
import { optionsOf } from './command-line.ts';
import { APP_SCOPES, launchApp, REDIRECT_URI, useApp } from './run-demo/patient-app.ts';
import { print, printIndented, send, sendForJson, title } from './run-demo/report.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures');
const CLI = join(import.meta.dirname, '..', 'src', 'cli.ts');
const IS_EMBEDDED = ['sqlite', undefined].includes(process.env['CONSILIUM_STORE']);
/** A database may have the client and the user of an earlier demo. */
const SUFFIX = IS_EMBEDDED ? '' : `-${randomBytes(3).toString('hex')}`;
const SYSTEM = `st-anna${SUFFIX}`;
const LOGIN = `isabel${SUFFIX}`;
const CA_19_9 = 'http://loinc.org|24108-3';
const DISCHARGE_LETTER = 'http://loinc.org|18842-5';

type Environment = Readonly<Record<string, string | undefined>>;

const fixture = (name: string): string => readFileSync(join(FIXTURES, name), 'utf8');

/** Numbers as they are written: `316.50` keeps its zero. */
const asWritten = (_key: string, value: unknown, { source }: { source?: string }): unknown =>
  typeof value === 'number' ? source : value;

const resourcesOf = <T>(bundle: Bundle): T[] => (bundle.entry ?? []).map(({ resource }) => resource as T);

/** Runs a command of the operator's, as from a terminal; fails if it does. */
const consilium = (environment: Environment, options: readonly string[], input = ''): Promise<string> =>
  new Promise((resolve, reject) => {
    const shown = options.map((option) => (/[\s*]/.test(option) ? `'${option}'` : option)).join(' ');
    printIndented(`npx consilium ${shown}`);
    const child = execFile(process.execPath, [CLI, ...options], { env: { ...environment } }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(stderr || error.message)),
    );
    child.stdin?.end(input);
  });

interface Demo {
  readonly base: string;
  readonly folder: string;
  readonly environment: Environment;
}

/** The hospital's system and the patient's app; answers the app's client_id. */
const registerClients = async ({ folder, environment }: Demo): Promise<string> => {
  title("Register the hospital's system, with its key, and an app of patients");
  const [key, jwks] = [join(folder, 'hospital.key.json'), join(folder, 'hospital.jwks.json')];
  await consilium(environment, ['clients', 'key', '--private', key, '--jwks', jwks]);
  const name = ['clients', 'add', '--id', SYSTEM, '--name', 'St. Anna hospital', '--kind', 'backend'];
  const rights = ['--scope', 'system/*.cruds', '--organization', 'Organization/st-anna', '--purpose', 'TREAT'];
  await consilium(environment, [...name, ...rights, '--jwks', jwks]);
  const app = ['clients', 'add', '--name', 'My records', '--kind', 'public', '--scope', APP_SCOPES];
  const more = [
    '--redirect',
    REDIRECT_URI,
    '--organization',
    'Organization/my-records',
    '--purpose',
    'PATRQT',
    '--json',
  ];
  return (JSON.parse(await consilium(environment, [...app, ...more])) as { client_id: string }).client_id;
};

const tokenOfHospital = async ({ base, folder }: Demo): Promise<string> => {
  title('The system gets a token: SMART Backend Services, an assertion signed with its key');
  const key = join(folder, 'hospital.key.json');
  const { accessToken, expires } = await requestToken({ base, client: SYSTEM, key, scope: 'system/*.cruds' });
  printIndented(`${accessToken.slice(0, 12)}..., for ${Math.round((expires - Date.now()) / 1000)} s`);
  return accessToken;
};

const push = async (base: string, token: string): Promise<Patient> => {
  title("Push the patient's record: one transaction, all or nothing");
  const { text } = await send(200, 'POST', base, { token, body: fixture('second-opinion-request.json') });
  const response = JSON.parse(text) as Bundle;
  const counts = new Map<string, number>();
  for (const { resourceType } of resourcesOf<Patient>(response))
    counts.set(resourceType, (counts.get(resourceType) ?? 0) + 1);
  const list = [...counts].map(([type, count]) => `${count} ${type}`).join(', ');
  printIndented(`${response.entry?.length} entries, each ${response.entry?.[0]?.response?.status}: ${list}`);
  const patient = resourcesOf<Patient>(response).find(({ resourceType }) => resourceType === 'Patient');
  if (patient === undefined) throw new Error('The transaction created no Patient');
  return patient;
};

const readPatient = async (base: string, token: string, id: string): Promise<void> => {
  title('Read the Patient');
  const { text, headers } = await send(200, 'GET', `${base}/Patient/${id}`, { token });
  const { name, gender, birthDate, meta } = JSON.parse(text) as Patient;
  printIndented(`ETag: ${headers.get('etag')}`);
  printIndented(JSON.stringify({ meta, name, gender, birthDate }, null, 2));
};

const searchLaboratory = async (base: string, token: string, id: string): Promise<Observation> => {
  title('Search the laboratory results by code and date: CA 19-9 since April');
  const query = new URLSearchParams({ patient: id, code: CA_19_9, date: 'ge2026-04-01' });
  const { text } = await send(200, 'GET', `${base}/Observation?${query}`, { token });
  const results = resourcesOf<Observation>(JSON.parse(text, asWritten as (key: string, value: unknown) => unknown));
  for (const { effectiveDateTime, code, valueQuantity } of results)
    printIndented(`${effectiveDateTime}  ${code?.text}  ${valueQuantity?.value} ${valueQuantity?.unit}`);
  const [first] = results;
  if (first === undefined) throw new Error('No laboratory results were found');
  return first;
};

const fetchDocument = async (base: string, token: string, id: string): Promise<void> => {
  title('Fetch the discharge letter, a PDF');
  const query = new URLSearchParams({ patient: id, type: DISCHARGE_LETTER });
  const found = await sendForJson<Bundle>('GET', `${base}/DocumentReference?${query}`, { token });
  const url = resourcesOf<DocumentReference>(found)[0]?.content?.[0]?.attachment?.url ?? '';
  const { headers, bytes } = await send(200, 'GET', `${base}/${url}`, { token });
  const beginning = bytes.subarray(0, 8).toString('latin1');
  printIndented(`${headers.get('content-type')}, ${bytes.length} bytes, begins with ${beginning}`);
};

const updateOnce = async (base: string, token: string, { id, meta, status }: Observation): Promise<void> => {
  title('Amend a result: an update of exactly the version that was read, and the history it leaves');
  const url = `${base}/Observation/${id}`;
  const { text } = await send(200, 'GET', url, { token });
  // By text, so that every digit stays as the laboratory wrote it.
  // A database may have the result of an earlier demo.
  const next = status === 'amended' ? 'corrected' : 'amended';
  const amended = text.replace(`"status":"${status}"`, `"status":"${next}"`);
  const headers = { 'if-match': `W/"${meta?.versionId}"` };
  await send(200, 'PUT', url, { token, body: amended, headers });
  const history = await sendForJson<Bundle>('GET', `${url}/_history`, { token });
  for (const { resource, response } of history.entry ?? []) {
    const { status: then, meta: stamp } = resource as Observation;
    printIndented(`version ${stamp?.versionId}  ${response?.lastModified}  status ${then}`);
  }
  printIndented('The same update once more is of a version that is no longer current:');
  await send(412, 'PUT', url, { token, body: amended.replace(`"status":"${next}"`, '"status":"final"'), headers });
};

const refuse = async (base: string, token: string): Promise<void> => {
  title('An invalid push is refused, with every fault named, and nothing is stored');
  const { text } = await send(400, 'POST', `${base}/Patient`, { token, body: fixture('patient-invalid.json') });
  for (const { diagnostics } of (JSON.parse(text) as OperationOutcome).issue ?? []) printIndented(`- ${diagnostics}`);
};

/** Answers the login and password of the patient. */
const addPatientUser = async ({ environment }: Demo, id: string) => {
  title('The patient gets an account');
  const password = randomBytes(12).toString('base64url');
  const user = ['users', 'add', '--login', LOGIN, '--fhir-user', `Patient/${id}`, '--role', 'patient'];
  await consilium(environment, [...user, '--password-stdin'], `${password}\n`);
  return { login: LOGIN, password };
};

const runSteps = async (demo: Demo) => {
  const { base } = demo;
  const clientId = await registerClients(demo);
  const token = await tokenOfHospital(demo);
  const patient = await push(base, token);
  const id = patient.id ?? '';
  await readPatient(base, token, id);
  const result = await searchLaboratory(base, token, id);
  await fetchDocument(base, token, id);
  await updateOnce(base, token, result);
  await refuse(base, token);
  const user = await addPatientUser(demo, id);
  await useApp(base, await launchApp({ base, clientId, ...user }), id);
  return user;
};

const HAS_KEY = ['CONSILIUM_STORE_KEY', 'CONSILIUM_STORE_KEY_FILE'].some((name) => process.env[name] !== undefined);

const environmentOf = (folder: string): Environment => ({
  CONSILIUM_LOG_LEVEL: 'error',
  // A MongoDB gives no place for a key; that of a demo protects nothing, and is the same the next time.
  ...(IS_EMBEDDED || HAS_KEY ? {} : { CONSILIUM_STORE_KEY: 'd'.repeat(64) }),
  ...process.env,
  CONSILIUM_ACCESS: 'smart',
  CONSILIUM_DATA: folder,
  // The demo speaks to itself.
  CONSILIUM_BASE_URL: undefined,
});

/** On the configured port; if none is configured and the usual one is taken, on a free one. */
const start = async (environment: Environment): Promise<RunningServer> => {
  try {
    return await startServer(readConfig(environment));
  } catch (error) {
    if (!(error instanceof ConfigurationError) || process.env['CONSILIUM_PORT'] !== undefined) throw error;
    return startServer(readConfig({ ...environment, CONSILIUM_PORT: '0' }));
  }
};

const values = optionsOf({ exit: { type: 'boolean', default: false } });
const folder = mkdtempSync(join(tmpdir(), 'consilium-demo-'));
try {
  const environment = environmentOf(folder);
  const server = await start(environment);
  const base = server.baseUrl;
  const close = async (): Promise<void> => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const place = IS_EMBEDDED ? `with a temporary store in ${folder}` : 'on the MongoDB of CONSILIUM_STORE';
  print(`Consilium is ready at ${base}, ${place}`);
  let user: Awaited<ReturnType<typeof runSteps>>;
  try {
    user = await runSteps({ base, folder, environment });
  } catch (error) {
    await close();
    throw error;
  }
  if (values.exit) {
    await close();
  } else {
    closeWithGrace({ logger: false }, close);
    const end = IS_EMBEDDED ? 'the store is deleted then' : 'the record stays in its database';
    print(`\nServing ${base} until Ctrl-C; ${end}. Meanwhile:`);
    printIndented(
      `TOKEN=$(npx consilium token --base ${base} --client ${SYSTEM} --key ${join(folder, 'hospital.key.json')})`,
    );
    printIndented(`curl -H "Authorization: Bearer $TOKEN" '${base}/Patient'`);
    printIndented(
      `${new URL(base).origin}/auth/manage in a browser, as ${user.login} with the password ${user.password}`,
    );
  }
} catch (error) {
  rmSync(folder, { recursive: true, force: true });
  process.stderr.write(`${error instanceof ConfigurationError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
