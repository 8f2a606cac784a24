/**
 * Copies a store into another, as when one machine becomes a cluster: every version with its number and time, and the
 * records. It goes page by page, goes on where it was cut off, and compares both stores at the end.
 */
import { createHash } from 'node:crypto';
import { referenceText } from '../fhir/reference.ts';
import { withoutIndexState } from '../reindex/job.ts';
import type { IndexEntry } from '../search/index-entry.ts';
import { KEY_CHECK } from '../store/key-check.ts';
import type { Store, StoredHistory, StoredRecord } from '../store/store.ts';

export interface CopyOptions {
  readonly source: Store;
  readonly target: Store;
  /** Names the source, so that a copy that was cut off is not gone on with from another one. */
  readonly from: string;
  /** The index entries of a current version. */
  entriesOf(resource: { resourceType: string }): IndexEntry[];
  onProgress?(progress: CopyProgress): void;
}

export interface CopyProgress {
  readonly phase: 'numbers' | 'resources' | 'records' | 'comparison';
  readonly done: number;
  /** Undefined while it is being counted. */
  readonly total: number | undefined;
}

export interface CopyResult {
  readonly resources: number;
  readonly versions: number;
  readonly records: number;
  /** SHA-256 of everything that was compared, in hexadecimal digits: equal for equal stores. */
  readonly digest: string;
}

/** The copy cannot be made; the message is one line for the operator. */
export class CopyRefused extends Error {
  override readonly name = 'CopyRefused';
}

/** How far a copy is, in a record of the target while it is under way. */
interface Position {
  readonly from: string;
  readonly phase: 'numbers' | 'resources' | 'done';
  /** The last number of the phase. */
  readonly after: number;
  /** Resources so far. */
  readonly done: number;
}

const POSITION = 'copy/position';
/** Records of one process, of the copy itself, or that a store makes for itself. */
const LEFT_OUT = ['copy/', 'instance/', KEY_CHECK];
/** A copy that is gone on with does not look again at what it has passed. */
const REMEDY =
  'was one of them written to meanwhile? Stop every server and command that uses either, empty the target, and copy anew';
const PAGE_NUMBERS = 1000;
const PAGE_HISTORIES = 100;
/** Of JSON, in bytes, as a page is in memory as a whole; a resource with more is a page of its own. */
const PAGE_BYTES = 16_000_000;
const PAGE_RECORDS = 100;

/** Throws CopyRefused if a store has nothing to copy, as the name of a database may be wrong, and be made by that. */
export const checkSource = async ({ transfer }: Store): Promise<void> => {
  if ((await transfer.references(0, 1)).length === 0)
    throw new CopyRefused('The source has no resources; there is nothing to copy');
};

const startOf = async ({ source, target, from }: CopyOptions): Promise<Position> => {
  const record = await target.records.get(POSITION);
  if (record !== undefined) {
    const position = JSON.parse(record.value) as Position;
    if (position.from === from) return position;
    throw new CopyRefused(`The target has a part of another store, ${position.from}; go on with that, or empty it`);
  }
  await checkSource(source);
  if ((await target.transfer.references(0, 1)).length > 0)
    throw new CopyRefused('The target is not empty; a copy needs an empty store');
  return { from, phase: 'numbers', after: 0, done: 0 };
};

/** Calls `action` with each page behind `after`. */
const eachPage = async <Item extends { readonly rid: number }>(
  read: (after: number, limit: number) => Promise<readonly Item[]>,
  limit: number,
  from: number,
  action: (page: readonly Item[], after: number) => Promise<void>,
): Promise<void> => {
  for (let after = from; ; ) {
    const page = await read(after, limit);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.rid;
    await action(page, after);
  }
};

const pagesOf =
  ({ transfer }: Store) =>
  (after: number, limit: number): Promise<readonly StoredHistory[]> =>
    transfer.histories(after, limit, PAGE_BYTES);

const withEntries = (history: StoredHistory, { entriesOf }: CopyOptions) => {
  const newest = history.versions.at(-1);
  const isLive = newest !== undefined && !newest.isDeleted;
  return { ...history, entries: isLive ? entriesOf(JSON.parse(newest.text.toString())) : [] };
};

