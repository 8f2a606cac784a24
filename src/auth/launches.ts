/** Launches that are under way: each is of use once, for five minutes, to the client that it was made for. */
import type { AuthServer } from './auth-server.ts';
import type { LaunchContext } from './tokens/grant.ts';
import { hashOf, newSecret } from './tokens/opaque-token.ts';

const LAUNCH_MILLISECONDS = 300_000;

export interface Launch {
  readonly clientId: string;
  readonly context: LaunchContext;
  /** The id of the user who created it; absent if a system did. */
  readonly launchedBy?: string;
}

const launchKey = (launch: string): string => `launch/${hashOf(launch)}`;

/** The opaque value that the app gets. */
export const keepLaunch = async (
  { records, now }: Pick<AuthServer, 'records' | 'now'>,
  launch: Launch,
): Promise<string> => {
  const text = newSecret();
  const expires = now() + LAUNCH_MILLISECONDS;
  await records.put(launchKey(text), JSON.stringify(launch), { revision: 0, expires });
  return text;
};

/**
 * What a launch stands for, once; undefined if it is unknown, expired, used or another client's. One that another client
 * has got hold of is not used up by that.
 */
export const takeLaunch = async (
  { records }: Pick<AuthServer, 'records'>,
  launch: string,
  clientId: string,
): Promise<Launch | undefined> => {
  const record = await records.get(launchKey(launch));
  if (record === undefined) return undefined;
  const stored = JSON.parse(record.value) as Launch;
  if (stored.clientId !== clientId) return undefined;
  return (await records.delete(record.key, record.revision)) ? stored : undefined;
};
