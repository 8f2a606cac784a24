import { setTimeout as pause } from 'node:timers/promises';
import type { Bundle, Task } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { type ServerProcess, startServerProcess } from '../http/server-process.ts';
import { temporaryFolder } from '../http/test-server.ts';
import { MAIDEN, patientBorn } from './resources.ts';

const PATIENTS = 2000;
const BUNDLE_PATIENTS = 500;

interface Running {
  readonly process: ServerProcess;
  readonly base: string;
}

const start = async (t: Test, folder: string): Promise<Running> => {
  const process = startServerProcess(t, { CONSILIUM_DATA: folder, CONSILIUM_STORE_KEY: '9'.repeat(64) });
  return { process, base: await process.ready };
};

const send = (method: string, url: string, body?: object): Promise<Response> =>
  fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/fhir+json' } }),
  });

const load = async (base: string): Promise<void> => {
  for (let at = 0; at < PATIENTS; at += BUNDLE_PATIENTS) {
    const entry = Array.from({ length: BUNDLE_PATIENTS }, (_, position) => ({
      resource: patientBorn(`Family ${at + position}`),
      request: { method: 'POST', url: 'Patient' },
    }));
    const answer = await send('POST', base, { resourceType: 'Bundle', type: 'transaction', entry });
    if (answer.status !== 200) throw new Error(await answer.text());
    await answer.text();
  }
};

const task = async (base: string): Promise<Task> => (await send('GET', `${base}/$reindex`)).json() as Promise<Task>;

const indexedOf = ({ output }: Task): number => output?.[0]?.valueUnsignedInt ?? -1;

const found = async (base: string, search: string): Promise<number | undefined> =>
  ((await (await send('GET', `${base}/${search}&_summary=count`)).json()) as Bundle).total;

/** Kills the server in the middle of its job, when it has indexed more than `more` resources; returns how many it has. */
const killInTheMiddle = async ({ process, base }: Running, more: number): Promise<number> => {
  for (;;) {
    const now = await task(base);
    if (now.status !== 'in-progress') throw new Error(`The job was ${now.status} before it could be interrupted`);
    if (indexedOf(now) > more) {
      process.signal('SIGKILL');
      await process.ended;
      return indexedOf(now);
    }
    await pause(2);
  }
};

test('a $reindex that is interrupted by kill -9, twice, finishes after the restart', async (t) => {
  const folder = temporaryFolder(t);
  const first = await start(t, folder);
  await load(first.base);
  await (await send('PUT', `${first.base}/SearchParameter/maiden`, MAIDEN)).text();
  const begun = (await (await send('POST', `${first.base}/$reindex`)).json()) as Task;
  t.equal(begun.output?.[1]?.valueUnsignedInt, PATIENTS);
  const atFirst = await killInTheMiddle(first, 400);
  t.ok(atFirst < PATIENTS, `killed after ${atFirst} of ${PATIENTS}`);

  const second = await start(t, folder);
  const resumed = await task(second.base);
  t.equal(resumed.id, begun.id, 'it is the same job');
  t.ok(indexedOf(resumed) >= atFirst, `it went on at ${indexedOf(resumed)}, and did not begin again`);
  t.equal((await send('GET', `${second.base}/Patient?maiden=family`)).status, 503);
  const late = await send('POST', `${second.base}/Patient`, patientBorn('Family late'));
  t.equal(late.status, 201, 'writes are taken');
  await late.text();
  const atSecond = await killInTheMiddle(second, 1000);
  t.ok(atSecond < PATIENTS, `killed after ${atSecond}`);

  const third = await start(t, folder);
  let last = await task(third.base);
  while (last.status === 'in-progress') {
    await pause(20);
    last = await task(third.base);
  }
  t.match(last, { id: begun.id, status: 'completed' });
  t.equal(await found(third.base, 'Patient?maiden=family'), PATIENTS + 1);
  t.equal(await found(third.base, 'Patient?maiden=official'), 0);
  const history = (await (
    await send('GET', `${third.base}/Patient/_history?_count=1&_summary=count`)
  ).json()) as Bundle;
  t.ok(history.total === undefined || history.total === PATIENTS + 1, 'no versions were made');
  third.process.signal('SIGTERM');
  t.equal((await third.process.ended).code, 0);
});
