/** A piece of SQL with the values of its question marks. */
export interface Sql {
  readonly text: string;
  readonly values: readonly (string | number)[];
}

export const sql = (text: string, ...values: (string | number)[]): Sql => ({ text, values });

export const joined = (parts: readonly Sql[], separator: string): Sql => ({
  text: parts.map(({ text }) => text).join(separator),
  values: parts.flatMap(({ values }) => values),
});

export const allOf = (parts: readonly Sql[]): Sql => (parts.length === 0 ? sql('1') : joined(parts, ' AND '));

export const anyOf = (parts: readonly Sql[]): Sql => {
  const { text, values } = joined(parts, ' OR ');
  return parts.length === 0 ? sql('0') : { text: `(${text})`, values };
};
