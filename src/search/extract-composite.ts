/**
 * Entries of composite parameters: for each element the entries of its components, marked with the element's number, so
 * that a search can ask that all components match in the same element.
 *
 * @see https://hl7.org/fhir/R4/search.html#composite
 */
import type { SearchParameter } from '../definitions/search-parameters.ts';
import type { Structures } from '../definitions/structures.ts';
import { compileExpression } from './compile-expression.ts';
import type { AddEntries } from './entries/add-entries.ts';
import { componentParam, ELEMENT_LIMIT, type IndexEntry } from './index-entry.ts';
import { removeDuplicates } from './remove-duplicates.ts';
import { type JsonObject, type ValuePath, type ValueType, visitValues } from './value-path.ts';

export interface CompositeContext {
  readonly structures: Structures;
  /** How values of a type become entries called `param`, for the component with this url. */
  entriesOf(url: string, param: string): ((type: string) => AddEntries | undefined) | undefined;
}

type Component = readonly { readonly path: ValuePath; readonly add: AddEntries }[];

interface Element {
  readonly base: ValuePath;
  readonly components: readonly Component[];
}

const elementOf = (
  base: ValuePath,
  { code, components }: SearchParameter,
  whole: ValueType,
  context: CompositeContext,
) =>
  components.map(({ url, expression }, position): Component => {
    const entriesOf = context.entriesOf(url, componentParam(code, position));
    const compiled = compileExpression(expression, base, whole, context.structures);
    if (entriesOf === undefined || compiled?.kind !== 'paths') return [];
    return compiled.paths.flatMap((path) => {
      const add = entriesOf(path.type);
      return add === undefined ? [] : [{ path, add }];
    });
  });

/** The entries of one element; none if a component has none, as it could never match. */
const addElement = (
  node: JsonObject,
  components: readonly Component[],
  element: number,
  resource: JsonObject,
  entries: IndexEntry[],
): boolean => {
  const start = entries.length;
  for (const component of components) {
    const before = entries.length;
    for (const { path, add } of component) visitValues(path, node, resource, add, entries);
    if (entries.length === before) {
      entries.length = start;
      return false;
    }
    removeDuplicates(entries, before);
  }
  for (let at = start; at < entries.length; at++) entries[at] = { ...(entries[at] as IndexEntry), element };
  return true;
};

/** Undefined if no value of the type could have entries. */
export const compositeExtractor = (
  parameter: SearchParameter,
  whole: ValueType,
  context: CompositeContext,
): ((resource: JsonObject, entries: IndexEntry[]) => void) | undefined => {
  const compiled = compileExpression(parameter.expression, whole, whole, context.structures);
  if (compiled?.kind !== 'paths') return undefined;
  const elements = compiled.paths
    .map((base): Element => ({ base, components: elementOf(base, parameter, whole, context) }))
    .filter(({ components }) => components.every((component) => component.length > 0));
  if (elements.length === 0) return undefined;
  return (resource, entries) => {
    let element = 0;
    for (const { base, components } of elements)
      visitValues(
        base,
        resource,
        resource,
        (node) => {
          if (element < ELEMENT_LIMIT && addElement(node as JsonObject, components, element, resource, entries))
            element++;
        },
        undefined,
      );
  };
};
