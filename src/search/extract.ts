/**
 * From a resource to its index entries: the values of every search parameter of its type, converted by the kind of
 * the parameter and the type of the value. What there is to do for a type is worked out with its first resource.
 *
 * @see https://hl7.org/fhir/R4/search.html#table
 */
import type { Reference } from '@medplum/fhirtypes';
import type { SearchParameter, SearchParameters } from '../definitions/search-parameters.ts';
import type { Structures } from '../definitions/structures.ts';
import { compileFhirPath } from '../fhirpath/evaluate.ts';
import { compileExpression } from './compile-expression.ts';
import type { AddEntries } from './entries/add-entries.ts';
import { dateEntries } from './entries/date.ts';
import { numberEntries } from './entries/number.ts';
import { quantityEntries } from './entries/quantity.ts';
import { referenceEntries } from './entries/reference.ts';
import { stringEntries } from './entries/string.ts';
import { tokenEntries } from './entries/token.ts';
import { uriEntries } from './entries/uri.ts';
import type { IndexEntry } from './index-entry.ts';
import { referencedType } from './referenced-type.ts';
import { removeDuplicates } from './remove-duplicates.ts';
import { type JsonObject, type ValuePath, visitValues } from './value-path.ts';

/** Adds the entries of one search parameter. */
type ParameterExtractor = (resource: JsonObject, entries: IndexEntry[]) => void;

/** Columns of the store, not entries. */
const COLUMNS = new Set(['_id', '_lastUpdated']);

type EntriesOfType = (type: string) => AddEntries | undefined;

const entriesFor = (
  { code, type, targets }: SearchParameter,
  structures: Structures,
  baseUrl: string,
): EntriesOfType | undefined => {
  const { isResourceType } = structures;
  switch (type) {
    case 'token':
      return (valueType) => tokenEntries(code, valueType);
    case 'string':
      return (valueType) => stringEntries(code, valueType);
    case 'date':
      return (valueType) => dateEntries(code, valueType);
    case 'number':
      return (valueType) => numberEntries(code, valueType);
    case 'quantity':
      return (valueType) => quantityEntries(code, valueType);
    case 'reference':
      return (valueType) => referenceEntries(code, valueType, { baseUrl, isResourceType, targets });
    case 'uri':
      return (valueType) => uriEntries(code, valueType);
    default:
      return undefined;
  }
};

const pathsExtractor = (paths: readonly ValuePath[], entriesOf: EntriesOfType): ParameterExtractor | undefined => {
  const plans = paths.flatMap((path) => {
    const add = entriesOf(path.type);
    return add === undefined ? [] : [{ path, add }];
  });
  if (plans.length === 0) return undefined;
  return (resource, entries) => {
    for (const { path, add } of plans) visitValues(path, resource, resource, add, entries);
  };
};

/** For an expression that the compiler does not cover. */
const interpretedExtractor = (
  expression: string,
  type: string,
  structures: Structures,
  entriesOf: EntriesOfType,
): ParameterExtractor => {
  const evaluate = compileFhirPath(expression, type, (reference, resource) =>
    referencedType(reference as Reference, resource as JsonObject, structures.isResourceType),
  );
  return (resource, entries) => {
    for (const { type: valueType, value } of evaluate(resource, resource)) entriesOf(valueType)?.(value, entries);
  };
};

const parameterExtractor = (
  parameter: SearchParameter,
  type: string,
  structures: Structures,
  baseUrl: string,
): ParameterExtractor | undefined => {
  const { expression, code } = parameter;
  const entriesOf = entriesFor(parameter, structures, baseUrl);
  if (entriesOf === undefined || expression === '' || COLUMNS.has(code)) return undefined;
  const whole = { type, structure: structures.structure(type) };
  const compiled = compileExpression(expression, whole, whole, structures);
  if (compiled === undefined) return interpretedExtractor(expression, type, structures, entriesOf);
  if (compiled.kind === 'paths') return pathsExtractor(compiled.paths, entriesOf);
  const add = entriesOf('boolean');
  return (resource, entries) => {
    const truth = compiled.truth(resource, resource);
    if (truth !== undefined) add?.(truth, entries);
  };
};

/**
 * Creates the function from a valid resource to its entries, each once. `baseUrl` is the server's FHIR base without a
 * final slash: absolute references below it are the server's own.
 */
export const createExtractor = (
  structures: Structures,
  parameters: SearchParameters,
  baseUrl: string,
): ((resource: object & { readonly resourceType: string }) => IndexEntry[]) => {
  const extractorsOf = (type: string): ParameterExtractor[] =>
    [...parameters.of(type).values()].flatMap(
      (parameter) => parameterExtractor(parameter, type, structures, baseUrl) ?? [],
    );
  const byType = new Map<string, ParameterExtractor[]>();
  return (resource) => {
    let extractors = byType.get(resource.resourceType);
    if (extractors === undefined) {
      extractors = extractorsOf(resource.resourceType);
      byType.set(resource.resourceType, extractors);
    }
    const entries: IndexEntry[] = [];
    for (const extract of extractors) {
      const start = entries.length;
      extract(resource as unknown as JsonObject, entries);
      if (entries.length - start > 1) removeDuplicates(entries, start);
    }
    return entries;
  };
};
