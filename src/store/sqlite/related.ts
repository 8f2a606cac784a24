/**
 * Follows `_include` and `_revinclude` through the index of references.
 *
 * @see https://hl7.org/fhir/R4/search.html#include
 */
import type { Include } from '../../search/search-query.ts';
import { counted } from './budget.ts';
import { NOTHING } from './compiled-clause.ts';
import type { Connection } from './database.ts';
import type { Runner } from './plan.ts';
import { type Sql, sql } from './sql.ts';

/** The symbols of all reference parameters of a type, or of all types. */
const referenceParams = (connection: Connection): ((type: string | undefined) => number[]) => {
  const all = connection.prepare('SELECT DISTINCT param FROM reference').pluck();
  const text = connection.prepare('SELECT text FROM symbol WHERE id = ?').pluck();
  let known: { readonly param: number; readonly name: string }[] | undefined;
  return (type) => {
    // Components of composites are rows of elements, not of resources.
    known ??= (all.all() as number[])
      .map((param) => ({ param, name: text.get(param) as string }))
      .filter(({ name }) => !name.includes('#'));
    return known.filter(({ name }) => type === undefined || name.startsWith(`${type}.`)).map(({ param }) => param);
  };
};

const list = (numbers: readonly number[]): string => (numbers.length === 0 ? `${NOTHING}` : numbers.join(', '));

const followed = (
  { direction, type, param, target }: Include,
  from: readonly number[],
  limit: number,
  paramsOf: (type: string | undefined) => number[],
  { names }: Runner,
): Sql => {
  const params = type !== undefined && param !== undefined ? [names.param(type, param) ?? NOTHING] : paramsOf(type);
  const [near, far] = direction === 'forward' ? ['rid', 'target'] : ['target', 'rid'];
  const ofTarget = target === undefined ? undefined : (names.symbol(target) ?? NOTHING);
  const isWanted =
    ofTarget === undefined
      ? '1'
      : `EXISTS (SELECT 1 FROM resource t WHERE t.rid = i.target AND t.type = ${ofTarget} AND t.live = 1)`;
  return sql(
    `SELECT DISTINCT r.rid FROM reference i CROSS JOIN resource r ON r.rid = i.${far} AND r.live = 1` +
      ` WHERE ${counted('i.rid')} AND ${isWanted} AND i.${near} IN (${list(from)}) AND i.param IN (${list(params)}) LIMIT ?`,
    limit,
  );
};

/** The rids that the includes lead to. What iterates goes on until there is nothing new, or the limit is reached. */
export const relatedRids = (
  matches: readonly number[],
  includes: readonly Include[],
  limit: number,
  connection: Connection,
  runner: Runner,
): { rids: number[]; isCut: boolean } => {
  const paramsOf = referenceParams(connection);
  const seen = new Set(matches);
  const found: number[] = [];
  let from: readonly number[] = matches;
  for (let round = 0; from.length > 0; round++) {
    const active = includes.filter(({ iterates }) => round === 0 || iterates);
    const next: number[] = [];
    for (const include of active)
      for (const [rid] of runner.rows(followed(include, from, limit + seen.size + 1, paramsOf, runner))) {
        if (seen.has(rid as number)) continue;
        if (found.length === limit) return { rids: found, isCut: true };
        seen.add(rid as number);
        found.push(rid as number);
        next.push(rid as number);
      }
    from = next;
  }
  return { rids: found, isCut: false };
};
