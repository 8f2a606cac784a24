/** One search parameter under way from its text to a clause, and what the kinds of parameters have in common. */
import type { SearchParameter } from '../definitions/search-parameters.ts';
import { type FhirError, invalid, notSupported } from '../fhir/fhir-error.ts';
import { foldString, modifiedParam } from './index-entry.ts';
import type { Clause } from './search-query.ts';
import { unescaped } from './split-value.ts';

/** `name` is as the client wrote it, for messages. */
export interface Asked {
  /** The resource type that is searched. */
  readonly type: string;
  readonly parameter: SearchParameter;
  readonly modifier: string;
  readonly name: string;
  readonly values: readonly string[];
}

export const noSuchModifier = ({ modifier, name }: Asked): FhirError =>
  notSupported(`${name}: the modifier ':${modifier}' is not possible for this parameter`);

export const anyClause = (clauses: readonly Clause[]): Clause =>
  clauses.length === 1 ? (clauses[0] as Clause) : { kind: 'any', clauses };

export const foldedValues = (values: readonly string[], name: string): string[] => {
  const folded = values.map(unescaped).map(foldString);
  // A lone accent folds to nothing, and everything begins with nothing.
  if (folded.includes('')) throw invalid(`${name}: a value has no character to search for`);
  return folded;
};

/** `:text`: how the words begin that go with a code or a reference. */
export const textClause = ({ parameter, values, name }: Asked): Clause => ({
  kind: 'string',
  param: modifiedParam(parameter.code, 'text'),
  match: 'starts',
  values: foldedValues(values, name),
});
