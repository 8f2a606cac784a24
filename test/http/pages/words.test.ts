import { test } from 'tap';
import { dateText } from '../../../src/http/pages/choose-pages.ts';
import { wordsFor } from '../../../src/http/pages/words/choose-words.ts';
import { EN } from '../../../src/http/pages/words/en.ts';
import { FR } from '../../../src/http/pages/words/fr.ts';

/** `types.Patient` and so on, with the text; functions are called with something. */
const texts = (words: object, path = ''): [key: string, text: string][] =>
  Object.entries(words).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    const key = `${path}${name}`;
    if (typeof value === 'function')
      return [[key, String((value as (...given: unknown[]) => string)(name === 'actions' ? ['see'] : 3, 4))]];
    return typeof value === 'string' ? [[key, value]] : texts(value as object, `${key}.`);
  });

/** Words that are the same in both languages. */
const SAME = new Set([
  'product',
  'types.Communication',
  'types.DocumentReference',
  'types.Consent',
  'types.Immunization',
  'code',
  'or',
  'minutes',
  'patientCount',
  'pages',
  'types.Observation',
]);

test('French has every text that English has, and none is left in English or empty', (t) => {
  const [english, french] = [new Map(texts(EN)), new Map(texts(FR))];
  t.same([...french.keys()].sort(), [...english.keys()].sort());
  for (const [key, text] of french) {
    t.match(text, /\S/, key);
    if (!SAME.has(key)) t.not(text, english.get(key), key);
  }
  t.end();
});

test('The language is the first one of ui_locales, then of Accept-Language by quality, that is spoken; else English', (t) => {
  const language = (locales: string[], header?: string): string => wordsFor(locales, header).language;
  t.equal(language([]), 'en');
  t.equal(language([], 'fr-CA,fr;q=0.9,en;q=0.8'), 'fr');
  t.equal(language([], 'en;q=0.5, fr;q=0.9'), 'fr');
  t.equal(language([], 'de, es;q=0.9'), 'en');
  t.equal(language([], 'fr;q=0, en'), 'en');
  t.equal(language(['fr-CA'], 'en'), 'fr');
  t.equal(language(['de', 'en'], 'fr'), 'en');
  t.equal(language([], ';;;,q=,fr;q=x'), 'en');
  t.end();
});

test('Dates are written as people of the language do; a part of a date stays as it is', (t) => {
  t.equal(dateText('1985-12-10', EN), 'December 10, 1985');
  t.equal(dateText('1985-12-10T23:00:00-05:00', FR), '10 décembre 1985');
  t.equal(dateText('1985-12', EN), '1985-12');
  t.equal(dateText('1985', EN), '1985');
  t.end();
});
