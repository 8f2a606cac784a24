/** A registered client: what an operator, or dynamic registration, said of an app or a system. */

export const CLIENT_KINDS = ['public', 'confidential-symmetric', 'confidential-asymmetric', 'backend'] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];

/**
 * Why a client reads records: treatment, at the patient's request, coordination of care. Research, marketing and
 * training cannot be registered.
 *
 * @see https://terminology.hl7.org/ValueSet-v3-PurposeOfUse.html
 */
export const PURPOSES = ['TREAT', 'PATRQT', 'COC'] as const;
export type Purpose = (typeof PURPOSES)[number];

export interface Client {
  readonly id: string;
  readonly name: string;
  readonly kind: ClientKind;
  /** Compared character by character. */
  readonly redirectUris: readonly string[];
  readonly launchUris: readonly string[];
  /** SHA-256 of the secret, base64url; the secret has 256 random bits, so that no slow hash is needed. */
  readonly secretHash?: string;
  /** A JWK set with public keys. */
  readonly jwks?: { readonly keys: readonly object[] };
  readonly jwksUrl?: string;
  /** The most that it may be granted, space-separated. */
  readonly scope: string;
  /** `Organization/[id]` that it acts for; what it pushes has this as its source. */
  readonly organization?: string;
  readonly purpose: Purpose;
  /** `source`: what its organization pushed; `all`: everything. For tokens without a user. */
  readonly reach: 'source' | 'all';
  /** Shown to people who are asked to approve. */
  readonly logoUrl?: string;
  readonly isDisabled: boolean;
  /** What it was granted before this instant is void, as it was disabled since. Absent if it never was. */
  readonly validFrom?: number;
  /** Milliseconds since 1970 UTC. */
  readonly created: number;
}
