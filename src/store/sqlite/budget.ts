/**
 * What one search may cost. SQLite cannot be interrupted from outside here, so every statement that walks an index calls
 * a function of ours for each row; it counts, and throws when a limit is reached.
 */
import type { Connection } from './database.ts';
import { TooCostly } from './thread-errors.ts';

export interface SearchLimits {
  readonly milliseconds: number;
  readonly rows: number;
}

export interface Budget {
  /** Runs `search` within the limits; tells how many rows it touched. */
  spend<T>(search: () => T): { result: T; rows: number };
}

/** The clock is read once for so many rows. */
const ROWS_A_LOOK = 32;

/** The SQL that counts a row: true, or an error. `row` is a column of it, so that SQLite calls it for each. */
export const counted = (row: string): string => `row_touched(${row})`;

const tooSlow = ({ milliseconds }: SearchLimits): Error =>
  new TooCostly(
    `This search takes longer than ${milliseconds} ms (CONSILIUM_SEARCH_MILLISECONDS); narrow it, for example by patient or date`,
  );

/** `timeIsUp` is what a search ends with at the limit of time. */
export const createBudget = (
  connection: Connection,
  limits: SearchLimits,
  timeIsUp: (limits: SearchLimits) => Error = tooSlow,
): Budget => {
  let rows = 0;
  let deadline = Number.POSITIVE_INFINITY;
  connection.function('row_touched', { directOnly: true }, (_rid: unknown) => {
    rows++;
    if (rows > limits.rows)
      throw new TooCostly(
        `This search touches more than ${limits.rows} rows (CONSILIUM_SEARCH_ROWS); narrow it, for example by patient or date`,
      );
    if (rows % ROWS_A_LOOK === 0 && performance.now() > deadline) throw timeIsUp(limits);
    return 1;
  });
  return {
    spend: (search) => {
      rows = 0;
      deadline = performance.now() + limits.milliseconds;
      return { result: search(), rows };
    },
  };
};
