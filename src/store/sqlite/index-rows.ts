/**
 * Index entries as rows of the index tables. A row is kept as a line of JSON, `["t",param,code,system]`, beside its
 * resource: the lines of two versions are compared, and only what differs is deleted and inserted.
 */
import type { Reference } from '../../fhir/reference.ts';
import type { IndexEntry } from '../../search/index-entry.ts';
import type { Connection, Statement } from './database.ts';
import { parameterSymbol, type WritableSymbols } from './symbols.ts';

type Row = readonly [table: TableName, ...columns: (string | number)[]];
type TableName = 't' | 's' | 'd' | 'q' | 'r' | 'u';

/** The columns of each table as rows give them; `rid` is bound last. */
const TABLES: Readonly<Record<TableName, { name: string; columns: readonly string[] }>> = {
  t: { name: 'token', columns: ['param', 'code', 'system'] },
  s: { name: 'string', columns: ['param', 'value', 'exact'] },
  d: { name: 'date', columns: ['param', 'form', 'lo', 'hi'] },
  q: { name: 'quantity', columns: ['param', 'form', 'lo', 'hi', 'system', 'code', 'unit'] },
  r: { name: 'reference', columns: ['param', 'target'] },
  u: { name: 'uri', columns: ['param', 'value'] },
};

/** How the rows of dates and quantities are parted: the first migration says why. */
export const FORMS = { sole: 0, several: 1, long: 2 } as const;

/** Ranges longer than this are long, in milliseconds: 32 days hold every month. */
export const LONG_RANGE = 32 * 86_400_000;

/** The most remote instants that JavaScript knows stand for open ends. */
const OPEN_INSTANT = 8_640_000_000_000_000;

const storedInstant = (instant: number): number => Math.min(OPEN_INSTANT, Math.max(-OPEN_INSTANT, instant));

const storedNumber = (number: number): number => Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, number));

/** What a row is made with: the entry's parameter and form, and the numbers of what it names. */
interface RowContext {
  readonly param: number;
  readonly isSole: boolean;
  readonly symbols: WritableSymbols;
  ridOf(target: Reference): number;
}

const rowOf = (entry: IndexEntry, { param, isSole, symbols, ridOf }: RowContext): Row => {
  const formOf = (length: number, longest: number): number => {
    if (length > longest) return FORMS.long;
    return isSole ? FORMS.sole : FORMS.several;
  };
  switch (entry.kind) {
    case 'token':
      return ['t', param, entry.code, symbols.intern(entry.system)];
    case 'string':
      return ['s', param, entry.value, entry.exact];
    case 'date': {
      const form = formOf(entry.hi - entry.lo, LONG_RANGE);
      return ['d', param, form, storedInstant(entry.lo), storedInstant(entry.hi)];
    }
    case 'number':
    case 'quantity': {
      const { system, code, unit } = entry.kind === 'quantity' ? entry : { system: '', code: '', unit: '' };
      const form = formOf(entry.hi - entry.lo, 0);
      return ['q', param, form, storedNumber(entry.lo), storedNumber(entry.hi), symbols.intern(system), code, unit];
    }
    case 'reference':
      return ['r', param, ridOf(entry)];
    case 'uri':
      return ['u', param, entry.value];
  }
};

/** The rows of a resource's entries, a line each. `ridOf` makes a stub for a target that is not there. */
export const indexLines = (
  type: string,
  entries: readonly IndexEntry[],
  symbols: WritableSymbols,
  ridOf: (target: Reference) => number,
): string[] => {
  const seen = new Set<string>();
  const several = new Set<string>();
  for (const { param } of entries) (seen.has(param) ? several : seen).add(param);
  return entries.map((entry) => {
    const param = symbols.intern(parameterSymbol(type, entry.param));
    return JSON.stringify(rowOf(entry, { param, isSole: !several.has(entry.param), symbols, ridOf }));
  });
};

export interface IndexTables {
  /** Turns the rows `before` of a resource into the rows `after`, both as lines. */
  replace(rid: number, before: readonly string[], after: readonly string[]): void;
}

export const openIndexTables = (connection: Connection): IndexTables => {
  const prepared = (sql: (name: string, columns: readonly string[]) => string): Record<TableName, Statement> =>
    Object.fromEntries(
      Object.entries(TABLES).map(([key, { name, columns }]) => [
        key,
        connection.prepare(sql(name, [...columns, 'rid'])),
      ]),
    ) as Record<TableName, Statement>;
  const insert = prepared(
    (name, columns) =>
      `INSERT OR IGNORE INTO ${name} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  const remove = prepared(
    (name, columns) => `DELETE FROM ${name} WHERE ${columns.map((c) => `${c} = ?`).join(' AND ')}`,
  );
  const run = (statements: Record<TableName, Statement>, line: string, rid: number): void => {
    const [table, ...columns] = JSON.parse(line) as Row;
    statements[table].run(...columns, rid);
  };

  return {
    replace: (rid, before, after) => {
      if (before.length === 0) {
        for (const line of after) run(insert, line, rid);
        return;
      }
      const kept = new Set(after);
      const there = new Set(before);
      for (const line of before) if (!kept.has(line)) run(remove, line, rid);
      for (const line of after) if (!there.has(line)) run(insert, line, rid);
    },
  };
};
