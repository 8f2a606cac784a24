/** Four servers, each a process of its own, on one database. */
import type { Bundle, Patient } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { type ServerProcess, startServerProcess } from '../../http/server-process.ts';
import { temporaryFolder } from '../../http/test-server.ts';
import { temporaryDatabase, WITHOUT_MONGODB } from './temporary-store.ts';

const SERVERS = 4;
const CREATES = 1000;
const IN_FLIGHT = 32;
const SYSTEM = 'urn:four-processes';
const FHIR_JSON = { 'content-type': 'application/fhir+json' };

const openDatabase = (t: Test): Readonly<Record<string, string>> => {
  const { url, database } = temporaryDatabase(t);
  const place = new URL(url);
  place.pathname = `/${database}`;
  return {
    CONSILIUM_STORE: place.href,
    CONSILIUM_STORE_KEY: '6'.repeat(64),
    CONSILIUM_DATA: temporaryFolder(t),
    CONSILIUM_LEAVE_SECONDS: '1',
  };
};

const startServers = async (t: Test) => {
  const environment = openDatabase(t);
  const start = (): ServerProcess => startServerProcess(t, environment);
  const servers = Array.from({ length: SERVERS }, start);
  return { start, servers, bases: await Promise.all(servers.map(({ ready }) => ready)) };
};

const send = (method: string, url: string, body?: object, headers: Readonly<Record<string, string>> = {}) =>
  fetch(url, {
    method,
    headers: { ...FHIR_JSON, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** Runs `action` for each number, with at most `IN_FLIGHT` under way. */
const each = async <T>(count: number, action: (at: number) => Promise<T>): Promise<T[]> => {
  const results: T[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) results[at] = await action(at);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return results;
};

const countOf = (statuses: readonly number[]): Record<number, number> =>
  Object.fromEntries([...Map.groupBy(statuses, (status) => status)].map(([status, all]) => [status, all.length]));

test('Four servers on one MongoDB', { skip: WITHOUT_MONGODB }, async (t) => {
  const { start, servers, bases } = await startServers(t);
  const base = (at: number): string => bases[at % SERVERS] as string;

  await t.test('1,000 parallel conditional creates leave one resource', async (t) => {
    const body = { resourceType: 'Patient', identifier: [{ system: SYSTEM, value: 'one' }] };
    const answers = await each(CREATES, (at) =>
      send('POST', `${base(at)}/Patient`, body, { 'if-none-exist': `identifier=${SYSTEM}|one` }),
    );
    t.same(countOf(answers.map(({ status }) => status)), { 201: 1, 200: CREATES - 1 });
    const found = (await (
      await send('GET', `${base(0)}/Patient?identifier=${SYSTEM}|one&_total=accurate`)
    ).json()) as Bundle;
    t.equal(found.total, 1);
  });

  await t.test('of parallel updates of one version one is made, and no version is left out', async (t) => {
    const { id } = (await (await send('POST', `${base(0)}/Patient`, { resourceType: 'Patient' })).json()) as Patient;
    for (let version = 1; version <= 5; version++) {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, at) => {
          const body = { resourceType: 'Patient', id, multipleBirthInteger: version * 100 + at };
          return send('PUT', `${base(at)}/Patient/${id}`, body, { 'if-match': `W/"${version}"` });
        }),
      );
      t.same(countOf(answers.map(({ status }) => status)), { 200: 1, 412: 11 });
    }
    const history = (await (await send('GET', `${base(3)}/Patient/${id}/_history`)).json()) as Bundle;
    t.same(
      history.entry?.map(({ resource }) => resource?.meta?.versionId),
      ['6', '5', '4', '3', '2', '1'],
    );
  });

  await t.test('what all of them create is shown once, on pages of any of them', async (t) => {
    const made = await each(200, async (at) => {
      const answer = await send('POST', `${base(at)}/Basic`, { resourceType: 'Basic', code: { text: `${at}` } });
      return ((await answer.json()) as { id: string }).id;
    });
    const shown: string[] = [];
    let page = 0;
    for (let next: string | undefined = 'Basic?_count=7'; next !== undefined; page++) {
      const query: string = next.slice(next.indexOf('Basic?'));
      const bundle = (await (await send('GET', `${base(page)}/${query}`)).json()) as Bundle;
      shown.push(...(bundle.entry ?? []).map(({ resource }) => resource?.id ?? ''));
      next = bundle.link?.find(({ relation }) => relation === 'next')?.url;
    }
    t.same([...shown].sort(), [...made].sort(), 'a page link of one server is good on another');
  });

  await t.test('a rolling restart fails no request', async (t) => {
    const isOpen = servers.map(() => true);
    const failures: string[] = [];
    let requests = 0;
    let isOver = false;
    const work = async (worker: number): Promise<void> => {
      for (let turn = worker; !isOver; turn++) {
        const at = turn % SERVERS;
        // As a load balancer does that asks for readiness.
        if (!isOpen[at]) continue;
        requests++;
        const body = { resourceType: 'Basic', code: { text: `${worker} ${turn}` } };
        const answer = await send('POST', `${base(at)}/Basic`, body).catch((error: Error) => error);
        if (answer instanceof Error || answer.status !== 201)
          failures.push(String(answer instanceof Error ? answer.cause : answer.status));
      }
    };
    const workers = [0, 1, 2, 3].map(work);
    for (const [at, server] of servers.entries()) {
      isOpen[at] = false;
      server.signal('SIGTERM');
      t.equal((await server.ended).code, 0);
      const again = start();
      servers[at] = again;
      bases[at] = await again.ready;
      t.equal((await send('GET', `${new URL(base(at)).origin}/readyz`)).status, 200);
      isOpen[at] = true;
    }
    isOver = true;
    await Promise.all(workers);
    t.same(failures, []);
    t.ok(requests > 20, `${requests} requests`);
  });
});
