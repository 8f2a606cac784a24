import type { Bundle, BundleEntry } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { createFhirServer } from '../../../src/app.ts';
import { readConfig } from '../../../src/config.ts';
import { WITHOUT_MONGODB } from './temporary-store.ts';
import { openWatchedStore } from './watched-store.ts';

const BASE = 'http://localhost/fhir';
const SYSTEM = 'urn:mrn';

/** A server on a store whose commands are counted, without anything that it does by itself. */
const openWatchedServer = async (t: Test) => {
  const { store, sentBy } = await openWatchedStore(t);
  const config = readConfig({ CONSILIUM_STORE_KEY: '7'.repeat(64), CONSILIUM_ACCESS: 'open' });
  const server = createFhirServer(config, store, BASE);
  const answers: Bundle[] = [];
  /** The statuses of the entries of a transaction, each once, and the commands that it cost. */
  const transact = async (entry: readonly BundleEntry[]) => {
    const body = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry });
    const sent = await sentBy(async () => {
      const answer = await server.answer({ method: 'POST', path: '', query: '', headers: {}, body });
      answers.push(JSON.parse(`${answer.body}`));
    });
    const statuses = new Set(answers.at(-1)?.entry?.map(({ response }) => response?.status));
    return { statuses: [...statuses].sort(), sent };
  };
  return { transact };
};

const hundred = Array.from({ length: 100 }, (_, at) => at);

const identifier = (value: string) => [{ system: SYSTEM, value }];
const criteria = (value: string) => `identifier=${SYSTEM}|${value}`;

const patientUnless = (value: string, more = ''): BundleEntry => ({
  resource: { resourceType: 'Patient', identifier: identifier(value), birthDate: '1970-01-01' },
  request: { method: 'POST', url: 'Patient', ifNoneExist: `${criteria(value)}${more}` },
});

const observationOf = (value: string): BundleEntry => ({
  resource: {
    resourceType: 'Observation',
    status: 'final',
    code: { text: 'x' },
    subject: { reference: `Patient?${criteria(value)}` },
  },
  request: { method: 'POST', url: 'Observation' },
});

const practitionerPut = (value: string): BundleEntry => ({
  resource: { resourceType: 'Practitioner', identifier: identifier(value), active: true },
  request: { method: 'PUT', url: `Practitioner?${criteria(value)}` },
});

test('MongoDB: a transaction of 100 conditions is at most 12 commands', { skip: WITHOUT_MONGODB }, async (t) => {
  const { transact } = await openWatchedServer(t);
  const check = async (name: string, statuses: readonly string[], entries: readonly BundleEntry[]): Promise<void> => {
    const { statuses: found, sent } = await transact(entries);
    t.same(found, statuses, name);
    t.comment(`${name}: ${sent.length} commands: ${sent.join()}`);
    t.ok(sent.length <= 12, `${name}: ${sent.length} commands: ${sent.join()}`);
  };

  await check(
    '100 ifNoneExist that find nothing',
    ['201 Created'],
    hundred.map((at) => patientUnless(`a${at}`)),
  );
  await check(
    '100 ifNoneExist that find one each',
    ['200 OK'],
    hundred.map((at) => patientUnless(`a${at}`)),
  );
  await check(
    '50 that find nothing, 50 that find one',
    ['200 OK', '201 Created'],
    hundred.map((at) => patientUnless(`a${at + 50}`)),
  );
  await check(
    '100 conditional references',
    ['201 Created'],
    hundred.map((at) => observationOf(`a${at}`)),
  );
  await check(
    '100 conditional updates that create',
    ['201 Created'],
    hundred.map((at) => practitionerPut(`p${at}`)),
  );
  await check(
    'a mixture',
    ['200 OK', '201 Created'],
    hundred.map((at) => {
      const kinds = [patientUnless(`a${at * 2}`), observationOf(`a${at}`), practitionerPut(`p${at + 50}`)];
      return kinds[at % 3] as BundleEntry;
    }),
  );
});
