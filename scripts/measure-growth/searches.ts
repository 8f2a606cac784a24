/** The searches that are timed, each checked: a fast refusal or an empty page is no speed. */
import type { FhirExchange } from '../child-server/fhir-exchange.ts';
import type { TimedRequest } from '../measure/requests.ts';
import { createRandom } from '../measure/resources.ts';
import type { Stock, StoredPatient } from './stock.ts';

/** The operation among the searches. */
export const EVERYTHING = '$everything, first page';

const PAGE = '_count=20';

const pick = <T>(items: readonly T[], random: () => number): T => items[Math.floor(random() * items.length)] as T;

const requestOf =
  (exchange: FhirExchange, path: () => string): TimedRequest =>
  async () => {
    const asked = path();
    const { status, text } = await exchange.send('GET', asked);
    if (status !== 200) throw new Error(`${asked} was answered with ${status}: ${text.slice(0, 500)}`);
    if (!text.includes('"search":{"mode":"match"}')) throw new Error(`${asked} finds nothing`);
    return 1;
  };

/** The searches by name. */
export const namedSearches = (
  exchange: FhirExchange,
  { patients }: Stock,
): Readonly<{ [name: string]: TimedRequest }> => {
  const random = createRandom(11);
  const rich = patients.filter(({ codes, days }) => codes.length > 0 && days.length > 0);
  const one = (): StoredPatient => pick(rich, random);
  const code = (patient = one()): string => encodeURIComponent(pick(patient.codes, random));
  const paths: Readonly<{ [name: string]: () => string }> = {
    'code, page of 20': () => `Observation?code=${code()}&${PAGE}`,
    'patient and code, newest first': () => {
      const patient = one();
      return `Observation?patient=${patient.id}&code=${code(patient)}&_sort=-date&${PAGE}`;
    },
    'date range': () => {
      const day = pick(one().days, random);
      return `Observation?date=ge${day}&date=le${Number(day.slice(0, 4)) + 1}&${PAGE}`;
    },
    'name prefix': () => `Patient?family=${one().family.slice(0, 4)}&${PAGE}`,
    chain: () => `Observation?subject:Patient.family=${one().family}&${PAGE}`,
    _has: () => `Patient?_has:Observation:patient:code=${code()}&${PAGE}`,
    _include: () => `Observation?code=${code()}&_include=Observation:subject&_include=Observation:encounter&${PAGE}`,
    [EVERYTHING]: () => `Patient/${one().id}/$everything`,
  };
  return Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, requestOf(exchange, path)]));
};

/** One search after the other, of all kinds. */
export const mixed = (requests: readonly TimedRequest[]): TimedRequest => {
  let turn = 0;
  return async () => (requests[turn++ % requests.length] as TimedRequest)();
};
