/**
 * Small secrets, encrypted before they go into a record: not every store encrypts what it keeps.
 * AES-256-GCM; the name of what is sealed is authenticated with it, so that one cannot be put in another's place.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export interface Seal {
  sealed(text: string, name: string): string;
  /** Throws if it was not sealed with the same key and name. */
  opened(text: string, name: string): string;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** `key`: 32 bytes. */
export const createSeal = (key: Buffer): Seal => ({
  sealed: (text, name) => {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name));
    const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), encrypted]).toString('base64url');
  },
  opened: (text, name) => {
    const bytes = Buffer.from(text, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(name))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
  },
});
