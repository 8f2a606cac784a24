/**
 * The links between the entries of a transaction, rewritten to what the entries become on this server.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 * @see https://hl7.org/fhir/R4/bundle.html#references
 */
import { FhirError, issue } from '../fhir/fhir-error.ts';
import { type LinkKind, withReplacedLinks } from '../fhir/json-members.ts';

/** A fullUrl as of a RESTful server: relative references in its resource are below the same base. */
const RESTFUL_URL = /^(https?:\/\/.+)\/[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/;

/** Where in a resource the reference with this text stands. */
const pathOfReference = (value: unknown, text: string, path: string): string | undefined => {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, child] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`;
    if (key === 'reference' && child === text) return at;
    const found = pathOfReference(child, text, at);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** What a link becomes, or undefined if it stays. */
const replacementOf = (
  link: string,
  kind: LinkKind,
  base: string | undefined,
  replacements: ReadonlyMap<string, string>,
): string | undefined => {
  const target = (url: string): string | undefined =>
    replacements.get(url) ?? (base === undefined ? undefined : replacements.get(`${base}/${url}`));
  const found = target(link);
  // A url that is equal to a fullUrl may be the name of a definition, and then it is no link; a `urn:` and the url of a
  // Binary can only be links.
  if (kind === 'uri') return link.startsWith('urn:') || found?.startsWith('Binary/') ? found : undefined;
  const [current = '', version] = link.split('/_history/');
  if (found !== undefined || version === undefined) return found;
  const moved = target(current);
  // The version that was meant is not here; where the resource keeps its id, the reference stays as it is.
  return moved === undefined || current.endsWith(moved) ? undefined : moved;
};

/**
 * A resource's text with its links to other entries rewritten. `replacements` are by fullUrl, and by conditional
 * reference. Throws a FhirError 400 for a `urn:` reference that names no entry.
 */
export const rewrittenLinks = (
  text: string,
  type: string,
  fullUrl: string | undefined,
  replacements: ReadonlyMap<string, string>,
): string => {
  const base = RESTFUL_URL.exec(fullUrl ?? '')?.[1];
  return withReplacedLinks(text, (link, kind) => {
    const replacement = replacementOf(link, kind, base, replacements);
    if (replacement !== undefined || kind === 'uri' || !/^urn:(uuid|oid):/.test(link)) return replacement;
    const path = pathOfReference(JSON.parse(text), link, type) ?? type;
    throw new FhirError(400, [issue('value', `${path}: no entry of this transaction has the fullUrl '${link}'`, path)]);
  });
};
