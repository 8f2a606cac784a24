/**
 * The files of a FHIR package, from an archive or a folder, within limits. Nothing is ever written to disk, so that a
 * hostile path in an archive could lead nowhere; it is refused all the same.
 *
 * @see https://hl7.org/fhir/packages.html
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';

/** How much a package may have. */
export interface PackageLimits {
  /** Of a package's archive, unpacked, or of the files in its folder. */
  readonly packageBytes: number;
  readonly packageFiles: number;
}

/** A package cannot be read; the message is one line that names the file. */
export class PackageUnusable extends Error {
  override readonly name = 'PackageUnusable';
}

/** The JSON files that lie in one folder, by name. */
export type JsonFiles = ReadonlyMap<string, Buffer>;

/** Where an archive has its resources; what lies in folders below, such as examples, is not for use. */
const ROOT = 'package/';

const unusable = (path: string, reason: string): PackageUnusable =>
  new PackageUnusable(`${path} ${reason}`.replace(/\s+/g, ' '));

const tooManyBytes = (path: string, { packageBytes }: PackageLimits): PackageUnusable =>
  unusable(path, `has more than ${packageBytes} bytes unpacked (CONSILIUM_PACKAGE_MEGABYTES)`);

const tooManyFiles = (path: string, { packageFiles }: PackageLimits): PackageUnusable =>
  unusable(path, `has more than ${packageFiles} files (CONSILIUM_PACKAGE_FILES)`);

const isJsonName = (name: string): boolean => name.endsWith('.json') && !name.startsWith('.');

const isHostile = (name: string): boolean =>
  name.startsWith('/') || /^[A-Za-z]:/.test(name) || name.includes('\\') || name.split('/').includes('..');

const unpacked = (path: string, limits: PackageLimits): Buffer => {
  try {
    if (statSync(path).size > limits.packageBytes) throw tooManyBytes(path, limits);
    return gunzipSync(readFileSync(path), { maxOutputLength: limits.packageBytes });
  } catch (error) {
    if (error instanceof PackageUnusable) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooManyBytes(path, limits);
    throw unusable(path, `cannot be unpacked: ${message}`);
  }
};

/** The JSON files of a `.tgz` that lie right below `package/`. Throws PackageUnusable. */
export const archivedFiles = (path: string, limits: PackageLimits): JsonFiles => {
  const files = new Map<string, Buffer>();
  let count = 0;
  let fault: Error | undefined;
  const take = (entry: ReadEntry): void => {
    count++;
    if (count > limits.packageFiles) fault ??= tooManyFiles(path, limits);
    if (isHostile(entry.path)) fault ??= unusable(path, `has a file outside of the package: '${entry.path}'`);
    const name = entry.path.startsWith(ROOT) ? entry.path.slice(ROOT.length) : '';
    if (fault !== undefined || entry.type !== 'File' || name.includes('/') || !isJsonName(name)) {
      entry.resume();
      return;
    }
    const chunks: Buffer[] = [];
    entry.on('data', (chunk) => chunks.push(chunk));
    entry.on('end', () => files.set(name, Buffer.concat(chunks)));
  };
  const parser = new Parser({ strict: true, onReadEntry: take });
  parser.on('error', (error: Error) => {
    fault ??= unusable(path, `is no whole archive: ${error.message}`);
  });
  // All at once, and so all events come before `end` returns.
  parser.end(unpacked(path, limits));
  if (fault !== undefined) throw fault;
  return files;
};

/** The JSON files of a folder; links and what lies in folders below are passed over. Throws PackageUnusable. */
export const folderFiles = (path: string, limits: PackageLimits): JsonFiles => {
  const files = new Map<string, Buffer>();
  let bytes = 0;
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (!entry.isFile() || !isJsonName(entry.name)) continue;
      const file = join(path, entry.name);
      bytes += statSync(file).size;
      if (files.size >= limits.packageFiles) throw tooManyFiles(path, limits);
      if (bytes > limits.packageBytes) throw tooManyBytes(path, limits);
      files.set(entry.name, readFileSync(file));
    }
  } catch (error) {
    if (error instanceof PackageUnusable) throw error;
    throw unusable(path, `cannot be read: ${(error as Error).message}`);
  }
  return files;
};
