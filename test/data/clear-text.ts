/** Looks for clear text in files, whatever they are: a needle counts also in lower case and as UTF-16. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface SearchedFile {
  readonly name: string;
  readonly bytes: number;
  /** The needles that it contains. */
  readonly found: readonly string[];
}

/** Shorter needles could stand in random bytes by chance. */
const LEAST_NEEDLE_BYTES = 5;

const formsOf = (needle: string): Buffer[] =>
  [needle, needle.toLowerCase()].flatMap((text) => [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')]);

/** Searches every file of the folder. Throws an Error for a needle that is too short to say anything. */
export const searchedFiles = (folder: string, needles: readonly string[]): SearchedFile[] => {
  for (const needle of needles)
    if (Buffer.byteLength(needle) < LEAST_NEEDLE_BYTES) throw new Error(`The needle '${needle}' is too short`);
  return readdirSync(folder)
    .map((name) => ({ name, path: join(folder, name) }))
    .filter(({ path }) => statSync(path).isFile())
    .map(({ name, path }) => {
      const content = readFileSync(path);
      const found = needles.filter((needle) => formsOf(needle).some((form) => content.includes(form)));
      return { name, bytes: content.length, found };
    });
};
