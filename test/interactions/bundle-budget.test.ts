import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';
import { readConfig } from '../../src/config.ts';
import { createBundleBudget, readingTime } from '../../src/interactions/bundle-budget.ts';
import type { FhirResponse } from '../../src/interactions/fhir-request.ts';

const limits = readConfig({ CONSILIUM_STORE_KEY: 'ab'.repeat(32), CONSILIUM_BUNDLE_SECONDS: '1' });
const answer: FhirResponse = { status: 200, headers: {}, body: '{}' };
const TOO_COSTLY = { name: 'FhirError', message: /CONSILIUM_BUNDLE_SECONDS/ };

test('Reads and operations that have not begun when the time is over are refused, and writes are not', async (t) => {
  let isOver = false;
  const budget = createBundleBudget(limits, () => isOver);
  const begun = budget.answer('read', async () => {
    await pause(5);
    return answer;
  });
  isOver = true;
  for (const cost of ['read', 'operation'] as const)
    await t.rejects(
      budget.answer(cost, async () => t.fail('it began') as never),
      TOO_COSTLY,
    );
  t.equal(await budget.answer('write', async () => answer), answer);
  t.equal(await begun, answer);
});

test('The time begins with the first read', async (t) => {
  const isOver = readingTime(20);
  await pause(30);
  t.notOk(isOver());
  await pause(30);
  t.ok(isOver());
});

test('At most two reads are under way at once, also when some fail', async (t) => {
  const budget = createBundleBudget(limits);
  let running = 0;
  let most = 0;
  const reads = Array.from({ length: 20 }, (_, at) =>
    budget.answer('read', async () => {
      most = Math.max(most, ++running);
      await pause(1);
      running--;
      if (at % 3 === 0) throw new Error('not there');
      return answer;
    }),
  );
  const results = await Promise.allSettled(reads);
  t.equal(most, 2);
  t.equal(results.filter(({ status }) => status === 'rejected').length, 7);
});

test('Others get their turn while many entries are answered', async (t) => {
  const budget = createBundleBudget(limits);
  const turns: number[] = [];
  const timer = setInterval(() => turns.push(performance.now()), 1);
  const end = performance.now() + 200;
  const work = async (): Promise<void> => {
    while (performance.now() < end) await budget.turn();
  };
  await Promise.all([work(), work(), work()]);
  clearInterval(timer);
  t.ok(turns.length >= 1, `${turns.length} turns`);
});
