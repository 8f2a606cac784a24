/** Pages that only say something. */
import { html } from './html.ts';
import type { Page } from './layout.ts';
import type { Words } from './words/en.ts';

/** `detail` is for developers, in English. */
export const errorPage = (words: Words, text: string, detail?: string): Page => ({
  title: words.errorTitle,
  body: html`<p>${text}</p>
${detail !== undefined && html`<p class="note">${words.errorDetail} <code>${detail}</code></p>`}`,
});

export const signedOutPage = (words: Words, signInHref: string): Page => ({
  title: words.signedOutTitle,
  body: html`<p>${words.signedOutText}</p>
<p><a class="button quiet" href="${signInHref}">${words.signInAgain}</a></p>`,
});
