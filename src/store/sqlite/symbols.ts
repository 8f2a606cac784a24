/** Names that stand in the database as numbers: types, parameters, code systems. A symbol, once made, never changes. */
import type { Connection } from './database.ts';

export interface Symbols {
  /** The number of `text`, or undefined if nothing stored uses it. */
  find(text: string): number | undefined;
}

export interface WritableSymbols extends Symbols {
  /** The number of `text`, made if need be. */
  intern(text: string): number;
  /** Ends a transaction: what it made is forgotten again if it was rolled back. */
  settle(outcome: 'kept' | 'rolled back'): void;
  /** Forgets all, after a transaction of several commits was lost. */
  reset(): void;
}

/** There are some thousand symbols, not millions; more than these are looked up each time. */
const CACHE_LIMIT = 100_000;

/** The name under which a search parameter's values are indexed. */
export const parameterSymbol = (type: string, param: string): string => `${type}.${param}`;

export const openSymbols = (connection: Connection): WritableSymbols => {
  const select = connection.prepare('SELECT id FROM symbol WHERE text = ?').pluck();
  const insert = connection.readonly ? undefined : connection.prepare('INSERT INTO symbol (text) VALUES (?)');
  const known = new Map<string, number>();
  const fresh: string[] = [];

  const find = (text: string): number | undefined => {
    const cached = known.get(text);
    if (cached !== undefined) return cached;
    const id = select.get(text) as number | undefined;
    if (id !== undefined && known.size < CACHE_LIMIT) known.set(text, id);
    return id;
  };

  return {
    find,
    intern: (text) => {
      const found = find(text);
      if (found !== undefined) return found;
      if (insert === undefined) throw new Error('A reading connection cannot make symbols');
      const id = Number(insert.run(text).lastInsertRowid);
      known.set(text, id);
      fresh.push(text);
      return id;
    },
    settle: (outcome) => {
      if (outcome === 'rolled back') for (const text of fresh) known.delete(text);
      fresh.length = 0;
    },
    reset: () => {
      known.clear();
      fresh.length = 0;
    },
  };
};
