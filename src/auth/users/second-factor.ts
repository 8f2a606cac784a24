/**
 * The second factor: codes that an authenticator app makes from a shared secret and the time, or a recovery code.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6238
 */
import { randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { toString as qrCode } from 'qrcode';
import { hashOf } from '../tokens/opaque-token.ts';

/** The app's clock may be one step off, either way. */
const WINDOW_STEPS = 1;
const PERIOD_SECONDS = 30;
const DIGITS = 6;
/** As long as the hash's output, as RFC 4226 recommends. */
const SECRET_BYTES = 20;

const ISSUER = 'Consilium';

const totpOf = (secret: string, login = ''): TOTP =>
  new TOTP({
    ...{ issuer: ISSUER, label: login, algorithm: 'SHA1', digits: DIGITS, period: PERIOD_SECONDS },
    secret: Secret.fromBase32(secret),
  });

/** A new secret in base32, as people type it into an app that cannot read the QR code. */
export const newFactorSecret = (): string => new Secret({ size: SECRET_BYTES }).base32;

/** The address that the QR code says. */
export const factorUri = (secret: string, login: string): string => totpOf(secret, login).toString();

/** An SVG, 0.3 to 1.5 kB, black on white. */
export const factorImage = (secret: string, login: string): Promise<string> =>
  qrCode(factorUri(secret, login), { type: 'svg', errorCorrectionLevel: 'M', margin: 3 });

/**
 * The time step of a code, if it is one of about now and of a later step than `usedStep`, which was the last one that was
 * used; else undefined. The caller keeps it as the new `usedStep`.
 */
export const codeStep = (
  secret: string,
  code: string,
  milliseconds: number,
  usedStep: number | undefined,
): number | undefined => {
  const token = code.replace(/[\s-]/g, '');
  if (!/^\d{6}$/.test(token)) return undefined;
  const delta = totpOf(secret).validate({ token, timestamp: milliseconds, window: WINDOW_STEPS });
  if (delta === null) return undefined;
  const step = Math.floor(milliseconds / 1000 / PERIOD_SECONDS) + delta;
  return usedStep !== undefined && step <= usedStep ? undefined : step;
};

const RECOVERY_CODES = 10;
/** 80 random bits: too many to be guessed, also from a hash. */
const RECOVERY_BYTES = 10;

/** Codes such as `7QKA-GZ3M-X5OT-BB2Y`, for when the app is lost. */
export const newRecoveryCodes = (): readonly string[] =>
  Array.from({ length: RECOVERY_CODES }, () =>
    new Secret({ buffer: new Uint8Array(randomBytes(RECOVERY_BYTES)).buffer }).base32.replace(/(.{4})(?=.)/g, '$1-'),
  );

/** What is kept of a recovery code, however it is typed. */
export const recoveryHash = (code: string): string => hashOf(code.toUpperCase().replace(/[^A-Z2-7]/g, ''));
