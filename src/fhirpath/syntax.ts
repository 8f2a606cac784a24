/**
 * The part of FHIRPath's grammar that search parameters use, as a tree. It has no arithmetic, no ordering, no sets
 * and no quantities or dates as literals.
 *
 * @see https://hl7.org/fhirpath/N1/grammar.html
 */

export type Expression =
  /** `name`, or `source.name`. */
  | { readonly kind: 'member'; readonly source: Expression | undefined; readonly name: string }
  | {
      readonly kind: 'call';
      readonly source: Expression | undefined;
      readonly name: string;
      readonly parameters: readonly Expression[];
    }
  | { readonly kind: 'index'; readonly source: Expression; readonly index: number }
  | { readonly kind: 'literal'; readonly value: string | boolean | number }
  /** `%resource`, the whole resource. */
  | { readonly kind: 'resource' }
  | { readonly kind: 'type'; readonly operator: 'is' | 'as'; readonly source: Expression; readonly type: string }
  | {
      readonly kind: 'binary';
      readonly operator: '|' | '=' | '!=' | 'and' | 'or';
      readonly left: Expression;
      readonly right: Expression;
    };

const TOKEN = /\s*(?:([A-Za-z_]\w*)|`([^`\\]+)`|'([^'\\]*)'|(\d+)|(%resource\b|!=|[.()[\],|=]))/y;

interface Token {
  /** `word` may be a keyword, `name` (in backticks) is not. */
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'symbol' | 'end';
  readonly text: string;
}

const END: Token = { kind: 'end', text: '' };

class UnsupportedSyntax extends Error {}

const tokensOf = (text: string): Token[] => {
  const tokens: Token[] = [];
  const trimmed = text.trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < trimmed.length) {
    const match = TOKEN.exec(trimmed);
    if (match === null) throw new UnsupportedSyntax();
    const [, word, name, string, number, symbol] = match;
    if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (string !== undefined) tokens.push({ kind: 'string', text: string });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else tokens.push({ kind: 'symbol', text: symbol ?? '' });
  }
  return tokens;
};

interface Cursor {
  peek(): Token;
  take(): Token;
  /** Takes the next token if it is this one. */
  takeIf(kind: Token['kind'], text: string): boolean;
}

const cursorOver = (tokens: readonly Token[]): Cursor => {
  let at = 0;
  return {
    peek: () => tokens[at] ?? END,
    take: () => tokens[at++] ?? END,
    takeIf: (kind, text) => {
      const next = tokens[at] ?? END;
      if (next.kind !== kind || next.text !== text) return false;
      at++;
      return true;
    },
  };
};

const expectSymbol = (cursor: Cursor, symbol: string): void => {
  if (!cursor.takeIf('symbol', symbol)) throw new UnsupportedSyntax();
};

const parseIdentifier = (cursor: Cursor): string => {
  const { kind, text } = cursor.take();
  if (kind !== 'word' && kind !== 'name') throw new UnsupportedSyntax();
  return text;
};

/** `Patient`, or `FHIR.Patient`, which is the same. */
const parseTypeName = (cursor: Cursor): string => {
  const name = parseIdentifier(cursor);
  return name === 'FHIR' && cursor.takeIf('symbol', '.') ? parseIdentifier(cursor) : name;
};

const parseInvocation = (cursor: Cursor, source: Expression | undefined): Expression => {
  const name = parseIdentifier(cursor);
  if (!cursor.takeIf('symbol', '(')) return { kind: 'member', source, name };
  const parameters: Expression[] = [];
  if (!cursor.takeIf('symbol', ')')) {
    do parameters.push(parseOr(cursor));
    while (cursor.takeIf('symbol', ','));
    expectSymbol(cursor, ')');
  }
  return { kind: 'call', source, name, parameters };
};

const parseTerm = (cursor: Cursor): Expression => {
  const { kind, text } = cursor.peek();
  if (kind === 'string') return { kind: 'literal', value: cursor.take().text };
  if (kind === 'number') return { kind: 'literal', value: Number(cursor.take().text) };
  if (kind === 'word' && (text === 'true' || text === 'false')) {
    return { kind: 'literal', value: cursor.take().text === 'true' };
  }
  if (cursor.takeIf('symbol', '%resource')) return { kind: 'resource' };
  if (!cursor.takeIf('symbol', '(')) return parseInvocation(cursor, undefined);
  const inner = parseOr(cursor);
  expectSymbol(cursor, ')');
  return inner;
};

const parsePath = (cursor: Cursor): Expression => {
  let node = parseTerm(cursor);
  for (;;) {
    if (cursor.takeIf('symbol', '.')) node = parseInvocation(cursor, node);
    else if (cursor.takeIf('symbol', '[')) {
      const { kind, text } = cursor.take();
      if (kind !== 'number') throw new UnsupportedSyntax();
      expectSymbol(cursor, ']');
      node = { kind: 'index', source: node, index: Number(text) };
    } else return node;
  }
};

const parseTyped = (cursor: Cursor): Expression => {
  const source = parsePath(cursor);
  if (cursor.takeIf('word', 'is')) return { kind: 'type', operator: 'is', source, type: parseTypeName(cursor) };
  if (cursor.takeIf('word', 'as')) return { kind: 'type', operator: 'as', source, type: parseTypeName(cursor) };
  return source;
};

const parseUnion = (cursor: Cursor): Expression => {
  let left = parseTyped(cursor);
  while (cursor.takeIf('symbol', '|')) left = { kind: 'binary', operator: '|', left, right: parseTyped(cursor) };
  return left;
};

const parseEquality = (cursor: Cursor): Expression => {
  const left = parseUnion(cursor);
  if (cursor.takeIf('symbol', '=')) return { kind: 'binary', operator: '=', left, right: parseUnion(cursor) };
  if (cursor.takeIf('symbol', '!=')) return { kind: 'binary', operator: '!=', left, right: parseUnion(cursor) };
  return left;
};

const parseAnd = (cursor: Cursor): Expression => {
  let left = parseEquality(cursor);
  while (cursor.takeIf('word', 'and')) left = { kind: 'binary', operator: 'and', left, right: parseEquality(cursor) };
  return left;
};

/** The loosest level of precedence; each level calls the next tighter one. */
const parseOr = (cursor: Cursor): Expression => {
  let left = parseAnd(cursor);
  while (cursor.takeIf('word', 'or')) left = { kind: 'binary', operator: 'or', left, right: parseAnd(cursor) };
  return left;
};

/** The tree of an expression, or undefined if it is no FHIRPath or uses more of the grammar than is covered here. */
export const parseExpression = (text: string): Expression | undefined => {
  try {
    const cursor = cursorOver(tokensOf(text));
    const whole = parseOr(cursor);
    return cursor.peek() === END ? whole : undefined;
  } catch (error) {
    if (error instanceof UnsupportedSyntax) return undefined;
    throw error;
  }
};
