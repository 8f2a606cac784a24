import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A file whose turn comes later: only its name and size are held. */
export interface SourceFile {
  readonly path: string;
  readonly bytes: number;
  /** A sentence on why it cannot be pushed. */
  readonly problem?: string;
}

/** A sentence on why the file system refused, for a person who knows no error codes. */
export const readProblem = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'There is no such file or folder';
  if (code === 'EACCES' || code === 'EPERM') return 'It cannot be read: permission denied';
  return `It cannot be read: ${message}`;
};

const isPushable = (name: string): boolean => /\.(json|ndjson)$/i.test(name);

const isFolder = async (item: Dirent, path: string): Promise<boolean> => {
  if (!item.isSymbolicLink()) return item.isDirectory();
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
};

/**
 * The files that `paths` stand for, in the order of the arguments, folders recursively in sorted order. In a folder
 * only `.json` and `.ndjson` count; a file that is named itself may be called anything. What is reached twice (named
 * twice, or by a link) is listed once, because a transaction pushed twice would be stored twice.
 * A path that cannot be read is listed with its `problem`, so that it is reported like a refused entry.
 */
export const sourceFiles = async (paths: readonly string[]): Promise<SourceFile[]> => {
  const files: SourceFile[] = [];
  const seen = new Set<string>();
  let reached = 0;

  const visitFolder = async (folder: string): Promise<void> => {
    const items = await readdir(folder, { withFileTypes: true });
    for (const item of items.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, item.name);
      if (isPushable(item.name) || (await isFolder(item, path))) await visit(path);
    }
  };

  const visit = async (path: string): Promise<void> => {
    try {
      const real = await realpath(path);
      const stats = await stat(real);
      const isNew = !seen.has(real);
      seen.add(real);
      if (!stats.isDirectory()) reached += 1;
      if (!isNew) return;
      if (stats.isDirectory()) await visitFolder(path);
      else if (stats.isFile()) files.push({ path, bytes: stats.size });
      else files.push({ path, bytes: 0, problem: 'It is neither a file nor a folder' });
    } catch (error) {
      reached += 1;
      files.push({ path, bytes: 0, problem: readProblem(error) });
    }
  };

  for (const path of new Set(paths)) {
    const before = reached;
    await visit(path);
    if (reached === before) files.push({ path, bytes: 0, problem: 'The folder holds no .json or .ndjson file' });
  }
  return files;
};
