/** Two processes with one store, as two parts of this one. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { loadSearchParameters } from '../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { resourceText } from '../../src/fhir/resource-text.ts';
import { createIndexGate } from '../../src/reindex/index-gate.ts';
import { createReindexing } from '../../src/reindex/reindexing.ts';
import { createExtractor } from '../../src/search/extract.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../http/test-server.ts';
import { MAIDEN, patientBorn } from './resources.ts';

const structures = loadStructures();
const REFRESH_MILLISECONDS = 60;

const openStore = async (t: Test): Promise<Store> => {
  const store = await openSqliteStore({
    ...{
      path: join(temporaryFolder(t), 'test.db'),
      key: Buffer.alloc(32, 7),
      checkBytes: 0,
      readCacheBytes: 2 ** 20,
      searchPool: { quickThreads: 1, slowThreads: 1, quickMilliseconds: 25, queue: 1000 },
    },
    searchLimits: { milliseconds: 10_000, rows: 1_000_000 },
  });
  t.teardown(() => store.close());
  return store;
};

const startProcess = async (t: Test, store: Store) => {
  const parameters = loadSearchParameters();
  const gate = createIndexGate(store, parameters);
  const extract = gate.watched(createExtractor(structures, parameters, 'http://localhost/fhir'));
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const reindexing = createReindexing({
    ...{ gate, parameters, structures, offered: [], extract, extractor: '1', log, now: Date.now, newId: randomUUID },
    refreshMilliseconds: REFRESH_MILLISECONDS,
  });
  t.teardown(reindexing.close);
  await reindexing.start();
  return {
    reindexing,
    write: (id: string) => {
      const patient = { ...patientBorn('A'), id };
      const resource = resourceText(JSON.stringify(patient), 'Patient', id);
      return gate.store.commit([{ kind: 'create', resource, entries: extract(patient) }]);
    },
    state: () => {
      const parameter = parameters.of('Patient').get('maiden');
      return parameter === undefined ? 'unknown' : parameter.isIndexing ? 'indexing' : 'ready';
    },
  };
};

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await pause(5);
};

const found = (store: Store): Promise<number> => {
  const clause = { kind: 'string', param: 'maiden', match: 'starts', values: ['a'] } as const;
  return store.count({ searches: [{ type: 'Patient', clauses: [clause] }], sort: [], count: 0 });
};

test('a job waits until every process indexes by the new parameters, and all learn that it is done', async (t) => {
  const store = await openStore(t);
  const one = await startProcess(t, store);
  const other = await startProcess(t, store);
  await other.write('before');
  await one.reindexing.request({ types: [], only: MAIDEN });
  t.equal(one.state(), 'indexing');
  await until(() => other.state() === 'indexing');
  t.equal((await one.reindexing.status())?.indexed, 0, 'it has not begun to walk');
  await other.write('meanwhile');
  await until(() => one.state() === 'ready' && other.state() === 'ready');
  t.equal(await found(store), 2);
});

test('a job whose process is gone is taken over', async (t) => {
  const store = await openStore(t);
  const one = await startProcess(t, store);
  const other = await startProcess(t, store);
  await one.write('a');
  await one.reindexing.request({ types: [], only: MAIDEN });
  await one.reindexing.close();
  t.equal((await one.reindexing.status())?.status, 'in-progress');
  await until(async () => (await other.reindexing.status())?.status === 'completed');
  t.equal(other.state(), 'ready');
  t.equal(await found(store), 1);
});
