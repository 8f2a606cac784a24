/**
 * JSON text as its tokens, each as it was written: digits and escapes count, white space between tokens does not.
 * Shares nothing with the server's own reader, so that each can prove the other wrong.
 */

const TOKEN = /"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}[\]:,]/g;

export type Tokens = readonly string[];

export const tokensOf = (text: string): string[] => text.match(TOKEN) ?? [];

/** The index behind the value that begins at `start`. */
const behindValue = (tokens: Tokens, start: number): number => {
  let depth = 0;
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (token === '{' || token === '[') depth++;
    if (token === '}' || token === ']') depth--;
    if (depth === 0) return at + 1;
  }
  throw new Error('The JSON ends within a value');
};

/** The members of an object, by key. */
export const membersOf = (tokens: Tokens): Map<string, Tokens> => {
  const members = new Map<string, Tokens>();
  for (let at = 1; tokens[at] !== '}'; ) {
    if (tokens[at] === ',') at++;
    const end = behindValue(tokens, at + 2);
    members.set(JSON.parse(tokens[at]!), tokens.slice(at + 2, end));
    at = end;
  }
  return members;
};

/** The elements of an array. */
export const elementsOf = (tokens: Tokens): Tokens[] => {
  const elements: Tokens[] = [];
  for (let at = 1; tokens[at] !== ']'; ) {
    if (tokens[at] === ',') at++;
    const end = behindValue(tokens, at);
    elements.push(tokens.slice(at, end));
    at = end;
  }
  return elements;
};

/** A resource's text in order, without `id`, and of `meta` without what the server writes there. */
export const contentOf = (tokens: Tokens): string => {
  const lines: string[] = [];
  const meta: string[] = [];
  for (const [key, value] of membersOf(tokens)) {
    if (key === 'meta') {
      for (const [name, part] of membersOf(value))
        if (name !== 'versionId' && name !== 'lastUpdated') meta.push(`meta.${name} ${part.join('')}`);
    } else if (key !== 'id') {
      lines.push(`${key} ${value.join('')}`);
    }
  }
  return [...lines, ...meta].join('\n');
};
