/** How properties are run: CONSILIUM_TEST_RUNS makes the long form, CONSILIUM_TEST_SEED repeats a run. */
import type { Test } from 'tap';

export const settings = (t: Test, runs: number): { numRuns: number; seed: number; endOnFailure: boolean } => {
  const seed = Number(process.env['CONSILIUM_TEST_SEED'] ?? Date.now() & 0x7fffffff);
  t.comment(`CONSILIUM_TEST_SEED=${seed}`);
  return { numRuns: Number(process.env['CONSILIUM_TEST_RUNS'] ?? runs), seed, endOnFailure: false };
};
