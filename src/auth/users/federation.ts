/**
 * Sign-in through a hospital's own OpenID provider. Whoever comes back must be a registered user who is of the provider's
 * organization: a provider can say nothing about people of others.
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
 */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretPost,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
  None,
  randomPKCECodeVerifier,
} from 'openid-client';
import type { Records } from '../../store/store.ts';
import { hashOf, isSameHash, newSecret } from '../tokens/opaque-token.ts';
import type { Provider } from './providers.ts';
import type { User } from './user.ts';
import type { Users } from './users.ts';

/** Why somebody could not sign in through a provider. Codes, as pages speak several languages. */
export type FederationProblem = 'unknown-provider' | 'unreachable' | 'expired' | 'refused' | 'unknown-person';

export class FederationRefused extends Error {
  override readonly name = 'FederationRefused';
  readonly problem: FederationProblem;

  constructor(problem: FederationProblem, cause?: unknown) {
    super(`Sign-in through a provider: ${problem}`, { cause });
    this.problem = problem;
  }
}

export interface FederationParts {
  readonly providers: readonly Provider[];
  readonly records: Records;
  readonly users: Pick<Users, 'findByFhirUser'>;
  readonly fhirBase: string;
  /** Where providers send people back to. */
  readonly redirectUri: string;
  now(): number;
  /** The organization (`Organization/[id]`) of a resource (`Practitioner/[id]`). */
  organizationOf(reference: string): Promise<string | undefined>;
}

export interface Federation {
  readonly providers: readonly Provider[];
  /**
   * Where the browser goes to sign in. `browser`: its cookie; `destination`: where it wants to be afterwards; `isAnew`:
   * whether the provider must ask for the credentials, also if it knows the browser. Fails with FederationRefused.
   */
  begin(name: string, browser: string, destination: string, isAnew: boolean): Promise<URL>;
  /** Who has come back, with the query that the provider gave. Fails with FederationRefused. */
  finish(query: string, browser: string): Promise<{ user: User; provider: Provider; destination: string }>;
}

interface Begun {
  readonly provider: string;
  readonly verifier: string;
  readonly nonce: string;
  /** Hash of the browser's cookie. */
  readonly browser: string;
  readonly destination: string;
}

/** So long somebody has to sign in at the provider. */
const BEGUN_MILLISECONDS = 600_000;
/** So long what a provider says of itself is believed. */
const DISCOVERED_MILLISECONDS = 3_600_000;
const PROVIDER_SECONDS = 10;

const discovered = async ({ issuer, clientId, clientSecret }: Provider): Promise<Configuration> => {
  const authentication = clientSecret === undefined ? None() : ClientSecretPost(clientSecret);
  const isLoopback = issuer.startsWith('http:');
  return discovery(new URL(issuer), clientId, undefined, authentication, {
    timeout: PROVIDER_SECONDS,
    execute: isLoopback ? [allowInsecureRequests] : [],
  });
};

/** What providers say of themselves, asked again after some time, or after a failure. */
const createConfigurations = (now: () => number) => {
  const known = new Map<string, { readonly configuration: Promise<Configuration>; readonly until: number }>();
  return (provider: Provider): Promise<Configuration> => {
    const there = known.get(provider.name);
    if (there !== undefined && there.until > now()) return there.configuration;
    const configuration = discovered(provider).catch((error: unknown) => {
      known.delete(provider.name);
      throw new FederationRefused('unreachable', error);
    });
    known.set(provider.name, { configuration, until: now() + DISCOVERED_MILLISECONDS });
    return configuration;
  };
};

const REFERENCE = /^(?:Practitioner|PractitionerRole|Patient|RelatedPerson)\/[A-Za-z0-9\-.]{1,64}$/;

export const createFederation = (parts: FederationParts): Federation => {
  const { providers, records, users, fhirBase, redirectUri, now, organizationOf } = parts;
  const configurationOf = createConfigurations(now);
  const provided = (name: string): Provider => {
    const provider = providers.find((candidate) => candidate.name === name);
    if (provider === undefined) throw new FederationRefused('unknown-provider');
    return provider;
  };

  const taken = async (state: string, browser: string): Promise<Begun> => {
    const key = `federation/${hashOf(state)}`;
    const record = await records.get(key);
    if (record === undefined || !(await records.delete(key, record.revision))) throw new FederationRefused('expired');
    const begun = JSON.parse(record.value) as Begun;
    if (!isSameHash(begun.browser, hashOf(browser))) throw new FederationRefused('expired');
    return begun;
  };

  const personOf = async (claim: unknown, provider: Provider): Promise<User> => {
    const text = typeof claim === 'string' ? claim : '';
    const reference = text.startsWith(`${fhirBase}/`) ? text.slice(fhirBase.length + 1) : text;
    const isOwn = REFERENCE.test(reference) && (await organizationOf(reference)) === provider.organization;
    const enabled = isOwn ? (await users.findByFhirUser(reference)).filter(({ isDisabled }) => !isDisabled) : [];
    const [user] = enabled;
    if (user === undefined || enabled.length > 1) throw new FederationRefused('unknown-person');
    return user;
  };

  return {
    providers,
    begin: async (name, browser, destination, isAnew) => {
      const provider = provided(name);
      const configuration = await configurationOf(provider);
      const [state, nonce, verifier] = [newSecret(), newSecret(), randomPKCECodeVerifier()];
      const begun: Begun = { provider: name, verifier, nonce, browser: hashOf(browser), destination };
      await records.put(`federation/${hashOf(state)}`, JSON.stringify(begun), {
        revision: 0,
        expires: now() + BEGUN_MILLISECONDS,
      });
      return buildAuthorizationUrl(configuration, {
        ...{ scope: 'openid', redirect_uri: redirectUri, state, nonce, code_challenge_method: 'S256' },
        code_challenge: await calculatePKCECodeChallenge(verifier),
        ...(isAnew ? { prompt: 'login' } : {}),
      });
    },
    finish: async (query, browser) => {
      const state = new URLSearchParams(query).get('state') ?? '';
      const { provider: name, verifier, nonce, destination } = await taken(state, browser);
      const provider = provided(name);
      const configuration = await configurationOf(provider);
      const claims = await authorizationCodeGrant(configuration, new URL(`${redirectUri}?${query}`), {
        ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true },
      }).then(
        (answer) => answer.claims(),
        (error: unknown) => {
          throw new FederationRefused('refused', error);
        },
      );
      return { user: await personOf(claims?.[provider.claim], provider), provider, destination };
    },
  };
};
