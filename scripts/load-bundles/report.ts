/** Counts what became of the entries, and keeps the refused ones in a file. */
import { appendFileSync, openSync } from 'node:fs';
import type { EntryResult, Fate } from './entry-results.ts';
import type { Source } from './pushes.ts';

export type Counts = Readonly<Record<Fate, number>>;

export interface Report {
  readonly counts: Counts;
  /** Where the refused entries were written, undefined if none were. */
  readonly refusedFile: string | undefined;
  /** Counts the entries of one push, and writes those that are not known to be stored. */
  add(source: Source, results: readonly EntryResult[]): void;
}

const PRINTED_PUSHES = 20;
const OWNER_ONLY = 0o600;

const number = (value: number): string => value.toLocaleString('en-US');

/** `1 file`, `7,031 entries`. */
export const counted = (value: number, one: string, many: string): string =>
  `${number(value)} ${value === 1 ? one : many}`;

/** Entries a second, for people. */
export const rate = (entries: number, seconds: number): string =>
  `${number(seconds > 0 ? Math.round(entries / seconds) : 0)}/s`;

export const entryCount = ({ created, updated, refused, unknown }: Counts): number =>
  created + updated + refused + unknown;

/** The last line: `12 files, 7,031 entries in 3.4 s (2,067/s): 7,031 created, 0 updated, 0 refused`. */
export const summary = (files: number, counts: Counts, seconds: number): string => {
  const entries = entryCount(counts);
  const pushed = `${counted(files, 'file', 'files')}, ${counted(entries, 'entry', 'entries')}`;
  const { created, updated, refused, unknown } = counts;
  const fates = `${number(created)} created, ${number(updated)} updated, ${number(refused)} refused`;
  const doubtful = unknown === 0 ? '' : `, ${number(unknown)} of unknown outcome`;
  return `${pushed} in ${seconds.toFixed(1)} s (${rate(entries, seconds)}): ${fates}${doubtful}`;
};

const record = ({ file, line }: Source, { name, fate, status, outcome }: EntryResult): string =>
  JSON.stringify({ file, line, ...name, fate, status, outcome });

const place = ({ file, line }: Source, { name }: EntryResult): string =>
  `${file}${line === null ? '' : ` line ${line}`}${name.entry === null ? '' : ` entry ${name.entry}`}`;

const firstDiagnostics = ({ outcome }: EntryResult): string => {
  const first = outcome?.issue?.[0];
  return first?.diagnostics ?? first?.details?.text ?? first?.code ?? 'no reason given';
};

/** One line on a push of which `failed` were not stored. */
const failureLine = (source: Source, failed: readonly EntryResult[]): string => {
  const first = failed[0]!;
  const status = first.status === null ? '' : ` (${first.status})`;
  const others = failed.length === 1 ? '' : `; and ${counted(failed.length - 1, 'more entry', 'more entries')}`;
  return `${place(source, first)}: ${first.fate}${status}: ${firstDiagnostics(first)}${others}`;
};

/**
 * @param path where refused entries go, one JSON line an entry; made when the first is refused, readable by the owner
 *   only, because outcomes may quote clinical data
 * @param print told of the first refusals as they happen
 */
export const createReport = (path: string, print: (line: string) => void): Report => {
  const counts = { created: 0, updated: 0, refused: 0, unknown: 0 };
  let file: number | undefined;
  let isWritable = true;
  let failedPushes = 0;

  const write = (lines: readonly string[]): void => {
    if (isWritable) {
      try {
        file ??= openSync(path, 'w', OWNER_ONLY);
        appendFileSync(file, `${lines.join('\n')}\n`);
        return;
      } catch (error) {
        isWritable = false;
        print(`${path} cannot be written (${(error as Error).message}); the refused entries follow here`);
      }
    }
    for (const line of lines) print(line);
  };

  const add = (source: Source, results: readonly EntryResult[]): void => {
    for (const { fate } of results) counts[fate] += 1;
    const failed = results.filter(({ fate }) => fate === 'refused' || fate === 'unknown');
    if (failed.length === 0) return;
    failedPushes += 1;
    if (failedPushes <= PRINTED_PUSHES) print(failureLine(source, failed));
    if (failedPushes === PRINTED_PUSHES + 1) print(`Further ones are only in ${path}`);
    write(failed.map((result) => record(source, result)));
  };

  return {
    counts,
    get refusedFile() {
      return file === undefined ? undefined : path;
    },
    add,
  };
};
