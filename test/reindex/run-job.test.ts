import { setTimeout as pause } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { unavailable } from '../../src/fhir/fhir-error.ts';
import { createIndexGate } from '../../src/reindex/index-gate.ts';
import type { Job, Progress } from '../../src/reindex/job.ts';
import { createJobRunner } from '../../src/reindex/run-job.ts';
import type { Store, Version } from '../../src/store/store.ts';

const JOB: Job = {
  ...{ id: 'j', status: 'in-progress', types: ['Patient', 'Basic'], pending: {}, posted: [], extractor: '1' },
  ...{ total: 4, started: 0 },
};

const patient = (id: string): Version => ({
  ...{ type: 'Patient', id, version: 1, lastUpdated: 0, isDeleted: false, action: 'create' },
  text: Buffer.from(JSON.stringify({ resourceType: 'Patient', id })),
});

/** A store of two pages a type whose commits fail as long as `failures` says, and what became of the job. */
const runnerOf = (t: Test, failures: number, progress?: Progress) => {
  const seen: string[] = [];
  let left = failures;
  let kept = { value: progress, revision: 1 };
  const store = {
    search: async ({ searches, after }: { searches: { type: string }[]; after?: [number] }) => {
      seen.push(`${searches[0]?.type} ${after ?? 'start'}`);
      return after === undefined ? { items: [patient('a')], next: [1] } : { items: [patient('b')] };
    },
    commit: async () => {
      if (left-- > 0) throw unavailable('The disk is full', 1);
      return [];
    },
  } as unknown as Store;
  const runner = createJobRunner({
    gate: createIndexGate(store, { generation: 0 }),
    records: {
      progress: {
        read: async () => kept,
        write: async (value, revision) => {
          if (revision !== kept.revision) return undefined;
          kept = { value, revision: revision + 1 };
          return kept.revision;
        },
      },
    },
    extract: () => [],
    log: { info: () => undefined, warn: (message) => seen.push(message), error: (_details, text) => seen.push(text) },
    ...{ waitMilliseconds: 0, retryMilliseconds: 1 },
    complete: async () => void seen.push('completed'),
    fail: async (_job, error) => void seen.push(`failed: ${(error as Error).message}`),
  });
  t.teardown(runner.stop);
  return { runner, seen, kept: () => kept.value, supersede: () => (kept = { ...kept, revision: kept.revision + 1 }) };
};

test('a job walks page by page through its types, and is completed', async (t) => {
  const { runner, seen } = runnerOf(t, 0);
  runner.run(JOB);
  t.ok(runner.isRunning());
  await runner.ended();
  t.same(seen, ['Patient start', 'Patient 1', 'Basic start', 'Basic 1', 'completed']);
  t.notOk(runner.isRunning());
});

test('a job goes on behind the last page that was kept, of its own only', async (t) => {
  const own = runnerOf(t, 0, { job: 'j', at: 0, after: [1], indexed: 1 });
  own.runner.run(JOB);
  await own.runner.ended();
  t.same(own.seen, ['Patient 1', 'Basic start', 'Basic 1', 'completed']);
  const other = runnerOf(t, 0, { job: 'another', at: 1, indexed: 9 });
  other.runner.run(JOB);
  await other.runner.ended();
  t.equal(other.seen[0], 'Patient start');
});

test('what the store refuses is tried again, and fails at last', async (t) => {
  const { runner, seen } = runnerOf(t, 2);
  runner.run(JOB);
  await runner.ended();
  t.equal(seen.filter((line) => line.startsWith('A reindex is interrupted')).length, 2);
  t.equal(seen.at(-1), 'completed');
  const hopeless = runnerOf(t, 1000);
  hopeless.runner.run(JOB);
  await hopeless.runner.ended();
  t.equal(hopeless.seen.at(-1), 'failed: The disk is full');
  t.equal(hopeless.seen.filter((line) => line === 'Patient start').length, 5);
});

test('a start is counted before the first page, and forgotten with the next that is kept', async (t) => {
  const { runner, kept } = runnerOf(t, 1000, { job: 'j', at: 0, after: [1], indexed: 1, starts: 2 });
  runner.run(JOB);
  await runner.ended();
  t.same(kept(), { job: 'j', at: 0, after: [1], indexed: 1, starts: 3 });
  const other = runnerOf(t, 0, { job: 'j', at: 0, after: [1], indexed: 1, starts: 4 });
  other.runner.run(JOB);
  await other.runner.ended();
  t.same(other.kept(), { job: 'j', at: 2, indexed: 4 });
});

test('a job that five processes have begun at the same place is not begun again', async (t) => {
  const { runner, seen } = runnerOf(t, 0, { job: 'j', at: 0, after: [1], indexed: 1, starts: 5 });
  runner.run(JOB);
  await runner.ended();
  t.same(seen, ['failed: It was begun 5 times after 1 resources, and each time the server ended']);
  const other = runnerOf(t, 0, { job: 'another', at: 0, indexed: 0, starts: 5 });
  other.runner.run(JOB);
  await other.runner.ended();
  t.equal(other.seen.at(-1), 'completed', 'that of another job does not count');
});

test('a job that another process has taken over ends without a word', async (t) => {
  const { runner, seen, supersede } = runnerOf(t, 0);
  runner.run(JOB);
  while (seen.length === 0) await pause(0);
  supersede();
  await runner.ended();
  t.notOk(seen.includes('completed'));
  t.notOk(
    seen.some((line) => /failed|interrupted|unexpectedly/.test(line)),
    seen.join(),
  );
});

test('a job that is stopped ends after its page', async (t) => {
  const { runner, seen } = runnerOf(t, 0);
  runner.run(JOB);
  await runner.stop();
  t.ok(seen.length <= 1);
  t.notOk(seen.includes('completed'));
});
