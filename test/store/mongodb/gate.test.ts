import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { deadlineIn } from '../../../src/store/mongodb/deadline.ts';
import { createGate } from '../../../src/store/mongodb/gate.ts';

/** Work that ends when it is told to. */
const createWork = () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const work = {
    hasBegun: false,
    hasWaited: false,
    end: resolve,
    run: async (hasWaited: boolean) => {
      work.hasBegun = true;
      work.hasWaited = hasWaited;
      await promise;
    },
  };
  return work;
};

const LIMITS = { concurrent: 4, queue: 2000 };
const transaction = (...keys: string[]) => ({ keys, isTransaction: true, deadline: deadlineIn(60_000) });
const single = (...keys: string[]) => ({ ...transaction(...keys), isTransaction: false });
const begunOf = (works: readonly { hasBegun: boolean }[]): boolean[] => works.map(({ hasBegun }) => hasBegun);

test('four transactions run at once, and the others first come, first served', async (t) => {
  const gate = createGate(LIMITS);
  const works = Array.from({ length: 7 }, createWork);
  const done = works.map((work, at) => gate.run(transaction(`k${at}`), work.run));
  await turn();
  t.same(begunOf(works), [true, true, true, true, false, false, false]);
  works[2]?.end();
  await turn();
  t.same(begunOf(works), [true, true, true, true, true, false, false]);
  t.same([works[0]?.hasWaited, works[4]?.hasWaited], [false, true]);
  for (const work of works) work.end();
  await Promise.all(done);
  await gate.drained();
});

test('work on one key is done one after the other, and does not take a place meanwhile', async (t) => {
  const gate = createGate({ ...LIMITS, concurrent: 2 });
  const works = Array.from({ length: 5 }, createWork);
  const keys = [['a', 'b'], ['b', 'c'], ['c'], ['d'], ['a']];
  const done = works.map((work, at) => gate.run(transaction(...(keys[at] as string[])), work.run));
  await turn();
  t.same(begunOf(works), [true, false, false, true, false]);
  works[0]?.end();
  await turn();
  t.same(begunOf(works), [true, true, false, true, false], 'both places are taken');
  works[1]?.end();
  await turn();
  t.same(begunOf(works).filter(Boolean).length, 4);
  for (const work of works) work.end();
  await Promise.all(done);
});

test('a single write takes no place, and waits for its key alone', async (t) => {
  const gate = createGate({ ...LIMITS, concurrent: 1 });
  const works = Array.from({ length: 4 }, createWork);
  const done = [
    gate.run(transaction('a'), (works[0] as ReturnType<typeof createWork>).run),
    gate.run(transaction('x'), (works[1] as ReturnType<typeof createWork>).run),
    gate.run(single('a'), (works[2] as ReturnType<typeof createWork>).run),
    gate.run(single('b'), (works[3] as ReturnType<typeof createWork>).run),
  ];
  await turn();
  t.same(begunOf(works), [true, false, false, true]);
  works[0]?.end();
  await turn();
  t.same(begunOf(works), [true, true, true, true]);
  for (const work of works) work.end();
  await Promise.all(done);
});

test('a full queue is refused with 503 and Retry-After, and a failure gives its place to the next', async (t) => {
  const gate = createGate({ concurrent: 1, queue: 2 });
  const works = Array.from({ length: 3 }, createWork);
  const done = works.map((work, at) => gate.run(transaction(`k${at}`), work.run));
  await t.rejects(gate.run(transaction('z'), createWork().run), {
    name: 'FhirError',
    status: 503,
    headers: { 'retry-after': '5' },
  });
  await t.rejects(gate.run(transaction('z'), createWork().run), /CONSILIUM_TRANSACTION_QUEUE/);
  for (const work of works) work.end();
  await Promise.all(done);
  const fails = async (): Promise<void> => {
    throw new Error('no');
  };
  await t.rejects(gate.run(transaction('a'), fails), /no/);
  t.equal(await gate.run(transaction('a'), async () => 7), 7);
});

test('what waits longer than its deadline is refused with 503, and those behind it go on', async (t) => {
  const gate = createGate({ concurrent: 1, queue: 10 });
  const [first, late, last] = [createWork(), createWork(), createWork()];
  const done = gate.run(transaction('a'), first.run);
  await t.rejects(gate.run({ ...transaction('a'), deadline: deadlineIn(10) }, late.run), {
    name: 'FhirError',
    status: 503,
  });
  const other = gate.run(transaction('a'), last.run);
  first.end();
  await done;
  last.end();
  await other;
  t.notOk(late.hasBegun);
  await gate.drained();
});
