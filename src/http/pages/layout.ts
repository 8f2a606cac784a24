/** What all pages have around what they say. */
import { type Content, type Html, html } from './html.ts';
import { STYLE_VERSION } from './style.ts';
import type { Words } from './words/en.ts';

/** A page, before it is put into the layout. */
export interface Page {
  readonly title: string;
  readonly body: Content;
  /** Something is wrong with what was entered: said at the top, and in the title. */
  readonly problem?: Problem;
  /** Something has been done: said at the top. */
  readonly done?: string;
}

export interface Problem {
  readonly text: string;
  /** The id of the field that it is about. */
  readonly field?: string;
}

/** Two circles, one over the other: a second view of the same. */
const BRAND = html`<svg viewBox="0 0 40 40" aria-hidden="true" focusable="false"><circle class="one" cx="15.5" cy="20" r="11"/><circle class="other" cx="25.5" cy="20" r="11"/></svg>`;

const problemSummary = ({ text, field }: Problem, words: Words): Html => html`
<div class="problem" role="alert" tabindex="-1" autofocus>
  <h2>${words.problemTitle}</h2>
  <p>${field === undefined ? text : html`<a href="#${field}">${text}</a>`}</p>
</div>`;

/** The whole document. `root`: the path below which the pages are, without a final slash. */
export const documentText = ({ title, body, problem, done }: Page, words: Words, root: string): string =>
  html`<!doctype html>
<html lang="${words.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${problem === undefined ? '' : `${words.problemTitle}: `}${title} – ${words.product}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${root}/auth/style.css?${STYLE_VERSION}">
</head>
<body>
<header class="top"><div class="brand">${BRAND}<div><strong>${words.product}</strong><span>${words.tagline}</span></div></div></header>
<main>
${problem && problemSummary(problem, words)}
${done !== undefined && html`<div class="done" role="status"><p>${done}</p></div>`}
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`.html;

/** What every form needs: where it goes, and the token that shows that it is ours. */
export interface FormTarget {
  readonly action: string;
  readonly token: string;
}

/** A form by POST with its token. */
export const form = ({ action, token }: FormTarget, content: Content): Html => html`
<form method="post" action="${action}">
<input type="hidden" name="form" value="${token}">
${content}
</form>`;
