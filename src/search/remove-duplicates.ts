import type { IndexEntry } from './index-entry.ts';

const isSame = (one: IndexEntry, other: IndexEntry): boolean => {
  if (one.param !== other.param) return false;
  switch (one.kind) {
    case 'token':
      return other.kind === 'token' && one.code === other.code && one.system === other.system;
    case 'string':
      return other.kind === 'string' && one.exact === other.exact && one.value === other.value;
    case 'date':
    case 'number':
      return other.kind === one.kind && one.lo === other.lo && one.hi === other.hi;
    case 'quantity':
      return (
        other.kind === 'quantity' &&
        one.lo === other.lo &&
        one.hi === other.hi &&
        one.code === other.code &&
        one.system === other.system &&
        one.unit === other.unit
      );
    case 'reference':
      return other.kind === 'reference' && one.id === other.id && one.type === other.type;
    case 'uri':
      return other.kind === 'uri' && one.value === other.value;
    case 'text':
      return false;
  }
};

/** From this many entries on it is cheaper to make a key of each than to compare each with each. */
const KEYED_FROM = 32;

const removeKeyed = (entries: IndexEntry[], start: number): number => {
  const seen = new Set<string>();
  let end = start;
  for (let at = start; at < entries.length; at++) {
    const entry = entries[at]!;
    const key = Object.values(entry).join('\u0000');
    if (seen.has(key)) continue;
    seen.add(key);
    entries[end++] = entry;
  }
  return end;
};

const removeCompared = (entries: IndexEntry[], start: number): number => {
  let end = start;
  for (let at = start; at < entries.length; at++) {
    const entry = entries[at]!;
    let earlier = start;
    while (earlier < end && !isSame(entries[earlier]!, entry)) earlier++;
    if (earlier === end) entries[end++] = entry;
  }
  return end;
};

/**
 * Removes, in place, the repetitions among the entries from `start` on, which are all of one parameter. It is called
 * for every parameter of every resource that is written: the few entries that there usually are allocate nothing.
 */
export const removeDuplicates = (entries: IndexEntry[], start: number): void => {
  const isLong = entries.length - start >= KEYED_FROM;
  entries.length = isLong ? removeKeyed(entries, start) : removeCompared(entries, start);
};
