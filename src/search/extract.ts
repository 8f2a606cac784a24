/**
 * From a resource to its index entries: the values of every search parameter of its type, converted by the kind of
 * the parameter and the type of the value. What there is to do for a type is worked out with its first resource.
 *
 * @see https://hl7.org/fhir/R4/search.html#table
 */
import type { Reference } from '@medplum/fhirtypes';
import type { SearchParameter, SearchParameters } from '../definitions/search-parameters.ts';
import type { Structures } from '../definitions/structures.ts';
import { compileFhirPath, type TypedValue } from '../fhirpath/evaluate.ts';
import { compileExpression } from './compile-expression.ts';
import type { AddEntries } from './entries/add-entries.ts';
import { dateEntries } from './entries/date.ts';
import { referenceIdentifierEntries, typedIdentifierEntries } from './entries/identifier.ts';
import { numberEntries } from './entries/number.ts';
import { positionEntries } from './entries/position.ts';
import { quantityEntries } from './entries/quantity.ts';
import { referenceEntries } from './entries/reference.ts';
import { stringEntries } from './entries/string.ts';
import { tokenEntries } from './entries/token.ts';
import { tokenTextEntries } from './entries/token-text.ts';
import { addVersionedUrl, uriEntries } from './entries/uri.ts';
import { type CompositeContext, compositeExtractor } from './extract-composite.ts';
import { addTextEntries } from './extract-text.ts';
import { type IndexEntry, modifiedParam } from './index-entry.ts';
import { referencedType } from './referenced-type.ts';
import { removeDuplicates } from './remove-duplicates.ts';
import { type JsonObject, type ValuePath, visitValues } from './value-path.ts';

/** Adds the entries of one search parameter. */
type ParameterExtractor = (resource: JsonObject, entries: IndexEntry[]) => void;

/** Columns of the store, not entries. */
const COLUMNS = new Set(['_id', '_lastUpdated']);

type EntriesOfType = (type: string) => AddEntries | undefined;

/** What entries depend on beside the resource. */
interface ServerPlace {
  /** The server's FHIR base, without a final slash. */
  readonly baseUrl: string;
  /** Minutes east of UTC of dates, which have no zone. */
  readonly zoneOffsetMinutes: number;
}

/** For what asks only whether there could be entries. */
const NOWHERE: ServerPlace = { baseUrl: '', zoneOffsetMinutes: 0 };

/** The names and entries of a parameter: its main values, and those that its modifiers search. */
const entriesFor = (
  { type, targets }: Pick<SearchParameter, 'type' | 'targets'>,
  param: string,
  structures: Structures,
  { baseUrl, zoneOffsetMinutes }: ServerPlace,
): EntriesOfType[] => {
  const { isResourceType } = structures;
  switch (type) {
    case 'token':
      return [
        (valueType) => tokenEntries(param, valueType),
        (valueType) => typedIdentifierEntries(modifiedParam(param, 'of-type'), valueType),
        (valueType) => tokenTextEntries(modifiedParam(param, 'text'), valueType),
      ];
    case 'string':
      return [(valueType) => stringEntries(param, valueType)];
    case 'date':
      return [(valueType) => dateEntries(param, valueType, zoneOffsetMinutes)];
    case 'number':
      return [(valueType) => numberEntries(param, valueType)];
    case 'quantity':
      return [(valueType) => quantityEntries(param, valueType)];
    case 'reference':
      return [
        (valueType) => referenceEntries(param, valueType, { baseUrl, isResourceType, targets }),
        (valueType) => referenceIdentifierEntries(modifiedParam(param, 'identifier'), valueType),
        (valueType) => tokenTextEntries(modifiedParam(param, 'text'), valueType),
      ];
    case 'uri':
      return [(valueType) => uriEntries(param, valueType)];
    case 'special':
      return [(valueType) => positionEntries(param, valueType)];
    default:
      return [];
  }
};

const pathsExtractor = (paths: readonly ValuePath[], entriesOf: EntriesOfType): ParameterExtractor[] => {
  const plans = paths.flatMap((path) => {
    const add = entriesOf(path.type);
    return add === undefined ? [] : [{ path, add }];
  });
  if (plans.length === 0) return [];
  return [
    (resource, entries) => {
      for (const { path, add } of plans) visitValues(path, resource, resource, add, entries);
    },
  ];
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
  const valuesOf = (resource: JsonObject): TypedValue[] => {
    try {
      return evaluate(resource, resource);
    } catch {
      // Such as `single()` of two names: the expression has no value here, and the resource is no worse for it.
      return [];
    }
  };
  return (resource, entries) => {
    for (const { type: valueType, value } of valuesOf(resource)) entriesOf(valueType)?.(value, entries);
  };
};

