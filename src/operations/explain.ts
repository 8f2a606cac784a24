/**
 * How a search is answered: what the query was understood as, which clause leads, the indexes, the order, the store's own
 * plan and the rows that were touched. The first page, or with `_count=0` the total, is really searched for; includes
 * and a total beside the page are not.
 */
import type { Parameters, ParametersParameter } from '@medplum/fhirtypes';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import type { Interaction } from '../interactions/fhir-request.ts';
import { ofType, parsedSearch, queryOf } from '../interactions/parse-request.ts';
import { preferencesOf } from '../interactions/preferences.ts';
import type { OperationTarget } from '../interactions/route.ts';
import type { SearchScope } from '../search/parse-search.ts';
import type { ExplainedClause, ExplainedSearch, Explanation } from '../store/store.ts';
import { givenParameters, pairsOfGiven } from './parameters.ts';

const clausePart = ({ text, role, indexes, rows, hasMoreRows }: ExplainedClause): ParametersParameter => ({
  name: 'clause',
  part: [
    { name: 'understood', valueString: text },
    { name: 'role', valueCode: role },
    ...indexes.map((index) => ({ name: 'index', valueString: index })),
    ...(rows === undefined ? [] : [{ name: 'rows', valueInteger: rows }]),
    ...(hasMoreRows === true ? [{ name: 'hasMoreRows', valueBoolean: true }] : []),
  ],
});

const searchParameter = ({ type, clauses, order }: ExplainedSearch): ParametersParameter => ({
  name: 'search',
  part: [{ name: 'type', valueCode: type }, ...clauses.map(clausePart), { name: 'order', valueString: order }],
});

const explanationParameters = (explanation: Explanation): ParametersParameter[] => [
  ...explanation.searches.map(searchParameter),
  { name: 'matches', valueInteger: explanation.matches },
  { name: 'hasMore', valueBoolean: explanation.hasMore },
  { name: 'rowsTouched', valueInteger: explanation.rowsTouched },
  { name: 'milliseconds', valueDecimal: explanation.milliseconds },
  ...explanation.plan.map((line) => ({ name: 'plan', valueString: line })),
];

/** `$explain`, `[type]/$explain`, with the parameters of a search. Fails with a FhirError 400 or 422, as the search does. */
export const explain: Interaction<OperationTarget> = async (server, request, { type }) => {
  const pairs = pairsOfGiven(givenParameters(server, request));
  const scope: SearchScope = type === undefined ? { types: server.resourceTypes, clausesOf: () => [] } : ofType(type);
  const isLenient = preferencesOf(request).handling === 'lenient';
  const { query, used, summary, warnings } = parsedSearch(server, scope, pairs, isLenient);
  const isCount = summary === 'count';
  const explanation = await server.store.explain(isCount ? { ...query, count: 0 } : query);
  const path = type === undefined ? server.baseUrl : `${server.baseUrl}/${type}`;
  const text = queryOf(used);
  const answer: Parameters = {
    resourceType: 'Parameters',
    parameter: [
      { name: 'query', valueUri: text === '' ? path : `${path}?${text}` },
      ...(warnings.length === 0 ? [] : [{ name: 'outcome', resource: operationOutcome(warnings) }]),
      ...explanationParameters(explanation),
    ],
  };
  return { status: 200, headers: {}, body: JSON.stringify(answer) };
};
