/** Small random changes of a resource, most of which break some rule. */
type Json = Record<string, unknown>;
type Random = () => number;

/** A generator of numbers from 0 to 1, the same for the same seed. */
export const randomFrom = (seed: number): Random => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Slot {
  readonly holder: Json;
  readonly key: string;
}

const slotsIn = (value: unknown, found: Slot[] = []): Slot[] => {
  if (Array.isArray(value)) for (const each of value) slotsIn(each, found);
  else if (isObject(value))
    for (const [key, member] of Object.entries(value)) {
      if (key !== 'resourceType') found.push({ holder: value, key });
      slotsIn(member, found);
    }
  return found;
};

const kindOf = (value: unknown): string => (Array.isArray(value) ? 'array' : typeof value);

const EXTENSIONS = { extension: [{ url: 'http://example.org/why', valueCode: 'unknown' }] };

/** The changes of one place; `other` is a member of the same name elsewhere. */
const CHANGES: readonly ((slot: Slot, other: Slot | undefined) => void)[] = [
  ({ holder, key }) => delete holder[key],
  ({ holder, key }) => {
    const value = holder[key];
    if (Array.isArray(value)) value.push(structuredClone(value[0]));
  },
  ({ holder, key }, other) => {
    const value = other?.holder[other.key];
    if (value !== undefined && kindOf(value) === kindOf(holder[key])) holder[key] = structuredClone(value);
  },
  ({ holder, key }) => {
    if (typeof holder[key] !== 'string' || key.startsWith('_') || key === 'id') return;
    delete holder[key];
    holder[`_${key}`] = EXTENSIONS;
  },
  ({ holder, key }) => {
    if (typeof holder[key] === 'string') holder[key] = `${holder[key]}x`;
  },
];

/** A copy with one to three changes. */
export const mutated = (resource: object, random: Random): Json => {
  const copy = structuredClone(resource) as Json;
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
  for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
    const slots = slotsIn(copy);
    const slot = pick(slots);
    if (slot === undefined) break;
    const same = slots.filter(({ holder, key }) => key === slot.key && holder !== slot.holder);
    pick(CHANGES)?.(slot, pick(same));
  }
  return copy;
};
