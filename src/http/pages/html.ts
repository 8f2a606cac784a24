/** HTML from templates: what is put into one is escaped, unless it is HTML itself. */

export interface Html {
  readonly html: string;
}

/** What a template takes: text, HTML, lists of them; nothing for undefined and false. */
export type Content = string | number | Html | false | undefined | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Characters that turn the direction of what comes after them: in the name of an app they would rewrite our sentence around it.
 *
 * @see https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
 */
const TURNS = '\u202a-\u202e\u2066-\u2069';

const ESCAPED = new RegExp(`[&<>"'${TURNS}]`, 'g');

const escaped = (text: string): string => text.replace(ESCAPED, (character) => ENTITIES[character] ?? '');

const rendered = (content: Content): string => {
  if (content === undefined || content === false) return '';
  if (typeof content === 'string') return escaped(content);
  if (typeof content === 'number') return String(content);
  return 'html' in content ? content.html : content.map(rendered).join('');
};

/** Attributes must be in double quotes. */
export const html = (parts: TemplateStringsArray, ...contents: readonly Content[]): Html => ({
  html: parts.reduce((before, part, position) => before + rendered(contents[position - 1]) + part),
});

/** HTML that was made elsewhere, such as an image; never text from outside. */
export const trusted = (text: string): Html => ({ html: text });
