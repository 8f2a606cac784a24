/**
 * Large texts are lent to the writing thread: their memory changes hands, and comes back with the answer, as a commit may
 * have to be tried again. A copy would cost time on both sides; memory that both share would stay until both threads,
 * one of which may have nothing to do, have collected their garbage.
 */
import type { LargeText } from '../../fhir/resource-text.ts';
import type { Write } from '../store.ts';

/** Smaller parts may lie in memory together with others, and are copied. */
const LENT_BYTES = 65_536;

export const largeTextsOf = (writes: readonly Write[]): LargeText[] =>
  writes.flatMap((write) =>
    'resource' in write && typeof write.resource.tail !== 'string' ? [write.resource.tail] : [],
  );

/** What a message with these texts hands over. */
export const lentMemory = (texts: readonly LargeText[]): ArrayBuffer[] =>
  texts.flatMap(({ parts }) =>
    parts.flatMap(({ byteLength, buffer }) => (byteLength >= LENT_BYTES ? [buffer as ArrayBuffer] : [])),
  );
