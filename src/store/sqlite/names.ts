/** Looks up the numbers that searches need. */
import type { Names } from './compiled-clause.ts';
import type { Connection } from './database.ts';
import { openSymbols, parameterSymbol, type Symbols } from './symbols.ts';

export const openNames = (connection: Connection, symbols: Symbols = openSymbols(connection)): Names => {
  const select = connection.prepare('SELECT rid FROM resource WHERE type = ? AND id = ?').pluck();
  return {
    symbol: symbols.find,
    param: (type, param) => symbols.find(parameterSymbol(type, param)),
    rid: ({ type, id }) => {
      const symbol = symbols.find(type);
      return symbol === undefined ? undefined : (select.get(symbol, id) as number | undefined);
    },
  };
};
