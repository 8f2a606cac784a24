/**
 * Reference entries: what a Reference, canonical or uri points to. A contained resource is no target of its own, and
 * a Reference with an identifier only points to no known resource.
 *
 * @see https://hl7.org/fhir/R4/search.html#reference
 */
import type { Reference, Resource } from '@medplum/fhirtypes';
import { parseReference } from '../../fhir/reference.ts';
import { type IndexEntry, modifiedParam } from '../index-entry.ts';
import { splitCanonical, versionsAbove } from '../split-canonical.ts';
import type { AddEntries } from './add-entries.ts';

/** What entries of references depend on beside the value. */
export interface ReferenceContext {
  /** The server's FHIR base, without a final slash. */
  readonly baseUrl: string;
  readonly isResourceType: (name: string) => boolean;
  /** The resource types that the parameter may point to; empty means any. */
  readonly targets: readonly string[];
}

const addUrl = (param: string, url: string, entries: IndexEntry[]): void => {
  entries.push({ kind: 'reference', param, type: '', id: url });
};

const withoutVersion = (url: string): string => {
  const history = url.indexOf('/_history/');
  return history < 0 ? url : url.slice(0, history);
};

const addReference = (param: string, text: unknown, context: ReferenceContext, entries: IndexEntry[]): void => {
  if (typeof text !== 'string') return;
  const parsed = parseReference(text, context.baseUrl);
  if (parsed?.kind === 'absolute') addUrl(param, withoutVersion(parsed.url), entries);
  if (parsed?.kind !== 'local' || !context.isResourceType(parsed.type)) return;
  entries.push({ kind: 'reference', param, type: parsed.type, id: parsed.id });
};

/** So many parts of a version can be asked for by `:below`. */
const VERSION_PARTS = 8;

/**
 * A canonical is found with and without its version, by `:below` with the first parts of its version, and, if it is a
 * resource of this server, by type and id.
 */
const addCanonical = (param: string, value: unknown, context: ReferenceContext, entries: IndexEntry[]): void => {
  if (typeof value !== 'string' || value.startsWith('#')) return;
  const { url, version } = splitCanonical(value);
  addUrl(param, value, entries);
  if (version !== undefined) {
    addUrl(param, url, entries);
    for (const above of versionsAbove(version).slice(0, VERSION_PARTS))
      entries.push({ kind: 'token', param: modifiedParam(param, 'below'), system: url, code: above });
  }
  const parsed = parseReference(url, context.baseUrl);
  if (parsed?.kind !== 'local' || !context.isResourceType(parsed.type)) return;
  entries.push({ kind: 'reference', param, type: parsed.type, id: parsed.id });
};

/** The first resource of a document or message Bundle, which `Bundle.composition` and `Bundle.message` point to. */
const addResource = (
  param: string,
  { resourceType, id }: Resource,
  { targets }: ReferenceContext,
  entries: IndexEntry[],
): void => {
  if (id === undefined || !targets.includes(resourceType)) return;
  entries.push({ kind: 'reference', param, type: resourceType, id });
};

/** Undefined for types that point to nothing, such as the Attachment of `Consent.source[x]`. */
export const referenceEntries = (param: string, type: string, context: ReferenceContext): AddEntries | undefined => {
  switch (type) {
    case 'Reference':
      return (value, entries) => addReference(param, (value as Reference).reference, context, entries);
    case 'canonical':
      return (value, entries) => addCanonical(param, value, context, entries);
    case 'uri':
      return (value, entries) => {
        if (typeof value === 'string') addUrl(param, value, entries);
      };
    case 'Resource':
      return (value, entries) => addResource(param, value as Resource, context, entries);
    default:
      return undefined;
  }
};
