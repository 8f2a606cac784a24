/** The results, and how they are printed. */
import type { Calibration } from './calibration.ts';
import type { Parts } from './parts.ts';
import type { Figure } from './timed.ts';

export interface Results {
  readonly node: string;
  readonly processors: string;
  readonly calibration: Calibration;
  readonly figures: readonly Figure[];
  readonly parts: Parts;
  readonly disk: {
    readonly resources: number;
    readonly bytesPerResource: number;
    readonly jsonBytesPerResource: number;
  };
  /** Milliseconds from the start of the process to its line. */
  readonly ready: { readonly emptyStore: number; readonly existingStore: number };
}

/** What tells where the time goes, whatever machine it is. */
export const ratios = ({ figures, calibration, disk }: Results): Record<string, number> => {
  const figure = (name: string): Figure | undefined => figures.find((one) => one.name === name);
  const rate = (name: string): number => figure(name)?.perSecond ?? Number.NaN;
  const processor = (name: string): number => figure(name)?.serverMilliseconds ?? Number.NaN;
  return {
    'HTTP (bare GET) of the processor time of a read': processor('bare web server, GET') / processor('read'),
    'HTTP (bare POST) of the processor time of a create': processor('bare web server, POST') / processor('create'),
    'creates 16 in flight / 1 in flight (group commit)': rate('create') / rate('create, one at a time'),
    'creates one at a time / syncs of the disk': rate('create, one at a time') / calibration.syncsPerSecond,
    'creates 16 in flight / syncs of the disk': rate('create') / calibration.syncsPerSecond,
    'ingest / creates': rate('ingest') / rate('create'),
    'bytes on disk / bytes of JSON': disk.bytesPerResource / disk.jsonBytesPerResource,
  };
};

const digits = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 2 : 0 });

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ');
  return [line(head), ...rows.map(line)].join('\n');
};

const figureTable = ({ figures, calibration }: Results): string =>
  table(
    ['', 'in flight', 'per second', 'of', 'median ms', '95 % ms', 'server CPU ms', 'per MB hashed', 'per sync'],
    figures.map((figure) => [
      ...[figure.name, String(figure.inFlight), digits(figure.perSecond), figure.unit],
      ...[digits(figure.median), digits(figure.percentile95)],
      figure.serverMilliseconds === undefined ? '' : figure.serverMilliseconds.toFixed(3),
      digits(figure.perSecond / calibration.hashMegabytesPerSecond),
      digits(figure.perSecond / calibration.syncsPerSecond),
    ]),
  );

/** Shares of a single create, and of a resource in a transaction; a transaction parses each resource twice. */
const partTable = ({ parts, figures }: Results): string => {
  const bare = figures.find(({ name }) => name === 'bare web server, POST')?.serverMilliseconds ?? 0;
  const http = bare * 1000;
  const rows: [name: string, alone: number, together: number][] = [
    ['HTTP (bare web server)', http, http / 100],
    ['parse', parts.parse, 2 * parts.parse],
    ['validate', parts.validate, parts.validate],
    ['cut the text', parts.cut, parts.cut],
    ['extract index entries', parts.extract, parts.extract],
    ['commit (writer thread)', parts.commitAlone, parts.commitTogether],
  ];
  const sum = (column: 1 | 2): number => rows.reduce((total, row) => total + row[column], 0);
  const share = (value: number, whole: number): string => `${((100 * value) / whole).toFixed(0)} %`;
  return table(
    ['', 'create, µs', 'share', 'in a transaction, µs', 'share'],
    [...rows, ['all', sum(1), sum(2)] as (typeof rows)[number]].map(([name, alone, together]) => [
      ...[name, digits(alone), share(alone, sum(1))],
      ...[digits(together), share(together, sum(2))],
    ]),
  );
};

export const reportText = (results: Results): string => {
  const { calibration, disk, ready, node, processors } = results;
  const { hashMegabytesPerSecond, syncsPerSecond, parseMegabytesPerSecond } = calibration;
  return [
    `Node ${node}, ${processors}`,
    `This machine: SHA-256 ${digits(hashMegabytesPerSecond)} MB/s, 4 kB made durable ${digits(syncsPerSecond)} times/s, JSON.parse ${digits(parseMegabytesPerSecond)} MB/s`,
    '',
    figureTable(results),
    '',
    partTable(results),
    '',
    `On disk: ${digits(disk.bytesPerResource)} bytes a resource of ${digits(disk.jsonBytesPerResource)} bytes of JSON (${digits(disk.resources)} resources)`,
    `Start to ready: ${digits(ready.existingStore)} ms on this store, ${digits(ready.emptyStore)} ms on an empty one`,
    '',
    table(
      ['ratio', ''],
      Object.entries(ratios(results)).map(([name, value]) => [name, value.toFixed(2)]),
    ),
    '',
  ].join('\n');
};
