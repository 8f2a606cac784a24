/**
 * The documents of a patient: those of a time of care, or the current one of each type. No documents are made on demand.
 *
 * @see http://hl7.org/fhir/us/core/STU6.1/OperationDefinition-docref.html
 */
import { instantRange } from '../fhir/date-time.ts';
import { invalid } from '../fhir/fhir-error.ts';
import type { FhirServer, Interaction } from '../interactions/fhir-request.ts';
import { queryOf } from '../interactions/parse-request.ts';
import type { OperationTarget } from '../interactions/route.ts';
import { parseDate, parseToken } from '../search/parse-value.ts';
import type { Clause, SortKey } from '../search/search-query.ts';
import { splitEscaped } from '../search/split-value.ts';
import type { Version } from '../store/store.ts';
import { allMatches, conceptKeys, type Dated, latestByCode, searchsetOf } from './latest-by-code.ts';
import {
  booleanOf,
  checkNames,
  type GivenParameter,
  givenParameters,
  pairsOfGiven,
  singleOf,
  valuesOf,
} from './parameters.ts';

const NAMES = ['patient', 'start', 'end', 'type', 'on-demand', 'profile'];
const NEWEST_FIRST: SortKey = { by: 'param', param: 'date', entries: 'date', isDescending: true };

/** The care that a document is about was in this time; where it does not say, the document itself is of this time. */
const careClause = (server: FhirServer, text: string, name: string): Clause => {
  const value = parseDate(text, name, { ...server.limits, now: server.now });
  const hasPeriod: Clause = { kind: 'missing', param: 'period', entries: 'date', isMissing: false };
  const isOther: Clause = { kind: 'not', clause: { kind: 'date', param: 'date', values: [value] } };
  return {
    kind: 'any',
    clauses: [
      { kind: 'date', param: 'period', values: [value] },
      { kind: 'not', clause: { kind: 'any', clauses: [hasPeriod, isOther] } },
    ],
  };
};

const patientOf = (given: readonly GivenParameter[]): string => {
  const patient = singleOf(given, 'patient');
  if (patient === undefined) throw invalid('patient: required, and missing');
  return patient.replace(/^Patient\//, '');
};

const clausesOf = (server: FhirServer, given: readonly GivenParameter[]): Clause[] => {
  const types = valuesOf(given, 'type').flatMap((value) => splitEscaped(value, ','));
  const profiles = valuesOf(given, 'profile').flatMap((value) => splitEscaped(value, ','));
  const start = singleOf(given, 'start');
  const end = singleOf(given, 'end');
  return [
    { kind: 'reference', param: 'patient', values: [{ type: 'Patient', id: patientOf(given) }] },
    { kind: 'token', param: 'status', values: [{ code: 'current' }] },
    ...(types.length === 0
      ? []
      : [{ kind: 'token', param: 'type', values: types.map((type) => parseToken(type, 'type')) } as const]),
    ...(profiles.length === 0 ? [] : [{ kind: 'uri', param: '_profile', match: 'exact', values: profiles } as const]),
    ...(start === undefined ? [] : [careClause(server, `ge${start}`, 'start')]),
    ...(end === undefined ? [] : [careClause(server, `le${end}`, 'end')]),
  ];
};

const datedOf = (version: Version): Dated => {
  const { type, date } = JSON.parse(version.text.toString()) as {
    type?: Parameters<typeof conceptKeys>[0];
    date?: string;
  };
  return { version, keys: conceptKeys(type), time: date === undefined ? undefined : instantRange(date)?.lo };
};

/** `DocumentReference/$docref`. Fails with a FhirError 400, or 422 if too many documents match. */
export const docref: Interaction<OperationTarget> = async (server, request) => {
  const given = givenParameters(server, request);
  checkNames(given, NAMES);
  const clauses = clausesOf(server, given);
  const url = `${server.baseUrl}/DocumentReference/$docref?${queryOf(pairsOfGiven(given))}`;
  // Only documents on demand are asked for, and there are none.
  if (booleanOf(given, 'on-demand') === true) return searchsetOf(server, url, []);
  const searches = [{ type: 'DocumentReference', clauses }];
  const matches = await allMatches(server, { searches, sort: [NEWEST_FIRST] });
  const isOfTime = given.some(({ name }) => name === 'start' || name === 'end');
  return searchsetOf(server, url, isOfTime ? matches : latestByCode(matches.map(datedOf), 1));
};
