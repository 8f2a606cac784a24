/**
 * Bundles put together from the texts of their resources, which are not parsed.
 *
 * @see https://hl7.org/fhir/R4/bundle.html
 */

import { instantText } from '../fhir/date-time.ts';

export interface Link {
  readonly relation: 'self' | 'first' | 'previous' | 'next';
  readonly url: string;
}

export interface BundleEntry {
  readonly fullUrl?: string;
  /** JSON of the resource. */
  readonly resource?: string;
  readonly search?: { readonly mode: 'match' | 'include' | 'outcome' };
  readonly request?: { readonly method: string; readonly url: string };
  readonly response?: EntryResponse;
}

interface EntryResponse {
  readonly status: string;
  readonly location?: string;
  readonly etag?: string;
  readonly lastModified?: string;
  readonly outcome?: object;
}

interface BundleParts {
  readonly type: 'searchset' | 'history' | 'batch-response' | 'transaction-response';
  /** When the answer was true, in milliseconds since 1970 UTC. */
  readonly lastUpdated?: number;
  readonly total?: number;
  readonly links?: readonly Link[];
  readonly entries: readonly BundleEntry[];
}

/** As `join(',')`, which however copies: a text of 50 MB is to be copied once, when it is sent. */
const joined = (parts: readonly string[]): string => {
  let text = parts[0] ?? '';
  for (const part of parts.slice(1)) text += `,${part}`;
  return text;
};

const entryText = ({ fullUrl, resource, ...rest }: BundleEntry): string => {
  const members = [
    ...(fullUrl === undefined ? [] : [`"fullUrl":${JSON.stringify(fullUrl)}`]),
    ...(resource === undefined ? [] : [`"resource":${resource}`]),
    ...Object.entries(rest).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`),
  ];
  return `{${joined(members)}}`;
};

/** The Bundle's JSON. An empty list is left out, as R4 has no empty arrays. */
export const bundleText = ({ type, lastUpdated, total, links = [], entries }: BundleParts): string => {
  const members = [
    '"resourceType":"Bundle"',
    ...(lastUpdated === undefined ? [] : [`"meta":{"lastUpdated":"${instantText(lastUpdated)}"}`]),
    `"type":"${type}"`,
    ...(total === undefined ? [] : [`"total":${total}`]),
    ...(links.length === 0 ? [] : [`"link":${JSON.stringify(links)}`]),
    ...(entries.length === 0 ? [] : [`"entry":[${joined(entries.map(entryText))}]`]),
  ];
  return `{${joined(members)}}`;
};
