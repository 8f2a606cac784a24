/** The stable number of every logical id: of what is stored, and of what has only been referenced. */
import { type Reference, referenceText } from '../../fhir/reference.ts';
import type { Connection } from './database.ts';
import type { WritableSymbols } from './symbols.ts';

export interface Rids {
  /** The rid of a reference's target; a target that is not there gets a row of version 0. */
  of(target: Reference): number;
  /** Ends a commit: what it made is forgotten again if it was rolled back. */
  settle(outcome: 'kept' | 'rolled back'): void;
  /** Forgets all, after a transaction of several commits was lost. */
  reset(): void;
}

/** Rids of resources that were written or referenced lately. */
const CACHE_LIMIT = 100_000;

export const openRids = (connection: Connection, symbols: WritableSymbols): Rids => {
  const select = connection.prepare('SELECT rid FROM resource WHERE type = ? AND id = ?').pluck();
  const insert = connection.prepare(
    `INSERT INTO resource (type, id, version, updated, live, origin, index_rows, body) VALUES (?, ?, 0, 0, 0, 0, '', x'')`,
  );
  const known = new Map<string, number>();
  const fresh: string[] = [];

  const remember = (key: string, rid: number): number => {
    if (known.size >= CACHE_LIMIT) known.clear();
    known.set(key, rid);
    return rid;
  };

  return {
    of: (target) => {
      const key = referenceText(target);
      const cached = known.get(key);
      if (cached !== undefined) return cached;
      const type = symbols.intern(target.type);
      const found = select.get(type, target.id) as number | undefined;
      if (found !== undefined) return remember(key, found);
      fresh.push(key);
      return remember(key, Number(insert.run(type, target.id).lastInsertRowid));
    },
    settle: (outcome) => {
      if (outcome === 'rolled back') for (const key of fresh) known.delete(key);
      fresh.length = 0;
    },
    reset: () => {
      known.clear();
      fresh.length = 0;
    },
  };
};
