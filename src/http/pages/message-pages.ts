/** Pages that only say something. */
import { html } from './html.ts';
import type { Page } from './layout.ts';
import type { Words } from './words/en.ts';

interface ErrorView {
  readonly text: string;
  /** For developers, in English. */
  readonly detail?: string;
  readonly manageHref: string;
}

export const errorPage = (words: Words, { text, detail, manageHref }: ErrorView): Page => ({
  title: words.errorTitle,
  body: html`<p>${text}</p>
${detail !== undefined && html`<p class="note">${words.errorDetail} <code>${detail}</code></p>`}
<p class="note"><a href="${manageHref}">${words.manageTitle}</a></p>`,
});

export const signedOutPage = (words: Words, signInHref: string): Page => ({
  title: words.signedOutTitle,
  body: html`<p>${words.signedOutText}</p>
<p><a class="button quiet" href="${signInHref}">${words.signInAgain}</a></p>`,
});
