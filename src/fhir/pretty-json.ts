/** JSON text laid out for people. Digits and escapes stay as they are. */
import { stringEnd } from './json-text.ts';

const INDENT = '  ';

/** Compact JSON with line breaks and two spaces a level. */
export const prettyJson = (text: string): string => {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  const lineBreak = (): string => `\n${INDENT.repeat(depth)}`;
  const put = (at: number, more: string): void => {
    parts.push(text.slice(from, at), more);
    from = at;
  };
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === 34) {
      at = stringEnd(text, at);
      continue;
    }
    const isOpening = code === 123 || code === 91;
    const isClosing = code === 125 || code === 93;
    // An empty list or object stays on its line.
    if (isOpening && text.charCodeAt(at + 1) === code + 2) {
      at += 2;
      continue;
    }
    if (isClosing) {
      depth--;
      put(at, lineBreak());
    }
    at++;
    if (isOpening) depth++;
    if (isOpening || code === 44) put(at, lineBreak());
    else if (code === 58) put(at, ' ');
  }
  parts.push(text.slice(from));
  return parts.join('');
};
