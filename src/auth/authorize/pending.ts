/**
 * Authorization requests that wait for a person: records `authorization/[id]`, each bound to the browser that brought it.
 * Several tabs have several.
 */
import type { AuthServer } from '../auth-server.ts';
import { hashOf, isSameHash, newId } from '../tokens/opaque-token.ts';
import { changedRecord } from '../users/changed-record.ts';
import type { AuthorizationRequest } from './request.ts';

export interface PendingAuthorization extends AuthorizationRequest {
  readonly id: string;
  /** Hash of the browser's cookie. */
  readonly browser: string;
  /** Milliseconds since 1970 UTC. */
  readonly created: number;
  /** The user who was confirmed as the one to go on with (`prompt=select_account`). */
  readonly account?: string;
  /** Chosen by the user `chosenBy`. */
  readonly patient?: string;
  /** Likewise; '' for none. */
  readonly encounter?: string;
  readonly chosenBy?: string;
}

/** So long a person has for all steps. */
const PENDING_MILLISECONDS = 3_600_000;

const ID = /^[A-Za-z0-9_-]{22}$/;
const keyOf = (id: string): string => `authorization/${id}`;

/** Keeps a request until the person has decided. `browser`: the browser's cookie. */
export const keepPending = async (
  { records, now }: AuthServer,
  request: AuthorizationRequest,
  browser: string,
): Promise<PendingAuthorization> => {
  const pending = { ...request, id: newId(), browser: hashOf(browser), created: now() };
  const expires = pending.created + PENDING_MILLISECONDS;
  await records.put(keyOf(pending.id), JSON.stringify(pending), { revision: 0, expires });
  return pending;
};

/** The request, if it is there and is this browser's. */
export const findPending = async (
  { records }: AuthServer,
  id: string,
  browser: string | undefined,
): Promise<PendingAuthorization | undefined> => {
  const record = ID.test(id) && browser !== undefined ? await records.get(keyOf(id)) : undefined;
  if (record === undefined || browser === undefined) return undefined;
  const pending = JSON.parse(record.value) as PendingAuthorization;
  return isSameHash(pending.browser, hashOf(browser)) ? pending : undefined;
};

export const changePending = async (
  { records }: AuthServer,
  { id, created }: PendingAuthorization,
  changes: Partial<PendingAuthorization>,
): Promise<void> => {
  await changedRecord<PendingAuthorization>(
    records,
    keyOf(id),
    (pending) => pending && { value: { ...pending, ...changes }, expires: created + PENDING_MILLISECONDS },
  );
};

/** Takes the request away. Of several who do so at once, for only one the answer is true. */
export const takePending = async ({ records }: AuthServer, { id }: PendingAuthorization): Promise<boolean> => {
  const record = await records.get(keyOf(id));
  return record !== undefined && records.delete(keyOf(id), record.revision);
};
