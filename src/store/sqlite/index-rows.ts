/**
 * Index entries as rows of the index tables. A row is kept as a line of JSON, `["t",param,code,system]`, beside its
 * resource: the lines of two versions are compared, and only what differs is deleted and inserted.
 */
import { hash } from 'node:crypto';
import type { Reference } from '../../fhir/reference.ts';
import { ELEMENT_LIMIT, foldText, type IndexEntry } from '../../search/index-entry.ts';
import { formOf } from '../range-forms.ts';
import type { Connection, Statement } from './database.ts';
import { parameterSymbol, type WritableSymbols } from './symbols.ts';

/**
 * A row without its rid. Behind the columns of the table a row of an element has the element's number: its rid is
 * `rid * ELEMENTS + element`. The words of a resource are one row, of which only a digest is kept.
 */
type Row = readonly [table: TableName | 'x', ...columns: (string | number)[]];
type TableName = 't' | 's' | 'd' | 'q' | 'r' | 'u';

/** How many elements of one resource have numbers of their own. */
export const ELEMENTS = ELEMENT_LIMIT;

/** The columns of each table as rows give them; `rid` is bound last. */
const TABLES: Readonly<Record<TableName, { name: string; columns: readonly string[] }>> = {
  t: { name: 'token', columns: ['param', 'code', 'system'] },
  s: { name: 'string', columns: ['param', 'value', 'exact'] },
  d: { name: 'date', columns: ['param', 'form', 'lo', 'hi'] },
  q: { name: 'quantity', columns: ['param', 'form', 'lo', 'hi', 'system', 'code', 'unit'] },
  r: { name: 'reference', columns: ['param', 'target'] },
  u: { name: 'uri', columns: ['param', 'value'] },
};

/** The number of an element; as a bigint where it may be more than a double holds exactly. */
const elementRid = (rid: number, element: number): number | bigint =>
  rid < MOST_EXACT ? rid * ELEMENTS + element : BigInt(rid) * BigInt(ELEMENTS) + BigInt(element);

const MOST_EXACT = Number.MAX_SAFE_INTEGER / (2 * ELEMENTS);

/** The most remote instants that JavaScript knows stand for open ends. */
const OPEN_INSTANT = 8_640_000_000_000_000;

const storedInstant = (instant: number): number => Math.min(OPEN_INSTANT, Math.max(-OPEN_INSTANT, instant));

const storedNumber = (number: number): number => Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, number));

type ValueEntry = Exclude<IndexEntry, { kind: 'text' }>;

/** What a row is made with: the entry's parameter and form, and the numbers of what it names. */
interface RowContext {
  readonly param: number;
  readonly isSole: boolean;
  readonly symbols: WritableSymbols;
  ridOf(target: Reference): number;
}

const rowOf = (entry: ValueEntry, { param, isSole, symbols, ridOf }: RowContext): Row => {
  switch (entry.kind) {
    case 'token':
      return ['t', param, entry.code, symbols.intern(entry.system)];
    case 'string':
      return ['s', param, entry.value, entry.exact];
    case 'date': {
      const form = formOf('date', entry.hi - entry.lo, isSole);
      return ['d', param, form, storedInstant(entry.lo), storedInstant(entry.hi)];
    }
    case 'number':
    case 'quantity': {
      const { system, code, unit } = entry.kind === 'quantity' ? entry : { system: '', code: '', unit: '' };
      const form = formOf('number', entry.hi - entry.lo, isSole);
      return ['q', param, form, storedNumber(entry.lo), storedNumber(entry.hi), symbols.intern(system), code, unit];
    }
    case 'reference':
      return ['r', param, ridOf(entry)];
    case 'uri':
      return ['u', param, entry.value];
  }
};

/** The parameters with several entries in one resource, or in one of its elements. */
const severalOf = (entries: readonly IndexEntry[]): Set<string> => {
  const seen = new Set<string>();
  const several = new Set<string>();
  for (const { param, element } of entries) {
    const key = element === undefined ? param : `${param} ${element}`;
    if (seen.has(key)) several.add(param);
    seen.add(key);
  }
  return several;
};

/** The rows of a resource as lines, and its words. */
export interface IndexLines {
  readonly lines: readonly string[];
  readonly content: string;
  readonly narrative: string;
}

export const NO_LINES: IndexLines = { lines: [], content: '', narrative: '' };

/** The rows of a resource's entries. `ridOf` makes a stub for a target that is not there. */
export const indexLines = (
  type: string,
  entries: readonly IndexEntry[],
  symbols: WritableSymbols,
  ridOf: (target: Reference) => number,
): IndexLines => {
  const lines: string[] = [];
  const several = severalOf(entries);
  const words = { _content: '', _text: '' };
  for (const entry of entries) {
    if (entry.kind === 'text') {
      words[entry.param as keyof typeof words] = entry.text;
      continue;
    }
    const param = symbols.intern(parameterSymbol(type, entry.param));
    const row = rowOf(entry, { param, isSole: !several.has(entry.param), symbols, ridOf });
    lines.push(JSON.stringify(entry.element === undefined ? row : [...row, entry.element]));
  }
  const { _content: content, _text: narrative } = words;
  if (content !== '' || narrative !== '')
    lines.push(JSON.stringify(['x', hash('sha1', `${content}\n${narrative}`, 'base64').slice(0, 16)]));
  return { lines, content, narrative };
};

export interface IndexTables {
  /** Turns the rows `before` of a resource, as lines, into the rows `after`. */
  replace(rid: number, before: readonly string[], after: IndexLines): void;
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
  const insertWords = connection.prepare('INSERT INTO words (rowid, content, narrative) VALUES (?, ?, ?)');
  const removeWords = connection.prepare('DELETE FROM words WHERE rowid = ?');

  const run = (statements: Record<TableName, Statement>, line: string, rid: number): void => {
    const [table, ...columns] = JSON.parse(line) as Row;
    if (table === 'x') return;
    const count = TABLES[table].columns.length;
    const element = columns[count];
    statements[table].run(...columns.slice(0, count), element === undefined ? rid : elementRid(rid, Number(element)));
  };
  const wordsOf = (lines: readonly string[]): string | undefined => lines.find((line) => line.startsWith('["x"'));

  return {
    replace: (rid, before, after) => {
      const kept = new Set(after.lines);
      const there = new Set(before);
      for (const line of before) if (!kept.has(line)) run(remove, line, rid);
      for (const line of after.lines) if (!there.has(line)) run(insert, line, rid);
      const words = wordsOf(after.lines);
      if (wordsOf(before) === words) return;
      if (wordsOf(before) !== undefined) removeWords.run(rid);
      if (words !== undefined) insertWords.run(rid, foldText(after.content), foldText(after.narrative));
    },
  };
};
