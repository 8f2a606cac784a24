/** Loads records, and keeps what the searches choose their values from. */
import { type FhirExchange, mapInFlight } from '../child-server/fhir-exchange.ts';
import type { Record } from './rekeyed-records.ts';

export interface StoredPatient {
  readonly id: string;
  readonly family: string;
  /** Codes of its Observations, `system|code`. */
  readonly codes: readonly string[];
  /** Days on which it has Observations. */
  readonly days: readonly string[];
}

export interface Stock {
  readonly patients: StoredPatient[];
  /** `Observation/1`; some of all. */
  readonly references: string[];
  resources: number;
  jsonBytes: number;
}

const IN_FLIGHT = 4;
const REFERENCES_OF_EACH = 20;

interface StoredObservation {
  readonly resourceType: string;
  readonly code: { readonly coding: readonly { readonly system: string; readonly code: string }[] };
  readonly effectiveDateTime?: string;
}

const locationsOf = (text: string): string[] =>
  (JSON.parse(text).entry as { response: { location: string } }[]).map(({ response }) =>
    response.location.replace(/\/_history\/.*/, ''),
  );

const patientOf = ({ text, family }: Record, id: string): StoredPatient => {
  const { entry } = JSON.parse(text) as { entry: { resource: StoredObservation }[] };
  const observations = entry.flatMap(({ resource }) => (resource.resourceType === 'Observation' ? [resource] : []));
  return {
    id,
    family,
    codes: observations.flatMap(({ code }) => code.coding.slice(0, 1).map((each) => `${each.system}|${each.code}`)),
    days: observations.flatMap(({ effectiveDateTime }) => effectiveDateTime?.slice(0, 10) ?? []),
  };
};

/** Pushes records until there are `patients`. Returns resources per second. */
export const load = async (
  exchange: FhirExchange,
  stock: Stock,
  patients: number,
  recordOf: (number: number) => Record,
): Promise<number> => {
  const numbers = Array.from({ length: patients - stock.patients.length }, (_, i) => stock.patients.length + i);
  const before = stock.resources;
  const start = performance.now();
  await mapInFlight(numbers, IN_FLIGHT, async (number) => {
    const record = recordOf(number);
    const answer = await exchange.send('POST', '', record.text, { prefer: 'return=minimal' });
    if (answer.status !== 200) throw new Error(`A transaction was answered with ${answer.status}: ${answer.text}`);
    const locations = locationsOf(answer.text);
    const id = locations.find((location) => location.startsWith('Patient/'))?.slice('Patient/'.length) ?? '';
    stock.patients.push(patientOf(record, id));
    stock.references.push(...locations.slice(-REFERENCES_OF_EACH));
    stock.resources += record.resources;
    stock.jsonBytes += record.jsonBytes;
  });
  return ((stock.resources - before) * 1000) / (performance.now() - start);
};
