/**
 * Uri parameters.
 *
 * @see https://hl7.org/fhir/R4/search.html#uri
 */
import { type Asked, anyClause, noSuchModifier } from './asked.ts';
import { modifiedParam } from './index-entry.ts';
import type { Clause, UriMatch } from './search-query.ts';
import { unescaped } from './split-value.ts';

/** `http://a/b/c` and all that it is below, with and without a slash at the end: `http://a/b/`, `http://a/b`, `http://a/` ... */
const urisAbove = (uri: string): string[] => {
  const above = [uri];
  for (let end = uri.lastIndexOf('/'); end > uri.indexOf('//') + 1; end = uri.lastIndexOf('/', end - 1))
    above.push(uri.slice(0, end + 1), uri.slice(0, end));
  return [...new Set(above)];
};

/** With `|[version]` also the resource that has this url and this version. */
const exactly = (param: string, values: readonly string[]): Clause => {
  const versioned = values.filter((value) => value.includes('|'));
  const clause = { kind: 'uri', match: 'exact' } as const;
  return anyClause([
    { ...clause, param, values },
    ...(versioned.length === 0 ? [] : [{ ...clause, param: modifiedParam(param, 'version'), values: versioned }]),
  ]);
};

export const uriClause = (asked: Asked): Clause => {
  const { parameter, modifier } = asked;
  const { code: param } = parameter;
  const values = asked.values.map(unescaped);
  const matching = (match: UriMatch, uris: readonly string[]): Clause => ({ kind: 'uri', param, match, values: uris });
  switch (modifier) {
    case '':
      return exactly(param, values);
    case 'below':
      return matching('below', values);
    case 'above':
      return matching('exact', values.flatMap(urisAbove));
    default:
      throw noSuchModifier(asked);
  }
};
