/** Where the data written by others lies, if it is there: beside the checkout, never in it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const folderOf = (name: string): URL => new URL(`../../../shared/data/${name}/`, import.meta.url);

export interface DataFile {
  readonly name: string;
  readonly text: string;
}

/** For tap's `skip`: a reason, or false. */
export const absence = (name: string): string | false =>
  existsSync(folderOf(name)) ? false : `no folder ../shared/data/${name}`;

export const dataFolder = folderOf;

/** The JSON files of the folder, by name. */
export const dataFiles = (name: string): DataFile[] =>
  readdirSync(folderOf(name))
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({ name: file, text: readFileSync(new URL(file, folderOf(name)), 'utf8') }));
