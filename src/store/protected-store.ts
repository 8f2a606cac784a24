/**
 * A store with resources that nobody may write. Every write of a client ends in `commit`, so this is the one place that
 * refuses, whatever the interaction.
 */
import { forbidden } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { RefusedWrite, type Store, type Write } from './store.ts';

/** What a write changes; index entries alone may be made anew. */
const changedBy = (write: Write): Reference | undefined => {
  switch (write.kind) {
    case 'index':
      return undefined;
    case 'delete':
      return write.reference;
    default:
      return write.resource;
  }
};

/** The store, for those who may not write `resources`: a commit that does fails with a RefusedWrite 403. */
export const protectedStore = (store: Store, resources: readonly Reference[]): Store => {
  const names = new Set(resources.map(referenceText));
  return {
    ...store,
    commit: async (writes, expected) => {
      for (const [position, write] of writes.entries()) {
        const changed = changedBy(write);
        if (changed === undefined || !names.has(referenceText(changed))) continue;
        const refusal = forbidden(`${referenceText(changed)} describes this server itself, and cannot be changed`);
        throw new RefusedWrite(refusal, position);
      }
      return store.commit(writes, expected);
    },
  };
};
