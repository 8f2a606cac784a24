/** The number of single-character edits between two texts; takes time with the product of their lengths. */
const editDistance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
};

/** Two: one wrong, missing or added letter, or two swapped ones, are taken for a slip. */
const EDITS = 2;

/** The name that `text` was probably meant to be, or undefined. */
export const closestName = (text: string, names: Iterable<string>): string | undefined => {
  let closest: string | undefined;
  let distance = Math.min(EDITS + 1, text.length - 1);
  for (const name of names) {
    if (Math.abs(name.length - text.length) > EDITS) continue;
    const edits = name.toLowerCase() === text.toLowerCase() ? 0 : editDistance(text, name);
    if (edits < distance) [closest, distance] = [name, edits];
  }
  return closest;
};
