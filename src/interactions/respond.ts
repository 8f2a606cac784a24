/** Answers about single resources: their headers, and the body that the client prefers. */
import type { Issue } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { referenceText } from '../fhir/reference.ts';
import { type ResourceText, stampedText } from '../fhir/resource-text.ts';
import type { Version, Written } from '../store/store.ts';
import type { FhirResponse, FhirServer } from './fhir-request.ts';
import type { Preferences } from './preferences.ts';

/** @see https://hl7.org/fhir/R4/http.html#versioning */
export const entityTag = (version: number): string => `W/"${version}"`;

/** As HTTP writes a date, to the second. @see https://www.rfc-editor.org/rfc/rfc9110#name-last-modified */
const httpDate = (milliseconds: number): string => new Date(milliseconds).toUTCString();

const versionHeaders = (version: number, lastUpdated: number): Record<string, string> => ({
  etag: entityTag(version),
  'last-modified': httpDate(lastUpdated),
});

export const versionPath = (written: Pick<Written, 'type' | 'id' | 'version'>): string =>
  `${referenceText(written)}/_history/${written.version}`;

/** 200 with the stored text as it is. */
export const versionResponse = ({ version, lastUpdated, text }: Version): FhirResponse => ({
  status: 200,
  headers: versionHeaders(version, lastUpdated),
  body: text,
});

const summaryOf = ({ outcome, version, type, id }: Written): Issue => ({
  severity: 'information',
  code: 'informational',
  diagnostics: `${referenceText({ type, id })} is ${outcome}, at version ${version}`,
});

/** The text of what was written; `unchanged` has the stamp that it had. */
export const writtenText = (resource: ResourceText, { version, lastUpdated }: Written): string =>
  stampedText(resource, { version, lastUpdated });

/** The answer to a create or update. */
export const writtenResponse = (
  server: FhirServer,
  written: Written,
  resource: ResourceText,
  preference: Preferences['return'],
): FhirResponse => {
  const headers = versionHeaders(written.version, written.lastUpdated);
  const location = `${server.baseUrl}/${versionPath(written)}`;
  const status = written.outcome === 'created' ? 201 : 200;
  const located = written.outcome === 'unchanged' ? headers : { ...headers, location };
  switch (preference) {
    case 'minimal':
      return { status, headers: located };
    case 'OperationOutcome':
      return { status, headers: located, body: JSON.stringify(operationOutcome([summaryOf(written)])) };
    case 'representation':
      return { status, headers: located, body: writtenText(resource, written) };
  }
};
