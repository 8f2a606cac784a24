/** The OpenID providers of hospitals, as an operator's file lists them. */

export interface Provider {
  /** Stands in urls: lower-case letters, digits and hyphens. */
  readonly name: string;
  /** Shown on the sign-in page. */
  readonly title: string;
  /** An https url, or a http url on loopback. */
  readonly issuer: string;
  readonly clientId: string;
  /** Absent for a public client. */
  readonly clientSecret?: string;
  /** `Organization/[id]`: only its own people can sign in through it. */
  readonly organization: string;
  /** The claim of the id token that names the person: `Practitioner/[id]`, or that below our FHIR base. */
  readonly claim: string;
  /** Whether the provider asks for a second factor itself, so that we need not. */
  readonly checksSecondFactor: boolean;
}

/** The file is wrong; the message says where. */
class ProvidersUnusable extends Error {
  override readonly name = 'ProvidersUnusable';
}

const PATTERNS: Readonly<Record<string, RegExp>> = {
  // The way back from a provider has a path beside theirs.
  name: /^(?!callback$)[a-z0-9-]{1,40}$/,
  title: /^.{1,100}$/,
  issuer: /^(?:https:\/\/[^\s?#]+|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:\/[^\s?#]*)?)$/,
  clientId: /^.{1,200}$/,
  clientSecret: /^.{1,500}$/,
  organization: /^Organization\/[A-Za-z0-9\-.]{1,64}$/,
  claim: /^.{1,200}$/,
};

const OPTIONAL = new Set(['clientSecret', 'claim', 'checksSecondFactor']);

const providerOf = (value: unknown, position: number): Provider => {
  const where = `provider ${position + 1}`;
  if (typeof value !== 'object' || value === null) throw new ProvidersUnusable(`${where} is no object`);
  const given = value as Record<string, unknown>;
  for (const [name, content] of Object.entries(given)) {
    const isRight =
      name === 'checksSecondFactor'
        ? typeof content === 'boolean'
        : typeof content === 'string' && PATTERNS[name]?.test(content) === true;
    if (!isRight) throw new ProvidersUnusable(`${where}: ${name} is unknown or malformed`);
  }
  const missing = Object.keys(PATTERNS).find((name) => given[name] === undefined && !OPTIONAL.has(name));
  if (missing !== undefined) throw new ProvidersUnusable(`${where}: ${missing} is missing`);
  return { claim: 'fhirUser', checksSecondFactor: false, ...given } as unknown as Provider;
};

/** `text`: a JSON array of providers. Throws ProvidersUnusable. */
export const providersOf = (text: string): readonly Provider[] => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ProvidersUnusable((error as Error).message);
  }
  if (!Array.isArray(parsed)) throw new ProvidersUnusable('it is no JSON array of providers');
  const providers = parsed.map(providerOf);
  const names = providers.map(({ name }) => name);
  const twice = names.find((name, position) => names.indexOf(name) !== position);
  if (twice !== undefined) throw new ProvidersUnusable(`the name ${twice} is there twice`);
  return providers;
};
