/**
 * Reads one version of a resource.
 *
 * @see https://hl7.org/fhir/R4/http.html#vread
 */
import { gone, notFound } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { Interaction } from './fhir-request.ts';
import { shownVersion } from './shown-version.ts';

export const vread: Interaction<Reference & { version: string }> = async (
  server,
  request,
  { version, ...reference },
) => {
  const name = `${referenceText(reference)}/_history/${version}`;
  // Versions are written without leading zeros; another spelling names no version.
  const found = /^[1-9]\d{0,14}$/.test(version) ? await server.store.read(reference, Number(version)) : undefined;
  if (found === undefined) throw notFound(`There is no ${name}`);
  if (found.isDeleted) throw gone(`${name} is the deletion of the resource`);
  return shownVersion(server, request, found);
};
