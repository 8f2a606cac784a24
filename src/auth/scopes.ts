/**
 * Scopes, v1 and v2.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
 */

/** create, read, update, delete, search. */
export type Letter = 'c' | 'r' | 'u' | 'd' | 's';

/** A search parameter and its value, decoded. */
export type ScopeParameter = readonly [name: string, value: string];

export type ScopeLevel = 'patient' | 'user' | 'system';

export interface ResourceScope {
  readonly level: ScopeLevel;
  /** `*` for all. */
  readonly type: string;
  readonly letters: ReadonlySet<Letter>;
  /** Search parameters that a resource must match, as pairs; none for all resources of the type. */
  readonly parameters: readonly ScopeParameter[];
  /** As the client wrote it. */
  readonly text: string;
}

/** Scopes that are about the launch, the user and the tokens, not about resources. */
const OTHER_SCOPES = [
  'launch',
  'launch/patient',
  'launch/encounter',
  'openid',
  'fhirUser',
  'profile',
  'offline_access',
  'online_access',
] as const;
type OtherScope = (typeof OTHER_SCOPES)[number];

/** `resource`: what may be done with resources; `other`: one of `OTHER_SCOPES`; `none`: no scope, and why. */
export type ParsedScope =
  | { readonly kind: 'resource'; readonly text: string; readonly scope: ResourceScope }
  | { readonly kind: 'other'; readonly text: string; readonly name: OtherScope }
  | { readonly kind: 'none'; readonly text: string; readonly reason: string };

/** The order in which the letters of a scope stand. */
export const LETTERS: readonly Letter[] = ['c', 'r', 'u', 'd', 's'];

/** What v1 called the letters. @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources */
const VERSION_1: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': 'cruds' };

const RESOURCE_SCOPE = /^(patient|user|system)\/([A-Za-z]+|\*)\.([a-z]+|\*)(?:\?(.*))?$/;
const IN_ORDER = /^c?r?u?d?s?$/;
/** @see https://www.rfc-editor.org/rfc/rfc6749#section-3.3 */
const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

const isOther = (text: string): text is OtherScope => OTHER_SCOPES.some((name) => name === text);

/** The pairs of a query; undefined if it cannot be decoded, or has a name or value that is empty or unprintable. */
const parametersOf = (query: string): ScopeParameter[] | undefined => {
  try {
    decodeURIComponent(query);
  } catch {
    return undefined;
  }
  const pairs = [...new URLSearchParams(query)];
  const isWhole = ([name, value]: ScopeParameter): boolean =>
    name !== '' && value.trim() !== '' && !/[\x00-\x1f\x7f]/.test(name + value);
  return pairs.length > 0 && pairs.every(isWhole) ? pairs : undefined;
};

/** Parses one scope. Whether its parameters can be searched by is not looked at. */
export const parseScope = (text: string, isResourceType: (name: string) => boolean): ParsedScope => {
  const none = (reason: string): ParsedScope => ({ kind: 'none', text, reason });
  if (!TOKEN.test(text)) return none('it has characters that no scope has');
  if (isOther(text)) return { kind: 'other', text, name: text };
  const [, level, type = '', letters = '', query] = RESOURCE_SCOPE.exec(text) ?? [];
  if (level === undefined) return none('it is unknown');
  if (type !== '*' && !isResourceType(type)) return none(`R4 has no resource type ${type}`);
  const version1 = Object.hasOwn(VERSION_1, letters) ? VERSION_1[letters] : undefined;
  if (version1 !== undefined && query !== undefined) return none(`.${letters} takes no parameters`);
  if (version1 === undefined && !IN_ORDER.test(letters))
    return none(`'${letters}' is neither read nor write, nor some of the letters cruds in this order`);
  const parameters = query === undefined ? [] : parametersOf(query);
  if (parameters === undefined) return none('its parameters are not [name]=[value], percent-encoded');
  const granted = new Set([...(version1 ?? letters)] as Letter[]);
  return {
    kind: 'resource',
    text,
    scope: { level: level as ScopeLevel, type, letters: granted, parameters, text },
  };
};

/**
 * Parses a list of scopes, which single spaces part; each is there once. Undefined if the list is longer than `limit`
 * characters, or is no such list: another white space, a control character or one beyond ASCII is in it.
 */
