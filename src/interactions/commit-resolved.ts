/**
 * Commits what was resolved before, and resolves it again if the store has changed in between. So a conditional write
 * sees the state that it is committed to, without a lock.
 */
import { conflict } from '../fhir/fhir-error.ts';
import { type Expectation, StaleExpectation, type Store, type Write, type Written } from '../store/store.ts';

export interface Resolution<T> {
  readonly writes: readonly Write[];
  readonly expected: readonly Expectation[];
  /** Carried along to the answer. */
  readonly plan: T;
}

/** Each try fails only if another commit went through, so a busy condition still makes progress. */
const ATTEMPTS = 50;

export const commitResolved = async <T>(
  store: Store,
  resolve: () => Promise<Resolution<T>>,
): Promise<{ plan: T; written: readonly Written[] }> => {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { writes, expected, plan } = await resolve();
    if (writes.length === 0) return { plan, written: [] };
    try {
      return { plan, written: await store.commit(writes, expected) };
    } catch (error) {
      if (!(error instanceof StaleExpectation)) throw error;
    }
  }
  throw conflict(`The condition of this write changed ${ATTEMPTS} times while it was being resolved; try again`);
};
