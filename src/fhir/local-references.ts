/** The literal references in the text of a resource to others of the same server. */
import { stringEnd } from './json-text.ts';
import { parseReference, type Reference, referenceText } from './reference.ts';

/** In compact JSON. Inside of a string its quotes would be escaped, so each is a key. */
const KEY = '"reference":"';

/** The resources of this server that a resource refers to, each once. */
export const localReferences = (text: string, baseUrl: string): Reference[] => {
  const found = new Map<string, Reference>();
  for (let at = text.indexOf(KEY); at >= 0; at = text.indexOf(KEY, at)) {
    const start = at + KEY.length - 1;
    at = stringEnd(text, start);
    const parsed = parseReference(JSON.parse(text.slice(start, at)), baseUrl);
    if (parsed?.kind === 'local') {
      const reference = { type: parsed.type, id: parsed.id };
      found.set(referenceText(reference), reference);
    }
  }
  return [...found.values()];
};
