/**
 * The last observations of each code, such as the last three of every vital sign.
 *
 * @see https://hl7.org/fhir/R4/observation-operation-lastn.html
 */
import { instantRange } from '../fhir/date-time.ts';
import { invalid, notSupported } from '../fhir/fhir-error.ts';
import type { Interaction } from '../interactions/fhir-request.ts';
import { ofType, type Pair, parsedSearch, queryOf } from '../interactions/parse-request.ts';
import type { OperationTarget } from '../interactions/route.ts';
import type { SortKey } from '../search/search-query.ts';
import type { Version } from '../store/store.ts';
import { allMatches, conceptKeys, type Dated, latestByCode, searchsetOf } from './latest-by-code.ts';
import { givenParameters, pairsOfGiven, positiveOf } from './parameters.ts';

/** Parameters that shape the answer of a search; the shape of this one is given. */
const SHAPING = /^_(sort|count|total|summary|elements|include|revinclude|page)(:|$)/;
const OF_SUBJECT = /^(patient|subject)([:.]|$)/;
const OF_CODE = /^(category|([a-z]+-)*code(-[a-z]+)*)(:|$)/;

const NEWEST_FIRST: SortKey = { by: 'param', param: 'date', entries: 'date', isDescending: true };

interface ObservationTimes {
  readonly code?: Parameters<typeof conceptKeys>[0];
  readonly effectiveDateTime?: string;
  readonly effectiveInstant?: string;
  readonly effectivePeriod?: { readonly start?: string; readonly end?: string };
}

const datedOf = (version: Version): Dated => {
  const observation = JSON.parse(version.text.toString()) as ObservationTimes;
  const { effectiveDateTime, effectiveInstant, effectivePeriod } = observation;
  const time = effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.end ?? effectivePeriod?.start;
  const range = time === undefined ? undefined : instantRange(time);
  return { version, keys: conceptKeys(observation.code), time: range?.lo };
};

const checkPairs = (pairs: readonly Pair[]): void => {
  const shaping = pairs.find(([name]) => SHAPING.test(name));
  if (shaping !== undefined) throw notSupported(`$lastn has no parameter '${shaping[0]}'`);
  if (!pairs.some(([name]) => OF_SUBJECT.test(name))) throw invalid('$lastn needs patient or subject');
  if (!pairs.some(([name]) => OF_CODE.test(name)))
    throw invalid('$lastn needs category, or a parameter with a code, such as code');
};

/** `Observation/$lastn`. Fails with a FhirError 400, or 422 if too many observations match. */
export const lastn: Interaction<OperationTarget> = async (server, request) => {
  const given = givenParameters(server, request);
  const most = positiveOf(given, 'max') ?? 1;
  const pairs = pairsOfGiven(given.filter(({ name }) => name !== 'max'));
  checkPairs(pairs);
  const { query } = parsedSearch(server, ofType('Observation'), pairs, false);
  const matches = await allMatches(server, { searches: query.searches, sort: [NEWEST_FIRST] });
  const url = `${server.baseUrl}/Observation/$lastn?${queryOf(pairsOfGiven(given))}`;
  return searchsetOf(server, url, latestByCode(matches.map(datedOf), most));
};
