/**
 * Literal references: `Patient/1`, `Patient/1/_history/2`, `http://host/fhir/Patient/1`, `urn:uuid:...`, `#contained`.
 *
 * @see https://hl7.org/fhir/R4/references.html#literal
 */

/** The identity of a resource on this server. */
export interface Reference {
  readonly type: string;
  readonly id: string;
}

export type ParsedReference =
  | { readonly kind: 'local'; readonly type: string; readonly id: string; readonly version?: string }
  | { readonly kind: 'contained'; readonly id: string }
  /** Another server's resource, a `urn:`, or a canonical url. */
  | { readonly kind: 'absolute'; readonly url: string }
  /** `Patient?identifier=...`: allowed only in transactions. */
  | { readonly kind: 'conditional'; readonly type: string; readonly query: string };

const ID = /^[A-Za-z0-9\-.]{1,64}$/;
const RELATIVE = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/([A-Za-z0-9\-.]{1,64}))?$/;
const CONDITIONAL = /^([A-Z][A-Za-z]+)\?(.+)$/s;
const ABSOLUTE = /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/;

/** @see https://hl7.org/fhir/R4/datatypes.html#id */
export const isId = (text: string): boolean => ID.test(text);

export const referenceText = ({ type, id }: Reference): string => `${type}/${id}`;

/**
 * Parses a literal reference, or returns undefined if it is none. An absolute url below `baseUrl` (the server's FHIR
 * base, without a final slash) is local. Whether the type exists is not checked.
 */
export const parseReference = (text: string, baseUrl: string): ParsedReference | undefined => {
  if (text.startsWith('#')) return { kind: 'contained', id: text.slice(1) };
  const own = text.startsWith(`${baseUrl}/`) ? text.slice(baseUrl.length + 1) : text;
  const relative = RELATIVE.exec(own);
  if (relative !== null) {
    const [, type = '', id = '', version] = relative;
    return version === undefined ? { kind: 'local', type, id } : { kind: 'local', type, id, version };
  }
  const conditional = CONDITIONAL.exec(own);
  if (conditional !== null) return { kind: 'conditional', type: conditional[1] ?? '', query: conditional[2] ?? '' };
  return ABSOLUTE.test(text) ? { kind: 'absolute', url: text } : undefined;
};
