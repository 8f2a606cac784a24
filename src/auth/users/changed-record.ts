/** A record that is read, changed and written back, however many do so at once. */
import type { Records } from '../../store/store.ts';

/** What becomes of a record: another value, none, or `undefined` to leave it as it is. */
export type Change<T> = { readonly value: T; readonly expires?: number } | 'delete' | undefined;

/** Applies `change` to the current value until nobody else came between. Answers the value that was changed. */
export const changedRecord = async <T>(
  records: Records,
  key: string,
  change: (current: T | undefined) => Change<T>,
): Promise<T | undefined> => {
  for (;;) {
    const record = await records.get(key);
    const current = record === undefined ? undefined : (JSON.parse(record.value) as T);
    const next = change(current);
    if (next === undefined) return current;
    const revision = record?.revision ?? 0;
    const isDone =
      next === 'delete'
        ? await records.delete(key, revision)
        : (await records.put(key, JSON.stringify(next.value), {
            revision,
            ...(next.expires === undefined ? {} : { expires: next.expires }),
          })) !== undefined;
    if (isDone) return current;
  }
};
