/**
 * Compiles the clauses of a search to conditions on documents, each with the index that finds its documents, if one does.
 * Clauses about other resources are resolved first, each once.
 */
import type { Document } from 'mongodb';
import type { Clause, ValueClause } from '../../search/search-query.ts';
import type { Commands } from './commands.ts';
import { instantCondition } from './compile-ranges.ts';
import { missingFilter, nearFilter, textFilter } from './compile-special.ts';
import { compileValue, elementCondition, exactKeys } from './compile-value.ts';
import { allOf, anyOf, type CompiledClause, keysClause } from './compiled-clause.ts';
import { keyName, resourceKey, sourceKey } from './keys.ts';
import { chainKeys, hasIds, hierarchyKeys } from './semijoin.ts';

export type ClauseCompiler = (clause: Clause, type: string) => Promise<CompiledClause>;

/** The `_id`s are those of one type. */
const idsClause = (ids: readonly string[]): CompiledClause => {
  const distinct = [...new Set(ids)];
  const filter = { _id: { $in: distinct } };
  return { filter, lead: { index: '_id_', filter, most: distinct.length } };
};

const inElement = (clauses: readonly ValueClause[]): Document => {
  const p = keyName((clauses[0]?.param ?? '').replace(/#\d+(:.*)?$/, ''));
  return { e: { $elemMatch: { p, $and: clauses.map(elementCondition) } } };
};

/** The keys of components are those of the resource, too: what has points in each value is found by them. */
const compileComposite = (values: readonly (readonly ValueClause[])[]): CompiledClause => {
  const filter = anyOf(values.map(inElement));
  const keys = values.map((clauses) => clauses.map(exactKeys).find((each) => each !== undefined));
  return keys.every((each) => each !== undefined) ? keysClause(keys.flat(), filter) : { filter };
};

const compileAny = (parts: readonly CompiledClause[]): CompiledClause => {
  const keys = parts.map((part) => part.keys);
  if (keys.every((each) => each !== undefined)) return keysClause(keys.flat());
  return { filter: anyOf(parts.map(({ filter }) => filter)) };
};

/** The part leads that finds the fewest, as far as that can be said without counting. */
const compileAll = (parts: readonly CompiledClause[]): CompiledClause => {
  const filter = allOf(parts.map((part) => part.filter));
  const leads = parts.flatMap(({ lead }) => lead ?? []);
  const lead =
    leads.find(({ most }) => most !== undefined) ?? leads.find(({ points }) => points !== undefined) ?? leads[0];
  return lead === undefined ? { filter } : { filter, lead };
};

/** Makes the function that compiles the clauses of one search. */
export const createClauseCompiler = (commands: Commands): ClauseCompiler => {
  const resolved = new Map<string, Promise<CompiledClause>>();

  /** A search over many types asks the same of other resources for each of them. */
  const once = (clause: Clause, type: string, resolve: () => Promise<CompiledClause>): Promise<CompiledClause> => {
    const name = `${type} ${JSON.stringify(clause)}`;
    const known = resolved.get(name) ?? resolve();
    resolved.set(name, known);
    return known;
  };

  const compile: ClauseCompiler = async (clause, type) => {
    switch (clause.kind) {
      case 'token':
      case 'string':
      case 'date':
      case 'number':
      case 'quantity':
      case 'reference':
      case 'uri':
        return compileValue(clause);
      case 'id':
        return idsClause(clause.values.map((id) => resourceKey({ type, id })));
      case 'lastUpdated': {
        const filter = anyOf(clause.values.map(instantCondition));
        return { filter, lead: { index: 'updated_1', filter } };
      }
      case 'source':
        return keysClause(clause.values.map(sourceKey));
      case 'missing':
        return { filter: missingFilter(clause) };
      case 'composite':
        return compileComposite(clause.values);
      case 'text':
        return { filter: textFilter(clause) };
      case 'near':
        return { filter: nearFilter(clause) };
      case 'not':
        return { filter: { $nor: [(await compile(clause.clause, type)).filter] } };
      case 'any': {
        const parts: CompiledClause[] = [];
        for (const part of clause.clauses) parts.push(await compile(part, type));
        return compileAny(parts);
      }
      case 'all': {
        const parts: CompiledClause[] = [];
        for (const part of clause.clauses) parts.push(await compile(part, type));
        return compileAll(parts);
      }
      case 'chain':
        return once(clause, '', async () => {
          const inner = await compile(clause.clause, clause.type);
          return keysClause(await chainKeys(clause.param, clause.type, inner, commands));
        });
      case 'hierarchy':
        return once(clause, '', async () => keysClause(await hierarchyKeys(clause, commands)));
      case 'has':
        return once(clause, type, async () => {
          const inner = await compile(clause.clause, clause.type);
          return idsClause(await hasIds(clause.param, clause.type, inner, type, commands));
        });
    }
  };
  return compile;
};
