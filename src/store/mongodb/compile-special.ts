/** Clauses that are no comparison of a value: presence, words of a text, and distances. */
import { BSONRegExp, type Document } from 'mongodb';
import { foldText } from '../../search/index-entry.ts';
import type { Clause } from '../../search/search-query.ts';
import { anyOf, NEVER } from './compiled-clause.ts';
import { keyName, startsPattern, type WordColumn, wordKey, wordsOf } from './keys.ts';

const columnOf = (param: string): WordColumn => (param === '_content' ? '_content' : '_text');

export const missingFilter = ({ param, entries, isMissing }: Extract<Clause, { kind: 'missing' }>): Document => {
  const held =
    entries === 'text'
      ? { w: new BSONRegExp(startsPattern(wordKey(columnOf(param), ''))) }
      : { present: keyName(param) };
  return isMissing ? { $nor: [held] } : held;
};

/** Every word must be there, folded as the keys have it. */
export const textFilter = ({ param, values }: Extract<Clause, { kind: 'text' }>): Document =>
  anyOf(
    values.map((text) => {
      const words = wordsOf(foldText(text));
      return words.length === 0 ? NEVER : { w: { $all: words.map((word) => wordKey(param, word)) } };
    }),
  );

const EARTH_KILOMETRES = 6371;

/** No degree of latitude is shorter, in kilometres. */
const DEGREE_KILOMETRES = (2 * Math.PI * EARTH_KILOMETRES) / 360;

/** The number of the component that stands under `p` among the numbers of the element `$$place`. */
const degrees = (p: string): Document => ({
  $let: {
    vars: { found: { $first: { $filter: { input: '$$place.n', cond: { $eq: ['$$this.p', { $literal: p }] } } } } },
    in: '$$found.lo',
  },
});

const squaredSine = (half: Document): Document => ({ $pow: [{ $sin: { $degreesToRadians: half } }, 2] });

/** The distance on a sphere. @see https://en.wikipedia.org/wiki/Haversine_formula */
const kilometresTo = (latitude: number, longitude: number): Document => {
  const cosine = (degree: unknown): Document => ({ $cos: { $degreesToRadians: degree } });
  const halfOf = (degree: string, from: number): Document => ({ $divide: [{ $subtract: [degree, from] }, 2] });
  const along = squaredSine(halfOf('$$north', latitude));
  const across = {
    $multiply: [cosine(latitude), cosine('$$north'), squaredSine(halfOf('$$east', longitude))],
  };
  return {
    $multiply: [2 * EARTH_KILOMETRES, { $asin: { $min: [1, { $sqrt: { $add: [along, across] } }] } }],
  };
};

/** Places are elements of two numbers; their latitude is compared first, as that costs less than the distance. */
export const nearFilter = ({ param, values }: Extract<Clause, { kind: 'near' }>): Document => {
  const p = keyName(param);
  const [north, east] = [`${p}#0`, `${p}#1`];
  const bands = values.map(({ latitude, kilometres }) => {
    // A little more, as the last digits of a distance are rounded.
    const reach = (kilometres / DEGREE_KILOMETRES) * 1.000001 + 1e-9;
    return { lo: { $gte: latitude - reach, $lte: latitude + reach } };
  });
  const distances = values.map(({ latitude, longitude, kilometres }) => ({
    $lte: [kilometresTo(latitude, longitude), kilometres],
  }));
  const place = { $first: { $filter: { input: '$e', cond: { $eq: ['$$this.p', { $literal: p }] } } } };
  const isNear = {
    $let: {
      vars: { place },
      in: {
        $let: {
          vars: { north: degrees(north), east: degrees(east) },
          in: { $and: [{ $isNumber: '$$north' }, { $isNumber: '$$east' }, { $or: distances }] },
        },
      },
    },
  };
  const isInBand = { e: { $elemMatch: { p, n: { $elemMatch: { p: north, $and: [anyOf(bands)] } } } } };
  return { $and: [isInBand, { $expr: isNear }] };
};
