/**
 * Canonical references: a url, perhaps with the business version of what it names.
 *
 * @see https://hl7.org/fhir/R4/references.html#canonical
 */

export interface Canonical {
  readonly url: string;
  readonly version: string | undefined;
}

/** @example splitCanonical('http://acme.com/q|1.0'); // { url: 'http://acme.com/q', version: '1.0' } */
export const splitCanonical = (text: string): Canonical => {
  const bar = text.indexOf('|');
  return bar < 0 ? { url: text, version: undefined } : { url: text.slice(0, bar), version: text.slice(bar + 1) };
};

/** What a version is below of, itself included: `1.0.2` of `1`, `1.0` and `1.0.2`. */
export const versionsAbove = (version: string): string[] => {
  const parts = version.split('.');
  return parts.map((_, at) => parts.slice(0, at + 1).join('.'));
};