const copyResources = async (options: CopyOptions, start: Position): Promise<void> => {
  const { source, target, from, onProgress } = options;
  let { done } = start;
  const keep = (position: Position): Promise<unknown> => target.records.put(POSITION, JSON.stringify(position));
  if (start.phase === 'numbers') {
    // All numbers first: a resource may refer to one whose number comes later.
    await eachPage(source.transfer.references, PAGE_NUMBERS, start.after, async (page, after) => {
      await target.transfer.reserve(page);
      done += page.length;
      await keep({ from, phase: 'numbers', after, done });
      onProgress?.({ phase: 'numbers', done, total: undefined });
    });
  }
  const total = done;
  const begun = start.phase === 'resources' ? start : { from, phase: 'resources' as const, after: 0, done: 0 };
  done = begun.done;
  await keep(begun);
  await eachPage(pagesOf(source), PAGE_HISTORIES, begun.after, async (page, after) => {
    await target.transfer.restore(page.map((history) => withEntries(history, options)));
    done += page.length;
    await keep({ from, phase: 'resources', after, done });
    onProgress?.({ phase: 'resources', done, total: start.phase === 'resources' ? undefined : total });
  });
  await keep({ from, phase: 'done', after: 0, done });
};

/** The records that are copied. */
const recordsOf = async ({ records }: Store): Promise<StoredRecord[]> => {
  const found: StoredRecord[] = [];
  for (let after = ''; ; ) {
    const page = await records.list('', PAGE_RECORDS, after);
    const last = page.at(-1);
    if (last === undefined) return found;
    after = last.key;
    found.push(...page.filter(({ key }) => !LEFT_OUT.some((prefix) => key.startsWith(prefix))));
  }
};

/**
 * The target's index is made of R4's parameters alone: its next start makes that of the others. Throws CopyRefused if the
 * target does not have them in the end.
 */
const copyRecords = async ({ source, target, onProgress }: CopyOptions): Promise<number> => {
  const records = await recordsOf(source);
  for (const [at, record] of records.entries()) {
    const { expires } = record;
    await target.records.put(record.key, withoutIndexState(record), expires === undefined ? {} : { expires });
    onProgress?.({ phase: 'records', done: at + 1, total: records.length });
  }
  const textOf = (value: string, expires: number | undefined): string => JSON.stringify([value, expires]);
  const kept = new Map((await recordsOf(target)).map(({ key, value, expires }) => [key, textOf(value, expires)]));
  for (const record of records) {
    // One that has expired meanwhile is nowhere any more.
    if ((await source.records.get(record.key)) === undefined) continue;
    if (kept.get(record.key) !== textOf(withoutIndexState(record), record.expires))
      throw new CopyRefused(`The record ${record.key} is not the same in both stores; ${REMEDY}`);
  }
  return records.length;
};

const digestOf = ({ rid, versions, ...reference }: StoredHistory): string => {
  const hash = createHash('sha256').update(`${rid} ${referenceText(reference)}`);
  for (const { version, lastUpdated, isDeleted, action, source = '', text } of versions)
    hash.update(`\n${version} ${lastUpdated} ${isDeleted} ${action} ${source} ${text.length}\n`).update(text);
  return hash.digest('hex');
};

/** Throws CopyRefused that names the first resource that differs. */
const compared = async ({ source, target, onProgress }: CopyOptions): Promise<Omit<CopyResult, 'records'>> => {
  const whole = createHash('sha256');
  let [resources, versions] = [0, 0];
  await eachPage(pagesOf(source), PAGE_HISTORIES, 0, async (page, last) => {
    const first = page[0] as StoredHistory;
    const copied = await target.transfer.histories(first.rid - 1, page.length);
    for (const [at, history] of page.entries()) {
      const other = copied[at];
      const digest = digestOf(history);
      if (other === undefined || digestOf(other) !== digest)
        throw new CopyRefused(`${referenceText(history)} is not the same in both stores; ${REMEDY}`);
      whole.update(digest);
      versions += history.versions.length;
    }
    resources += page.length;
    if (copied.at(-1)?.rid !== last) throw new CopyRefused(`The target has more resources than the source; ${REMEDY}`);
    onProgress?.({ phase: 'comparison', done: resources, total: undefined });
  });
  return { resources, versions, digest: whole.digest('hex') };
};

const checkEnd = async ({ source, target }: CopyOptions): Promise<void> => {
  const count = async (store: Store): Promise<number> => {
    let total = 0;
    await eachPage(store.transfer.references, PAGE_NUMBERS, 0, async (page) => {
      total += page.length;
    });
    return total;
  };
  const [given, taken] = [await count(source), await count(target)];
  if (given !== taken) throw new CopyRefused(`The source has ${given} resources, the target ${taken}; ${REMEDY}`);
};

/**
 * Copies `source` into the empty `target`, or goes on with a copy that was cut off. Neither may be written to meanwhile.
 * Throws CopyRefused.
 */
export const copyStore = async (options: CopyOptions): Promise<CopyResult> => {
  const start = await startOf(options);
  if (start.phase !== 'done') await copyResources(options, start);
  const records = await copyRecords(options);
  await checkEnd(options);
  const result = { ...(await compared(options)), records };
  await options.target.records.delete(POSITION);
  return result;
};
