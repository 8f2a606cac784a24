/** Archives made by hand, so that they can also be such as no tool would make. */
import { gzipSync } from 'node:zlib';

export interface ArchivedFile {
  readonly path: string;
  readonly content: string | Buffer;
  /** `0` a file, `2` a symbolic link. */
  readonly type?: string;
}

const BLOCK = 512;

const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;

/** @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html, ustar Interchange Format */
const blocksOf = ({ path, content, type = '0' }: ArchivedFile): Buffer => {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(BLOCK);
  const put = (text: string, at: number): number => header.write(text, at, 'latin1');
  put(path, 0);
  put(octal(0o644, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(bytes.length, 12), 124);
  put(octal(0, 12), 136);
  put('        ', 148);
  put(type, 156);
  if (type === '2') put('/etc/passwd', 157);
  put('ustar\x0000', 257);
  put(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
  );
  const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
  return Buffer.concat([header, bytes, padding]);
};

export const tgzOf = (files: readonly ArchivedFile[]): Buffer =>
  gzipSync(Buffer.concat([...files.map(blocksOf), Buffer.alloc(2 * BLOCK)]));
