/** Pages by which people show who they are. */
import { type Html, html, trusted } from './html.ts';
import { type FormTarget, form, type Page, type Problem } from './layout.ts';
import type { Words } from './words/en.ts';

const field = (id: string, label: string, attributes: Html, hint?: string): Html => html`
<div class="field">
<label for="${id}">${label}</label>
${hint !== undefined && html`<p class="hint" id="${id}-hint">${hint}</p>`}
<input id="${id}" name="${id}" ${hint !== undefined && html`aria-describedby="${id}-hint"`} ${attributes}>
</div>`;

const invalidIf = (isInvalid: boolean): Html => (isInvalid ? html`aria-invalid="true"` : html``);

export interface SignInView {
  readonly target: FormTarget;
  /** What the person wanted to have. */
  readonly destination: string;
  /** The name of the app that waits. */
  readonly app?: string;
  readonly login: string;
  readonly problem?: Problem;
  readonly providers: readonly { readonly href: string; readonly title: string }[];
}

export const signInPage = (words: Words, view: SignInView): Page => {
  const { target, destination, app, login, problem, providers } = view;
  const focus = problem === undefined && html`autofocus`;
  const fields = html`
<input type="hidden" name="for" value="${destination}">
${field('login', words.login, html`type="text" value="${login}" required autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="100" ${login === '' && focus} ${invalidIf(problem?.field === 'login')}`)}
${field('password', words.password, html`type="password" required autocomplete="current-password" maxlength="400" ${login !== '' && focus} ${invalidIf(problem?.field === 'login')}`)}
<button type="submit" class="wide">${words.signIn}</button>`;
  const others = html`
<p class="or">${words.or}</p>
<div class="stack">${providers.map(({ href, title }) => html`<a class="button quiet" href="${href}">${words.signInWith(title)}</a>`)}</div>`;
  return {
    title: words.signInTitle,
    ...(problem === undefined ? {} : { problem }),
    body: html`
${app !== undefined && html`<p class="soft">${words.continueTo(app)}</p>`}
${form(target, fields)}
${providers.length > 0 && others}
<p class="note">${words.signInHelp}</p>`,
  };
};

export interface CodeView {
  readonly target: FormTarget;
  readonly destination: string;
  readonly problem?: Problem;
  readonly signOut: FormTarget;
}

const codeField = (words: Words, problem: Problem | undefined, hint?: string): Html =>
  field(
    'code',
    words.code,
    html`class="digits" type="text" required autocomplete="one-time-code" spellcheck="false" autocapitalize="characters" maxlength="40" ${problem === undefined && hint !== undefined && html`autofocus`} ${invalidIf(problem !== undefined)}`,
    hint,
  );

export const codePage = (words: Words, { target, destination, problem, signOut }: CodeView): Page => ({
  title: words.codeTitle,
  ...(problem === undefined ? {} : { problem }),
  body: html`
<p>${words.codeText}</p>
${form(
  target,
  html`<input type="hidden" name="for" value="${destination}">
${codeField(words, problem, words.codeHint)}
<button type="submit" class="wide">${words.confirm}</button>`,
)}
<div class="note">${form(signOut, html`<input type="hidden" name="for" value="${destination}"><button type="submit" class="plain">${words.signInAsOther}</button>`)}</div>`,
});

export interface EnrolView extends CodeView {
  /** Where who need not go on with this goes; undefined for somebody who must. */
  readonly manageHref?: string;
  readonly isRequired: boolean;
  /** An SVG. */
  readonly image: string;
  /** Base32. */
  readonly secret: string;
}

export const enrolPage = (words: Words, view: EnrolView): Page => {
  const { target, signOut, destination, problem, isRequired, image, secret, manageHref } = view;
  return {
    title: words.enrolTitle,
    ...(problem === undefined ? {} : { problem }),
    body: html`
<p>${isRequired ? words.enrolRequired : words.enrolOptional}</p>
<p>${words.enrolScan}</p>
<div class="image" role="img" aria-label="${words.enrolImage}">${trusted(image)}</div>
<p>${words.enrolKey}<br><code>${secret.replace(/(.{4})(?=.)/g, '$1 ')}</code></p>
<p>${words.enrolCode}</p>
${form(
  target,
  html`<input type="hidden" name="for" value="${destination}">
${codeField(words, problem)}
<button type="submit" class="wide">${words.confirm}</button>`,
)}
<div class="row note">${manageHref !== undefined && html`<a href="${manageHref}">${words.manageTitle}</a>`}
${form(signOut, html`<button type="submit" class="plain">${words.signOut}</button>`)}</div>`,
  };
};

export const recoveryPage = (words: Words, codes: readonly string[], next: string): Page => ({
  title: words.recoveryTitle,
  body: html`
<p>${words.recoveryText}</p>
<ul class="codes">${codes.map((code) => html`<li>${code}</li>`)}</ul>
<a class="button wide" href="${next}">${words.recoveryDone}</a>`,
});

export interface AccountView {
  readonly target: FormTarget;
  readonly signOut: FormTarget;
  readonly destination: string;
  readonly app: string;
  readonly name: string;
}

export const accountPage = (words: Words, { target, signOut, destination, app, name }: AccountView): Page => ({
  title: words.accountTitle,
  body: html`
<p class="soft">${words.continueTo(app)}</p>
<div class="stack">
${form(target, html`<button type="submit" class="wide">${words.continueAs(name)}</button>`)}
${form(signOut, html`<input type="hidden" name="for" value="${destination}"><button type="submit" class="quiet wide">${words.signInAsOther}</button>`)}
</div>`,
});
