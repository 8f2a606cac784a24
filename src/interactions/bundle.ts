/**
 * A Bundle of requests posted to the base: `batch` or `transaction`.
 *
 * @see https://hl7.org/fhir/R4/http.html#transaction
 */
import type { Bundle, BundleEntryRequest } from '@medplum/fhirtypes';
import { FhirError, invalid, issue, tooLarge } from '../fhir/fhir-error.ts';
import { elementsOf, membersOf } from '../fhir/json-members.ts';
import type { JsonText } from '../fhir/json-text.ts';
import { batch } from './batch.ts';
import type { RequestEntry } from './bundle-entry.ts';
import type { FhirServer, Interaction } from './fhir-request.ts';
import { parsedBody } from './prepare-write.ts';
import { transaction } from './transaction.ts';

/** The texts of the entries' resources, undefined for an entry without. */
const resourceTexts = (text: string): (string | undefined)[] => {
  const entries = membersOf(text).find(({ key }) => key === 'entry');
  if (entries === undefined) return [];
  return elementsOf(text, entries.value.start).map((element) => {
    const resource = membersOf(text, element.start).find(({ key }) => key === 'resource');
    return resource === undefined ? undefined : text.slice(resource.value.start, resource.value.end);
  });
};

/** Checks all but the resources, which are checked one by one later. */
const checkEnvelope = (server: FhirServer, { value, integralDecimals }: JsonText): Bundle => {
  const given = value as Bundle | null;
  if (given?.resourceType !== 'Bundle')
    throw invalid('A POST to the FHIR base takes a Bundle; a single resource goes to [base]/[type]');
  if (given.type !== 'batch' && given.type !== 'transaction')
    throw invalid(`Bundle.type: '${given.type}' is neither batch nor transaction`, 'Bundle.type');
  const { entry, ...rest } = given;
  if (entry !== undefined && !Array.isArray(entry)) throw invalid('Bundle.entry: not an array', 'Bundle.entry');
  const { bundleEntries } = server.limits;
  if (entry !== undefined && entry.length > bundleEntries)
    throw tooLarge(`${entry.length} entries; the limit of a Bundle is ${bundleEntries} (CONSILIUM_BUNDLE_ENTRIES)`);
  const missing = (entry ?? []).flatMap((item, at) => {
    const path = `Bundle.entry[${at}].request`;
    return item?.request === undefined
      ? [issue('required', `${path}: required in a ${given.type}, and missing`, path)]
      : [];
  });
  if (missing.length > 0) throw new FhirError(400, missing.slice(0, 20));
  const entries = (entry ?? []).map(({ resource: _resource, ...others }) => others);
  const envelope = entry === undefined ? rest : { ...rest, entry: entries };
  const issues = server.validate(envelope, { expectedType: 'Bundle', integralDecimals });
  if (issues.length > 0) throw new FhirError(400, issues);
  return given;
};

export const bundle: Interaction = async (server, request) => {
  const json = parsedBody(server, request);
  const { type, entry = [] } = checkEnvelope(server, json);
  const texts = resourceTexts(json.text);
  const entries = entry.map(
    ({ fullUrl, request: entryRequest }, index): RequestEntry => ({
      index,
      fullUrl,
      request: entryRequest as BundleEntryRequest,
      text: texts[index],
    }),
  );
  return type === 'batch' ? batch(server, request, entries) : transaction(server, request, entries);
};
