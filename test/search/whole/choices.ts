/** Where all randomness of a world comes from. */

export interface Choices {
  /** A whole number from 0 to `most`. */
  upTo(most: number): number;
  of<T>(options: readonly T[]): T;
  isOneIn(count: number): boolean;
}

/** The generator mulberry32: numbers from 0 to below 1, the same for the same seed. */
const numbersFrom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** A world takes many thousands of choices: to repeat it, its seed says more than their list would. */
export const choicesFrom = (seed: number): Choices => {
  const next = numbersFrom(seed);
  const upTo = (most: number): number => Math.floor(next() * (most + 1));
  return {
    upTo,
    of: (options) => {
      if (options.length === 0) throw new Error('There is nothing to choose from');
      return options[upTo(options.length - 1)] as (typeof options)[number];
    },
    isOneIn: (count) => upTo(count - 1) === 0,
  };
};
