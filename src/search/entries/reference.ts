/**
 * Reference entries: what a Reference, canonical or uri points to. A contained resource is no target of its own, and
 * a Reference with an identifier only points to no known resource.
 *
 * @see https://hl7.org/fhir/R4/search.html#reference
 */
import type { Reference, Resource } from '@medplum/fhirtypes';
import { parseReference } from '../../fhir/reference.ts';
import type { IndexEntry } from '../index-entry.ts';
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

/** A canonical is found with and without its version, and, if it is a resource of this server, by type and id. */
const addCanonical = (param: string, url: unknown, context: ReferenceContext, entries: IndexEntry[]): void => {
  if (typeof url !== 'string' || url.startsWith('#')) return;
  const bar = url.indexOf('|');
  const unversioned = bar < 0 ? url : url.slice(0, bar);
  addUrl(param, url, entries);
  if (bar >= 0) addUrl(param, unversioned, entries);
  const parsed = parseReference(unversioned, context.baseUrl);
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
