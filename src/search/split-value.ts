/**
 * The separators of search values, and their escapes.
 *
 * @see https://hl7.org/fhir/R4/search.html#escaping
 */

/** Splits at each `separator` that has no backslash before it; escapes are kept. */
export const splitEscaped = (text: string, separator: ',' | '|' | '$'): string[] => {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === separator) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
};

/** Takes the backslash from `\,` `\$` `\|` and `\\`; any other backslash stands for itself. */
export const unescaped = (text: string): string => text.replace(/\\([,$|\\])/g, '$1');