export const parseScopes = (
  list: string,
  isResourceType: (name: string) => boolean,
  limit: number,
): readonly ParsedScope[] | undefined => {
  if (list.length > limit || !/^[\x20-\x7e]*$/.test(list)) return undefined;
  const texts = list.split(' ').filter((text) => text !== '');
  return [...new Set(texts)].map((text) => parseScope(text, isResourceType));
};

const isSame = ([name, value]: ScopeParameter, [otherName, otherValue]: ScopeParameter): boolean =>
  name === otherName && value === otherValue;

const hasAll = (parameters: readonly ScopeParameter[], wanted: readonly ScopeParameter[]): boolean =>
  wanted.every((one) => parameters.some((other) => isSame(one, other)));

/** Whether all that `asked` permits is permitted by `by` as well. */
export const covers = (by: ResourceScope, asked: ResourceScope): boolean =>
  by.level === asked.level &&
  (by.type === '*' || by.type === asked.type) &&
  asked.letters.isSubsetOf(by.letters) &&
  hasAll(asked.parameters, by.parameters);

const encoded = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%(2C|7C|3A|2F|24)/g, decodeURIComponent);

const lettersText = (letters: ReadonlySet<Letter>): string => LETTERS.filter((letter) => letters.has(letter)).join('');

const version1Name = (letters: string): string | undefined =>
  Object.keys(VERSION_1).find((name) => VERSION_1[name] === letters);

const isVersion1 = ({ text }: ResourceScope): boolean => /\.(?:read|write|\*)$/.test(text);

/** The scope with a text that says what it is, in the style of `asked`. */
const written = (asked: ResourceScope, granted: Omit<ResourceScope, 'text'>): ResourceScope => {
  const { level, type, letters, parameters } = granted;
  const text = lettersText(letters);
  const isWhole = letters.size === asked.letters.size && parameters.length === asked.parameters.length;
  if (isWhole && type === asked.type) return asked;
  const name = isVersion1(asked) && isWhole ? (version1Name(text) ?? text) : text;
  const query = parameters.map((pair) => pair.map(encoded).join('=')).join('&');
  return { ...granted, text: `${level}/${type}.${name}${query === '' ? '' : `?${query}`}` };
};

/** What both permit; undefined if that is nothing. */
const common = (asked: ResourceScope, allowed: ResourceScope): ResourceScope | undefined => {
  if (asked.level !== allowed.level) return undefined;
  if (asked.type !== '*' && allowed.type !== '*' && asked.type !== allowed.type) return undefined;
  const letters = asked.letters.intersection(allowed.letters);
  if (letters.size === 0) return undefined;
  const more = allowed.parameters.filter((one) => !asked.parameters.some((other) => isSame(one, other)));
  return written(asked, {
    level: asked.level,
    type: asked.type === '*' ? allowed.type : asked.type,
    letters,
    parameters: [...asked.parameters, ...more],
  });
};

/** Scopes that differ in their letters alone as one. */
const joined = (asked: ResourceScope, parts: readonly ResourceScope[]): ResourceScope[] => {
  const kept: ResourceScope[] = [];
  for (const part of parts) {
    const at = kept.findIndex(
      ({ type, parameters }) =>
        type === part.type && parameters.length === part.parameters.length && hasAll(parameters, part.parameters),
    );
    const other = kept[at];
    if (other === undefined) kept.push(part);
    else kept[at] = written(asked, { ...other, letters: other.letters.union(part.letters) });
  }
  return kept;
};

/**
 * The part of an asked scope that is allowed, in the style of the client: the scope itself if it is allowed whole, else
 * one or several that are narrower, none if nothing of it is allowed.
 */
export const allowedPart = (asked: ResourceScope, allowed: readonly ResourceScope[]): readonly ResourceScope[] => {
  if (allowed.some((each) => covers(each, asked))) return [asked];
  const parts = joined(
    asked,
    allowed.flatMap((each) => common(asked, each) ?? []),
  );
  return parts.filter(
    (part, at) =>
      !parts.some((other, otherAt) => otherAt !== at && covers(other, part) && (otherAt < at || !covers(part, other))),
  );
};
