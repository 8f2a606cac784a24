/**
 * The launch that a request belongs to. A `launch` value and the scope `launch` come together or not at all.
 *
 * @see https://hl7.org/fhir/smart-app-launch/app-launch.html#request-4
 */
import type { AuthServer } from '../auth-server.ts';
import type { Client } from '../clients/client.ts';
import { takeLaunch } from '../launches.ts';
import { OAuthError } from '../oauth-error.ts';
import type { LaunchContext } from '../tokens/grant.ts';

interface TakenLaunch {
  readonly context: LaunchContext;
  readonly launchedBy?: string;
}

const invalidRequest = (description: string): OAuthError => new OAuthError(400, 'invalid_request', description);

/** Takes the launch, which is then used up. Throws an OAuthError `invalid_request`. */
export const takenLaunch = async (
  server: AuthServer,
  client: Client,
  scopes: readonly string[],
  launch: string | undefined,
): Promise<TakenLaunch> => {
  const asks = scopes.includes('launch');
  if (launch === undefined) {
    if (asks)
      throw invalidRequest('The scope launch needs the parameter launch; a standalone app asks for launch/patient');
    return { context: {} };
  }
  if (!asks) throw invalidRequest('The parameter launch needs the scope launch');
  const taken = await takeLaunch(server, launch, client.id);
  if (taken === undefined) throw invalidRequest('The launch is unknown, is over, was used, or is of another app');
  return taken;
};
