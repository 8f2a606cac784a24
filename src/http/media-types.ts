/**
 * The content types of FHIR's JSON forms.
 *
 * @see https://hl7.org/fhir/R4/http.html#mime-type
 */
import { notAcceptable, unsupportedMediaType } from '../fhir/fhir-error.ts';

const FHIR_JSON = 'application/fhir+json';
const JSON_TYPES = new Set([FHIR_JSON, 'application/json', 'text/json']);
const FORM = 'application/x-www-form-urlencoded';
/** Values of `_format`. */
const FORMATS = new Set(['json', ...JSON_TYPES]);

interface MediaType {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const mediaType = (text: string): MediaType => {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim());
  const pairs = parameters.map((parameter): [string, string] => {
    const [key = '', value = ''] = parameter.split('=');
    return [key.toLowerCase(), value.replace(/^"|"$/g, '')];
  });
  return { name: name.toLowerCase(), parameters: new Map(pairs) };
};

const isOurVersion = ({ parameters }: MediaType): boolean => ['4.0', undefined].includes(parameters.get('fhirversion'));

const accepted = ({ name, parameters }: MediaType): string | undefined => {
  if (Number(parameters.get('q') ?? 1) === 0) return undefined;
  if (name === '*/*' || name === 'application/*') return FHIR_JSON;
  return JSON_TYPES.has(name) ? name : undefined;
};

/**
 * The content type of the answer, by `_format`, which wins, or `Accept`. Throws a FhirError 406 if the client takes none
 * that the server has.
 */
export const answerType = (accept: string | undefined, format: string | undefined): string => {
  if (format !== undefined) {
    // In a query string a `+` that was not encoded has become a space.
    const { name } = mediaType(format.replace(' ', '+'));
    if (!FORMATS.has(name))
      throw notAcceptable(`_format=${format}: this server answers in JSON, application/fhir+json`);
    return `${name === 'json' ? FHIR_JSON : name}; charset=utf-8`;
  }
  const given = (accept ?? '').trim();
  if (given === '') return `${FHIR_JSON}; charset=utf-8`;
  for (const type of given.split(',').map(mediaType)) {
    const answer = accepted(type);
    if (answer !== undefined && isOurVersion(type)) return `${answer}; charset=utf-8`;
  }
  throw notAcceptable(`Accept: ${given}: this server answers in application/fhir+json of FHIR 4.0`);
};

const WANTED = { resource: FHIR_JSON, search: FORM, patch: 'application/json-patch+json or application/fhir+json' };

/** Whether a content type is one of FHIR's JSON forms. */
export const isJsonType = (header: string): boolean => JSON_TYPES.has(mediaType(header).name);

const FHIR_TYPES = new Set([FHIR_JSON, 'application/fhir+xml', 'application/fhir+turtle']);
const GENERIC_TYPES = new Set(['application/json', 'text/json', 'application/xml', 'text/xml']);

/**
 * Whether a reader of a Binary wants its content, of a given type, as it is. Who names a type of FHIR wants the resource;
 * who names a generic one, such as application/json, wants the content if it is of that type, and else the resource.
 *
 * @see https://hl7.org/fhir/R4/binary.html#rest
 */
export const contentPreference = (
  accept: string | undefined,
  format: string | undefined,
): ((contentType: string) => boolean) => {
  if (format !== undefined) return () => false;
  const names = (accept ?? '').split(',').map((type) => mediaType(type).name);
  if (names.some((name) => FHIR_TYPES.has(name))) return () => false;
  if (names.every((name) => GENERIC_TYPES.has(name)))
    return (contentType) => names.includes(mediaType(contentType).name);
  return () => true;
};

/** Checks the content type of a body. Throws a FhirError 415 if it is missing or not JSON, or, for a search, not a form. */
export const checkBodyType = (header: string | undefined, kind: 'resource' | 'search' | 'patch'): void => {
  const wanted = WANTED[kind];
  if (header === undefined) throw unsupportedMediaType(`The Content-Type is missing; it should be ${wanted}`);
  const type = mediaType(header);
  // The interaction itself tells the kinds of patches apart, and refuses others.
  if (kind === 'search' ? type.name !== FORM : kind === 'resource' && !JSON_TYPES.has(type.name))
    throw unsupportedMediaType(`The Content-Type is ${type.name}; it should be ${wanted}`);
  if (!isOurVersion(type)) throw unsupportedMediaType(`The Content-Type asks for another version than FHIR 4.0`);
  const charset = type.parameters.get('charset')?.toLowerCase() ?? 'utf-8';
  if (charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii')
    throw unsupportedMediaType(`The charset of the Content-Type is ${charset}; JSON is UTF-8`);
};

/** Throws a FhirError 415 for a compressed body: this server reads none. */
export const checkBodyEncoding = (header: string | undefined): void => {
  if (header === undefined || header.trim().toLowerCase() === 'identity') return;
  throw unsupportedMediaType(`The Content-Encoding is ${header}; this server reads bodies as they are`);
};
