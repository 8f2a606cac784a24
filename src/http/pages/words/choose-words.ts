/** The language of a page. */
import { EN, type Words } from './en.ts';
import { FR } from './fr.ts';

const LANGUAGES: readonly Words[] = [EN, FR];

/** Tags of an Accept-Language header, best first. @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4 */
const accepted = (header: string): readonly string[] =>
  header
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.split(';').map((text) => text.trim());
      const quality = Number(parameters.find((text) => text.startsWith('q='))?.slice(2) ?? 1);
      return { tag, quality: Number.isNaN(quality) ? 0 : quality };
    })
    .filter(({ quality }) => quality > 0)
    .sort((one, other) => other.quality - one.quality)
    .map(({ tag }) => tag);

/** The first language that is spoken here, of `locales` (`ui_locales`) and then of the Accept-Language header; else English. */
export const wordsFor = (locales: readonly string[], acceptLanguage = ''): Words => {
  for (const locale of [...locales, ...accepted(acceptLanguage)]) {
    const words = LANGUAGES.find(({ language }) => locale.toLowerCase().split('-')[0] === language);
    if (words !== undefined) return words;
  }
  return EN;
};
