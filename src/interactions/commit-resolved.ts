/**
 * Commits what was resolved before, and resolves it again if the store has changed in between. So a conditional write
 * sees the state that it is committed to, without a lock.
 */
import { conflict } from '../fhir/fhir-error.ts';
import { referenceText } from '../fhir/reference.ts';
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

/** What two commits that overtake each other have in common. */
const rivalryOf = (error: unknown, { writes, expected }: Resolution<unknown>): string => {
  const write = error instanceof RefusedWrite ? writes[error.position] : undefined;
  if (write === undefined) return JSON.stringify(expected.map(({ query }) => query.searches));
  return referenceText('resource' in write ? write.resource : write.reference);
};

/** Whoever has been overtaken tries again in turn: of many that change one resource at once, each gets through. */
const waiting = new Map<string, Promise<unknown>>();

const inTurn = async <T>(rivalry: string, action: () => Promise<T>): Promise<T> => {
  const before = waiting.get(rivalry) ?? Promise.resolve();
  const result = before.then(action);
  const settled = result.catch(() => undefined);
  waiting.set(rivalry, settled);
  try {
    return await result;
  } finally {
    if (waiting.get(rivalry) === settled) waiting.delete(rivalry);
  }
};

type Tried<T> = { readonly done: { plan: T; written: readonly Written[] } } | { readonly rivalry: string };

const tried = async <T>(store: Store, resolve: () => Promise<Resolution<T>>): Promise<Tried<T>> => {
  const resolution = await resolve();
  const { writes, expected, plan } = resolution;
  if (writes.length === 0) return { done: { plan, written: [] } };
  try {
    return { done: { plan, written: await store.commit(writes, expected) } };
  } catch (error) {
    if (!isOvertaken(error, resolution)) throw error;
    return { rivalry: rivalryOf(error, resolution) };
  }
};

export const commitResolved = async <T>(
  store: Store,
  resolve: () => Promise<Resolution<T>>,
): Promise<{ plan: T; written: readonly Written[] }> => {
  const first = await tried(store, resolve);
  if ('done' in first) return first.done;
  return inTurn(first.rivalry, async () => {
    for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
      const next = await tried(store, resolve);
      if ('done' in next) return next.done;
    }
    throw conflict(`What this write depends on changed ${ATTEMPTS} times while it was being resolved; try again`);
  });
};
