/**
 * Commits what was resolved before, and resolves it again if the store has changed in between. So a conditional write
 * sees the state that it is committed to, without a lock.
 */
import { conflict } from '../fhir/fhir-error.ts';
import {
  type Expectation,
  RefusedWrite,
  StaleExpectation,
  type Store,
  type Write,
  type Written,
} from '../store/store.ts';

export interface Resolution<T> {
  readonly writes: readonly Write[];
  readonly expected: readonly Expectation[];
  /** Writes that were made of the version that was current, and not of one that the client named. */
  readonly madeOfCurrent?: ReadonlySet<Write>;
  /** Carried along to the answer. */
  readonly plan: T;
}

/** Each try fails only if another commit went through, so a busy condition still makes progress. */
const ATTEMPTS = 50;

const isOvertaken = (error: unknown, { writes, madeOfCurrent }: Resolution<unknown>): boolean => {
  if (error instanceof StaleExpectation) return true;
  if (!(error instanceof RefusedWrite) || error.status !== 412) return false;
  const write = writes[error.position];
  return write !== undefined && (madeOfCurrent?.has(write) ?? false);
};

export const commitResolved = async <T>(
  store: Store,
  resolve: () => Promise<Resolution<T>>,
): Promise<{ plan: T; written: readonly Written[] }> => {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const resolution = await resolve();
    const { writes, expected, plan } = resolution;
    if (writes.length === 0) return { plan, written: [] };
    try {
      return { plan, written: await store.commit(writes, expected) };
    } catch (error) {
      if (!isOvertaken(error, resolution)) throw error;
    }
  }
  throw conflict(`What this write depends on changed ${ATTEMPTS} times while it was being resolved; try again`);
};
