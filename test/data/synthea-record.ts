/** What the Synthea files contain, read without any code of the server's. */
import { elementsOf, membersOf, type Tokens, tokensOf } from './json-tokens.ts';
import type { DataFile } from './shared-data.ts';

export interface LoadedEntry {
  /** `Patient/1`, as the server has answered. */
  readonly location: string;
  readonly type: string;
  /** Of the resource as it stands in the file, with the references between entries as they must be stored. */
  readonly tokens: Tokens;
  readonly resource: Resource;
}

interface Concept {
  readonly coding?: readonly { readonly system?: string; readonly code?: string }[];
}

/** The elements of Observation, Condition and Encounter that are searched. */
export interface Resource {
  readonly resourceType: string;
  readonly code?: Concept;
  readonly clinicalStatus?: Concept;
  readonly subject?: { readonly reference?: string };
  readonly effectiveDateTime?: string;
  readonly period?: { readonly start: string; readonly end: string };
}

/** The references between entries rewritten to where the server has put them. */
const rewritten = (tokens: Tokens, locations: ReadonlyMap<string, string>): string[] =>
  tokens.map((token, at) => {
    const isReference = tokens[at - 1] === ':' && tokens[at - 2] === '"reference"' && token.startsWith('"urn:');
    if (!isReference) return token;
    const location = locations.get(JSON.parse(token));
    if (location === undefined) throw new Error(`No entry has the fullUrl ${token}`);
    return JSON.stringify(location);
  });

/** The entries of a transaction with the locations of its transaction-response, in the same order. */
export const loadedEntries = ({ text }: DataFile, response: string): LoadedEntry[] => {
  const entries = elementsOf(membersOf(tokensOf(text)).get('entry') ?? ['[', ']']).map(membersOf);
  const answers: { response: { location: string } }[] = JSON.parse(response).entry;
  const places = answers.map(({ response: { location } }) => location.replace(/\/_history\/1$/, ''));
  const locations = new Map(entries.map((entry, at) => [JSON.parse(entry.get('fullUrl')![0]!) as string, places[at]!]));
  return entries.map((entry, at) => {
    const tokens = rewritten(entry.get('resource')!, locations);
    const resource = JSON.parse(tokens.join('')) as Resource;
    return { location: places[at]!, type: resource.resourceType, tokens, resource };
  });
};

/** `system|code` of each coding. */
export const codesOf = (concept: Concept | undefined): string[] =>
  (concept?.coding ?? []).map(({ system = '', code = '' }) => `${system}|${code}`);

/** From the first millisecond to behind the last, as R4 takes a value of seconds, which all of Synthea's are. */
export interface Span {
  readonly lo: number;
  readonly hi: number;
}

export const spanOf = ({ effectiveDateTime, period }: Resource): Span => {
  const start = period?.start ?? effectiveDateTime ?? '';
  const end = period?.end ?? effectiveDateTime ?? '';
  return { lo: Date.parse(start), hi: Date.parse(end) + 1000 };
};

/**
 * Whether a span matches a day with a prefix, by the words of R4: `eq` if the day fully contains it; `ge` (`le`) if the
 * range above (below) the day overlaps with it, or the day fully contains it; `gt` (`lt`) without the latter.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */
export const matchesDay = ({ lo, hi }: Span, prefix: string, day: string): boolean => {
  const dayLo = Date.parse(`${day}T00:00:00Z`);
  const dayHi = dayLo + 86_400_000;
  const isContained = dayLo <= lo && hi <= dayHi;
  if (prefix === 'eq') return isContained;
  if (prefix === 'gt' || prefix === 'ge') return hi > dayHi || (prefix === 'ge' && isContained);
  return lo < dayLo || (prefix === 'le' && isContained);
};
