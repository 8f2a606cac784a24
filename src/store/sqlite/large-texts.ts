/** Reads large texts in a thread of their own, which is started with the first one. */
import type { DatabaseFile } from './database.ts';
import { startThread, type Thread } from './thread.ts';

/** A version never changes, and so its text needs no snapshot. */
export interface TextRequest {
  readonly rid: number;
  readonly version: number;
}

export interface LargeTexts {
  textOf(version: TextRequest): Promise<Buffer>;
  end(): Promise<void>;
}

type Reader = Thread<TextRequest, Uint8Array>;

export const createLargeTexts = ({ path, key }: DatabaseFile): LargeTexts => {
  let reader: Promise<Reader> | undefined;
  const start = (): Promise<Reader> => startThread(new URL('./large-text-thread.ts', import.meta.url), { path, key });

  /** The thread; a new one if it has ended or could not start. */
  const running = async (): Promise<Reader> => {
    const known = reader;
    const found = await known?.catch(() => undefined);
    if (found?.hasEnded() === false) return found;
    if (reader === known) reader = start();
    return reader as Promise<Reader>;
  };

  return {
    textOf: async (version) => {
      const { buffer, byteOffset, byteLength } = await (await running()).ask(version);
      return Buffer.from(buffer, byteOffset, byteLength);
    },
    end: async () => {
      const found = await reader?.catch(() => undefined);
      await found?.end();
    },
  };
};
