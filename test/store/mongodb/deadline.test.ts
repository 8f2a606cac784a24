/** A database that is slow, or does not answer at all. */
import { performance } from 'node:perf_hooks';
import { type Test, test } from 'tap';
import { FhirError } from '../../../src/fhir/fhir-error.ts';
import type { Store } from '../../../src/store/store.ts';
import { created, resourceOf, searchOf, token, updated, withToken } from '../contract/resources.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { openInstance, temporaryDatabase, WITHOUT_MONGODB } from './temporary-store.ts';

const patient = (id: string, content = 0) => resourceOf('Patient', id, `"content":${content}`);

const openBehindProxy = async (t: Test, more: Parameters<typeof openInstance>[2]) => {
  const { url, database } = temporaryDatabase(t);
  const proxy = await startFaultProxy(t, url);
  return { proxy, store: await openInstance(t, { url: proxy.url, database }, more) };
};

const one = searchOf('Patient', [withToken('code', 'x')]);

const TO_ANY = { direction: 'forward', type: undefined, param: undefined, target: undefined, iterates: false } as const;

/** One of each kind of request. */
const REQUESTS: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  read: (store) => store.read(patient('a')),
  search: (store) => store.search(one),
  count: (store) => store.count(one),
  history: (store) => store.history({ type: 'Patient' }, { count: 10 }),
  related: (store) => store.related([patient('a')], [TO_ANY], 10),
  'single write': (store) => store.commit([updated(patient('a', 1))]),
  transaction: (store) => store.commit([updated(patient('a', 2)), updated(patient('b', 2))]),
  'conditional write': (store) => store.commit([created(patient('c'))], [{ query: one, found: [] }]),
  record: (store) => store.records.put('a', '1'),
  readiness: (store) => store.commit([]),
};

test('a database that does not answer is answered with 503 in time, and used again when it does', {
  skip: WITHOUT_MONGODB,
  timeout: 120_000,
}, async (t) => {
  const { proxy, store } = await openBehindProxy(t, { deadlineMilliseconds: 1000 });
  await store.commit([created(patient('a')), created(patient('b'))]);
  proxy.slowDown(Number.POSITIVE_INFINITY);
  await Promise.all(
    Object.entries(REQUESTS).map(async ([name, request]) => {
      const start = performance.now();
      const error = await request(store).catch((thrown: unknown) => thrown);
      const milliseconds = performance.now() - start;
      t.match(error, { name: 'FhirError', status: 503, headers: { 'retry-after': /\d+/ } }, name);
      t.ok(milliseconds < 2500, `${name}: ${milliseconds} ms`);
    }),
  );
  proxy.slowDown(0);
  const end = performance.now() + 30_000;
  const isBack = async (): Promise<boolean> => (await store.read(patient('a')).catch(() => undefined)) !== undefined;
  while (!(await isBack()) && performance.now() < end);
  for (const [name, request] of Object.entries(REQUESTS))
    t.notOk((await request(store).catch((thrown: unknown) => thrown)) instanceof FhirError, name);
});

test('under more load than a slow database takes every request is answered, with 503 if need be', {
  skip: WITHOUT_MONGODB,
  timeout: 120_000,
}, async (t) => {
  const { proxy, store } = await openBehindProxy(t, {
    deadlineMilliseconds: 2000,
    transactionGate: { concurrent: 2, queue: 50 },
  });
  proxy.slowDown(50);
  const start = performance.now();
  const results = await Promise.allSettled(
    Array.from({ length: 400 }, (_, at) => {
      if (at % 4 === 0) return store.read(patient(`p${at}`));
      if (at % 4 === 1) return store.search(one);
      if (at % 4 === 2) return store.commit([created(patient(`p${at}`), [token('code', 'y')])]);
      return store.commit([created(patient(`p${at}`)), created(patient(`q${at}`))]);
    }),
  );
  t.ok(performance.now() - start < 6000);
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  t.ok(failures.length > 0 && failures.length < 300, `${failures.length} were refused`);
  t.same([...new Set(failures.map((error) => (error instanceof FhirError ? error.status : String(error))))], [503]);
  proxy.slowDown(0);
  const stored = results.flatMap((result, at) => (at % 4 > 1 && result.status === 'fulfilled' ? [`p${at}`] : []));
  for (const id of stored) t.ok(await store.read(patient(id)), `${id} was acknowledged`);
});

test('no more requests are kept than may wait: what comes above that is refused at once', {
  skip: WITHOUT_MONGODB,
  timeout: 120_000,
}, async (t) => {
  const { proxy, store } = await openBehindProxy(t, {
    deadlineMilliseconds: 3000,
    transactionGate: { concurrent: 2, queue: 20 },
    readQueue: 20,
  });
  proxy.slowDown(Number.POSITIVE_INFINITY);
  const many = [...Array(200).keys()];
  const kinds: Readonly<Record<string, (at: number) => Promise<unknown>>> = {
    reads: () => store.read(patient('a')),
    searches: () => store.search(one),
    'single writes': (at) => store.commit([created(patient(`single${at}`))]),
    transactions: (at) => store.commit([created(patient(`a${at}`)), created(patient(`b${at}`))]),
  };
  for (const [name, request] of Object.entries(kinds)) {
    const start = performance.now();
    let refused = 0;
    const answers = many.map((at) =>
      request(at).catch((error: unknown) => {
        t.match(error, { name: 'FhirError', status: 503 });
        if (performance.now() - start < 1000) refused++;
      }),
    );
    await Promise.all(answers);
    t.ok(refused >= many.length - 22, `${name}: ${refused} were refused at once`);
  }
  proxy.slowDown(0);
});
