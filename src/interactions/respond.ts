/** Answers about single resources: their headers, and the body that the client prefers. */
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { referenceText } from '../fhir/reference.ts';
import { type ResourceText, stampedBytes } from '../fhir/resource-text.ts';
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
  lastUpdated,
  body: text,
});

const outcomeText = (diagnostics: string): string =>
  JSON.stringify(operationOutcome([{ severity: 'information', code: 'informational', diagnostics }]));

/** 200 for a conditional create that found `version`. Its location is the only way to learn which it is without a body. */
export const matchedResponse = (
  server: FhirServer,
  version: Version,
  preference: Preferences['return'],
): FhirResponse => {
  const { body = '', ...found } = versionResponse(version);
  const headers = { ...found.headers, location: `${server.baseUrl}/${versionPath(version)}` };
  switch (preference) {
    case 'minimal':
      return { ...found, headers };
    case 'OperationOutcome':
      return { ...found, headers, outcome: outcomeText(`${referenceText(version)} matches; nothing was created`) };
    case 'representation':
      return { ...found, headers, body };
  }
};

/** The text of what was written; `unchanged` has the stamp that it had. */
const writtenText = (resource: ResourceText, { version, lastUpdated }: Written): Buffer =>
  stampedBytes(resource, { version, lastUpdated });

/** The answer to a create or update. */
export const writtenResponse = (
  server: FhirServer,
  written: Written,
  resource: ResourceText,
  preference: Preferences['return'],
): FhirResponse => {
  const { outcome, version, lastUpdated } = written;
  const status = outcome === 'created' ? 201 : 200;
  // Of a conditional update it says, also without a body, which resource it was.
  const location = `${server.baseUrl}/${versionPath(written)}`;
  const answer = { status, headers: { ...versionHeaders(version, lastUpdated), location }, lastUpdated };
  switch (preference) {
    case 'minimal':
      return answer;
    case 'OperationOutcome':
      return { ...answer, outcome: outcomeText(`${referenceText(written)} is ${outcome}, at version ${version}`) };
    case 'representation':
      return { ...answer, body: writtenText(resource, written) };
  }
};

/** The answer to a patch: who may not read the resource is not shown what is in it beside the patch. */
export const patchedResponse: typeof writtenResponse = (server, written, resource, preference) =>
  writtenResponse(server, written, resource, written.isHidden ? 'minimal' : preference);
