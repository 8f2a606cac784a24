/** A piece of SQL with the values of its question marks. */
export interface Sql {
  readonly text: string;
  readonly values: readonly (string | number)[];
}

/** SQLite plans each OR of a condition, which takes seconds for a thousand; above this many they become a CASE. */
const PLANNED_PARTS = 16;

export const sql = (text: string, ...values: (string | number)[]): Sql => ({ text, values });

const joined = (parts: readonly Sql[], separator: string): Sql => ({
  text: parts.map(({ text }) => text).join(separator),
  values: parts.flatMap(({ values }) => values),
});

export const allOf = (parts: readonly Sql[]): Sql => (parts.length === 0 ? sql('1') : joined(parts, ' AND '));

export const anyOf = (parts: readonly Sql[]): Sql => {
  if (parts.length === 0) return sql('0');
  if (parts.length > PLANNED_PARTS) {
    const { text, values } = joined(parts, ' THEN 1 WHEN ');
    return { text: `CASE WHEN ${text} THEN 1 ELSE 0 END`, values };
  }
  const { text, values } = joined(parts, ' OR ');
  return { text: `(${text})`, values };
};
