/** How fast this machine is by itself, just now: what the figures of the server are compared with. */
import { createHash } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface Calibration {
  /** Megabytes that one thread hashes with SHA-256 in a second. */
  readonly hashMegabytesPerSecond: number;
  /** Appends of 4 kB that are made durable in a second, one after the other. */
  readonly syncsPerSecond: number;
  /** Megabytes of FHIR that `JSON.parse` takes in a second. */
  readonly parseMegabytesPerSecond: number;
}

const MEGABYTE = 1_000_000;
const SYNC_BYTES = 4096;

/** How often `action` runs in a second; it runs for at least `seconds`. */
const rate = (seconds: number, action: () => void): number => {
  action();
  const start = performance.now();
  let count = 0;
  do {
    action();
    count++;
  } while (performance.now() - start < seconds * 1000);
  return (count * 1000) / (performance.now() - start);
};

/** `folder` is on the disk of the store; `text` is a resource. */
export const calibration = (folder: string, text: string, seconds: number): Calibration => {
  const block = Buffer.alloc(MEGABYTE, 7);
  const hashMegabytesPerSecond = rate(seconds, () => createHash('sha256').update(block).digest());
  const file = openSync(join(folder, 'sync'), 'w');
  const page = Buffer.alloc(SYNC_BYTES, 7);
  const syncsPerSecond = rate(seconds, () => {
    writeSync(file, page);
    fdatasyncSync(file);
  });
  closeSync(file);
  const parses = rate(seconds, () => JSON.parse(text));
  return {
    hashMegabytesPerSecond,
    syncsPerSecond,
    parseMegabytesPerSecond: (parses * Buffer.byteLength(text)) / MEGABYTE,
  };
};
