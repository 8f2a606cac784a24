/** The requests that are timed. Each checks the status of its answer: a fast refusal is no speed. */
import { readFileSync } from 'node:fs';
import type { Answer, FhirExchange } from '../child-server/fhir-exchange.ts';
import { CODES, createRandom, IDENTIFIER_SYSTEM, laboratoryResult, randomDay, recordBundle } from './resources.ts';

const RECORD = readFileSync(new URL('../../fixtures/second-opinion-request.json', import.meta.url), 'utf8');
const BUNDLE_ENTRIES = 100;
const MINIMAL = { prefer: 'return=minimal' };

/** What is stored, as far as the later requests need it. */
export interface Stock {
  /** `Patient/1` */
  readonly patients: string[];
  readonly observations: string[];
  resources: number;
  /** Of the JSON that was sent for these resources, without the Bundles around them. */
  jsonBytes: number;
}

/** Makes one request; says how many resources, or searches, it was. */
export type TimedRequest = () => Promise<number>;

const expect = ({ status, text }: Answer, wanted: number, name: string): void => {
  if (status !== wanted) throw new Error(`${name} was answered with ${status}, not ${wanted}: ${text.slice(0, 500)}`);
};

const pick = <T>(items: readonly T[], random: () => number): T => items[Math.floor(random() * items.length)]!;

const locationsOf = (text: string): string[] =>
  (JSON.parse(text).entry as { response: { location: string } }[]).map(({ response }) =>
    response.location.replace(/\/_history\/.*/, ''),
  );

export const ingestRequest = (exchange: FhirExchange, stock: Stock): TimedRequest => {
  const random = createRandom(1);
  let number = 0;
  return async () => {
    const bundle = recordBundle(number++, BUNDLE_ENTRIES, random);
    const answer = await exchange.send('POST', '', JSON.stringify(bundle), MINIMAL);
    expect(answer, 200, 'A transaction');
    const [patient = '', ...observations] = locationsOf(answer.text);
    stock.patients.push(patient);
    stock.observations.push(...observations);
    stock.resources += BUNDLE_ENTRIES;
    for (const { resource } of bundle.entry ?? []) stock.jsonBytes += Buffer.byteLength(JSON.stringify(resource));
    return BUNDLE_ENTRIES;
  };
};

/** The demo record as it is: large documents, and conditional creates that find what is there. */
export const demoRecordRequest = (exchange: FhirExchange): TimedRequest => {
  const entries = JSON.parse(RECORD).entry.length as number;
  return async () => {
    expect(await exchange.send('POST', '', RECORD, MINIMAL), 200, 'The demo record');
    return entries;
  };
};

export const createRequest = (exchange: FhirExchange, patients: readonly string[]): TimedRequest => {
  const random = createRandom(2);
  return async () => {
    const body = JSON.stringify(laboratoryResult(pick(patients, random), random));
    expect(await exchange.send('POST', 'Observation', body), 201, 'A create');
    return 1;
  };
};

export const updateRequest = (exchange: FhirExchange, { patients, observations }: Stock): TimedRequest => {
  const random = createRandom(3);
  return async () => {
    const path = pick(observations, random);
    const id = path.slice('Observation/'.length);
    const body = JSON.stringify({ ...laboratoryResult(pick(patients, random), random), id });
    expect(await exchange.send('PUT', path, body), 200, 'An update');
    return 1;
  };
};

export const readRequest = (exchange: FhirExchange, paths: readonly string[]): TimedRequest => {
  const random = createRandom(4);
  return async () => {
    expect(await exchange.send('GET', pick(paths, random)), 200, 'A read');
    return 1;
  };
};

/** Searches by name; those that must find something are refused if they do not. */
export const searchRequests = (exchange: FhirExchange, { patients }: Stock): Record<string, TimedRequest> => {
  const random = createRandom(5);
  const code = (): string => encodeURIComponent(pick(CODES, random));
  const searching =
    (query: () => string, mustFind = false) =>
    async (): Promise<number> => {
      const search = query();
      const answer = await exchange.send('GET', search);
      expect(answer, 200, search);
      if (mustFind && !answer.text.includes('"entry"')) throw new Error(`${search} finds nothing`);
      return 1;
    };
  return {
    'search by code': searching(() => `Observation?code=${code()}`, true),
    'search by patient and code': searching(() => `Observation?patient=${pick(patients, random)}&code=${code()}`),
    'search by patient and date': searching(
      () => `Observation?patient=${pick(patients, random)}&date=ge${randomDay(random)}`,
    ),
    'search by day': searching(() => `Observation?date=${randomDay(random)}`),
    'search by identifier': searching(() => {
      const number = Math.floor(random() * patients.length);
      return `Patient?identifier=${encodeURIComponent(`${IDENTIFIER_SYSTEM}|P-${number}`)}`;
    }, true),
  };
};
