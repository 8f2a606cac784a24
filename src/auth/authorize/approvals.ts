/**
 * What a person has approved for a client before: `approval/[user id]/[client id]`. It lets `prompt=none` be answered
 * without a page, and nothing else: an app that opens the page gets the page.
 */
import type { AuthServer } from '../auth-server.ts';
import type { LaunchContext } from '../tokens/grant.ts';

interface Approval {
  /** What was asked for then. */
  readonly asked: readonly string[];
  /** What was granted of it. */
  readonly granted: readonly string[];
  readonly patient?: string;
  readonly encounter?: string;
}

/** As long as a refresh token lives. */
const APPROVAL_MILLISECONDS = 100 * 86_400_000;

const keyOf = (userId: string, clientId: string): string => `approval/${userId}/${clientId}`;

/** Any app on a phone or computer can take such an address for itself: nothing is given there without being asked. */
const isAnybodys = (redirectUri: string): boolean => !/^https?:/.test(redirectUri);

export const rememberApproval = async (
  { records, now }: AuthServer,
  userId: string,
  { clientId, redirectUri }: { readonly clientId: string; readonly redirectUri: string },
  approval: Omit<Approval, 'patient' | 'encounter'>,
  { patient, encounter }: LaunchContext,
): Promise<void> => {
  if (isAnybodys(redirectUri)) return;
  const value: Approval = {
    ...approval,
    ...(patient === undefined ? {} : { patient }),
    ...(encounter === undefined ? {} : { encounter }),
  };
  await records.put(keyOf(userId, clientId), JSON.stringify(value), { expires: now() + APPROVAL_MILLISECONDS });
};

export const forgetApproval = async ({ records }: AuthServer, userId: string, clientId: string): Promise<void> => {
  await records.delete(keyOf(userId, clientId));
};

/** The approval, if it answers a request that asks for nothing new. */
export const rememberedApproval = async (
  { records }: AuthServer,
  userId: string,
  {
    clientId,
    redirectUri,
    scopes,
  }: { readonly clientId: string; readonly redirectUri: string; readonly scopes: readonly string[] },
): Promise<Approval | undefined> => {
  const record = isAnybodys(redirectUri) ? undefined : await records.get(keyOf(userId, clientId));
  if (record === undefined) return undefined;
  const approval = JSON.parse(record.value) as Approval;
  return scopes.every((scope) => approval.asked.includes(scope)) ? approval : undefined;
};
