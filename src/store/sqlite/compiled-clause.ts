/**
 * The forms of a clause in SQL: a condition on a resource that is already at hand (a probe of the covering index), and,
 * if the clause is to lead the search, the index scans that find the resources (its legs).
 */
import type { Reference } from '../../fhir/reference.ts';
import { type Leg, probeOf, ridOf, unionOf, whereOf } from './leg.ts';
import { anyOf, type Sql, sql } from './sql.ts';

/** Looks up what the database calls things; undefined where nothing stored has that name. */
export interface Names {
  symbol(text: string): number | undefined;
  param(type: string, param: string): number | undefined;
  rid(reference: Reference): number | undefined;
}

/** What compiling a clause needs beside the clause. */
export interface CompileContext {
  readonly names: Names;
  /** A name for a table that no other table of the statement has. */
  alias(): string;
  /** The rids that a statement finds, or undefined if there are more than `limit`. */
  fewRids(statement: Sql, limit: number): number[] | undefined;
}

export interface CompiledClause {
  /**
   * `points`: each leg comes in the order of rid. `ranges`: each leg comes in the order of `key`. `none`: the clause can
   * only be probed.
   */
  readonly lead: 'points' | 'ranges' | 'none';
  readonly legs: readonly Leg[];
  /** For ranges: the columns that order a leg, and those that part several rows of one resource. */
  readonly key: readonly string[];
  readonly rowKey: readonly string[];
  /**
   * For ranges whose first leg has one row a resource: clauses with the same `column` can be asked of that row at once.
   */
  readonly column?: string;
  /**
   * A clause that finds much as a rule, such as all that a hospital has pushed, has a name: it leads only where all others
   * read many rows, and that it reads many itself is remembered under the name.
   */
  readonly name?: string;
  /** Whether the resource with the rid that the expression `rid` gives matches. */
  probe(rid: string): Sql;
}

/** No stored row has this number, so that an unknown name matches nothing. */
export const NOTHING = -1;

type Shape = Partial<Omit<CompiledClause, 'legs'>>;

/** A clause of these legs; by default each is one value and comes in the order of rid. */
export const compiled = (legs: readonly Leg[], { alias }: CompileContext, shape: Shape = {}): CompiledClause => ({
  lead: 'points',
  legs,
  key: [],
  rowKey: shape.key ?? [],
  probe: (rid) => anyOf(legs.map((leg) => probeOf(leg, rid, alias()))),
  ...shape,
});

/** A clause that cannot lead. */
export const probeOnly = (probe: CompiledClause['probe']): CompiledClause => ({
  lead: 'none',
  legs: [],
  key: [],
  rowKey: [],
  probe,
});

/** All resources that a clause finds, in no order and perhaps twice; undefined if it cannot lead. */
export const foundBy = (
  { lead, legs }: Pick<CompiledClause, 'lead' | 'legs'>,
  { alias }: CompileContext,
): Sql | undefined => {
  if (lead === 'none') return undefined;
  return unionOf(
    legs.map((leg) => {
      const name = alias();
      const { text, values } = whereOf(leg, name);
      return sql(`SELECT ${ridOf(leg, name)} AS rid FROM ${leg.table} ${name} WHERE ${text}`, ...values);
    }),
  );
};

/** The rows that are read to find all that a clause finds; undefined if it cannot lead. */
export const readBy = ({ lead, legs }: CompiledClause, { alias }: CompileContext): Sql | undefined => {
  if (lead === 'none') return undefined;
  return unionOf(
    legs.map(({ table, seek }) => {
      const name = alias();
      const { text, values } = seek(name);
      return sql(`SELECT ${name}.rid AS rid FROM ${table} ${name} WHERE ${text}`, ...values);
    }),
  );
};
