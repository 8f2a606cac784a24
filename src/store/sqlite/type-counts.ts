/** How many resources of each type there are, kept with each commit, so that a total needs no counting. */
import type { Connection } from './database.ts';

export interface TypeCounts {
  /** One more (1) or one less (-1) of the type with this symbol. */
  add(type: number, difference: 1 | -1): void;
  /** Ends a commit: writes what it added, or forgets it. */
  settle(outcome: 'kept' | 'rolled back'): void;
}

export const openTypeCounts = (connection: Connection): TypeCounts => {
  const change = connection.prepare(
    'INSERT INTO type_count (type, live) VALUES (?, ?) ON CONFLICT (type) DO UPDATE SET live = live + excluded.live',
  );
  const added = new Map<number, number>();
  return {
    add: (type, difference) => {
      added.set(type, (added.get(type) ?? 0) + difference);
    },
    settle: (outcome) => {
      if (outcome === 'kept')
        for (const [type, difference] of added) if (difference !== 0) change.run(type, difference);
      added.clear();
    },
  };
};
