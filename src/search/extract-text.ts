/**
 * The words of a resource: of its narrative for `_text`, of all that it says for `_content`.
 *
 * @see https://hl7.org/fhir/R4/search.html#content
 */
import { type IndexEntry, modifiedParam, TEXT_LIMIT } from './index-entry.ts';
import type { JsonObject } from './value-path.ts';

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

/** The text of XHTML: tags become spaces, as words in neighbouring cells are two words. */
const plainText = (xhtml: string): string =>
  xhtml
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(?:#(\d{1,6})|#x([0-9a-fA-F]{1,5})|([a-z]+));/g, (whole, decimal, hexadecimal, name) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal);
      return code <= 0x10_ff_ff ? String.fromCodePoint(code) : ' ';
    });

/** Base64, ids, links and codes of the server's own are no words that anybody searches. */
const SKIPPED = new Set([
  'data',
  'id',
  'reference',
  'url',
  'system',
  'resourceType',
  'versionId',
  'lastUpdated',
  'fullUrl',
]);

const collect = (value: unknown, words: string[]): void => {
  if (typeof value === 'string') words.push(value);
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) collect(item, words);
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    if (SKIPPED.has(key)) continue;
    if (key === 'div' && typeof child === 'string') words.push(plainText(child));
    else collect(child, words);
  }
};

/** Adds the entries `_content` and, if there is a narrative, `_text`; a token tells `:missing` that there is one. */
export const addTextEntries = (resource: JsonObject, entries: IndexEntry[]): void => {
  const words: string[] = [];
  collect(resource, words);
  if (words.length > 0)
    entries.push({ kind: 'text', param: '_content', text: [...new Set(words)].join(' ').slice(0, TEXT_LIMIT) });
  const { div } = (resource['text'] ?? {}) as { div?: string };
  if (div === undefined) return;
  entries.push({ kind: 'text', param: '_text', text: plainText(div).slice(0, TEXT_LIMIT) });
  entries.push({ kind: 'token', param: modifiedParam('_text', 'present'), system: '', code: 'true' });
};