const parameterExtractors = (
  parameter: SearchParameter,
  type: string,
  structures: Structures,
  place: ServerPlace,
): ParameterExtractor[] => {
  const { expression, code } = parameter;
  if (expression === '' || COLUMNS.has(code)) return [];
  const whole = { type, structure: structures.structure(type) };
  const compiled = compileExpression(expression, whole, whole, structures);
  const ofValues = entriesFor(parameter, code, structures, place).flatMap((entriesOf): ParameterExtractor[] => {
    if (compiled === undefined) return [interpretedExtractor(expression, type, structures, entriesOf)];
    if (compiled.kind === 'paths') return pathsExtractor(compiled.paths, entriesOf) ?? [];
    const add = entriesOf('boolean');
    if (add === undefined) return [];
    return [
      (resource, entries) => {
        const truth = compiled.truth(resource, resource);
        if (truth !== undefined) add(truth, entries);
      },
    ];
  });
  const { elements } = whole.structure ?? {};
  if (parameter.type !== 'uri' || code !== 'url' || !elements?.has('url') || !elements.has('version')) return ofValues;
  return [...ofValues, (resource, entries) => addVersionedUrl(code, resource, entries)];
};

/** How the components of composites become entries, for components that `byUrl` knows. */
const compositesOf = (
  structures: Structures,
  byUrl: SearchParameters['byUrl'],
  place: ServerPlace,
): CompositeContext => ({
  structures,
  entriesOf: (url, param) => {
    const component = byUrl(url);
    return component === undefined ? undefined : entriesFor(component, param, structures, place)[0];
  },
});

/** Whether a resource of a type can have entries for a parameter. Throws an Error if its expression is no FHIRPath. */
export const canHaveEntries = (
  parameter: SearchParameter,
  type: string,
  structures: Structures,
  byUrl: SearchParameters['byUrl'],
): boolean => {
  if (parameter.type !== 'composite') return parameterExtractors(parameter, type, structures, NOWHERE).length > 0;
  const whole = { type, structure: structures.structure(type) };
  return compositeExtractor(parameter, whole, compositesOf(structures, byUrl, NOWHERE)) !== undefined;
};

/**
 * Creates the function from a valid resource to its entries, each once. `baseUrl` is the server's FHIR base without a
 * final slash: absolute references below it are the server's own. Dates, which have no zone, are of the server's zone,
 * `zoneOffsetMinutes` east of UTC.
 */
export const createExtractor = (
  structures: Structures,
  parameters: SearchParameters,
  baseUrl: string,
  zoneOffsetMinutes = 0,
): ((resource: object & { readonly resourceType: string }) => IndexEntry[]) => {
  const place = { baseUrl, zoneOffsetMinutes };
  const composites = compositesOf(structures, parameters.byUrl, place);
  const extractorsOf = (type: string): { plain: ParameterExtractor[]; composite: ParameterExtractor[] } => {
    const own = [...parameters.of(type).values()];
    const whole = { type, structure: structures.structure(type) };
    return {
      plain: own.flatMap((parameter) => parameterExtractors(parameter, type, structures, place)),
      composite: own
        .filter((parameter) => parameter.type === 'composite')
        .flatMap((parameter) => compositeExtractor(parameter, whole, composites) ?? []),
    };
  };
  const byType = new Map<string, ReturnType<typeof extractorsOf>>();
  let generation = parameters.generation;
  return (resource) => {
    if (generation !== parameters.generation) byType.clear();
    generation = parameters.generation;
    let extractors = byType.get(resource.resourceType);
    if (extractors === undefined) {
      extractors = extractorsOf(resource.resourceType);
      byType.set(resource.resourceType, extractors);
    }
    const entries: IndexEntry[] = [];
    const object = resource as unknown as JsonObject;
    for (const extract of extractors.plain) {
      const start = entries.length;
      extract(object, entries);
      if (entries.length - start > 1) removeDuplicates(entries, start);
    }
    for (const extract of extractors.composite) extract(object, entries);
    addTextEntries(object, entries);
    return entries;
  };
};
