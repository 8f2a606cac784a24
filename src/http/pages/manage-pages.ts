/** Pages of a person's own: the apps that may act for them, and how they sign in. */
import { SHORTEST_PASSWORD } from '../../auth/users/passwords.ts';
import { dateText } from './choose-pages.ts';
import { type Content, type Html, html } from './html.ts';
import { type FormTarget, form, type Page, type Problem } from './layout.ts';
import type { Words } from './words/en.ts';

/** An app that has been allowed to act for the person. */
export interface GrantedApp {
  readonly grantId: string;
  readonly name: string;
  /** `2026-01-31`. */
  readonly since: string;
  readonly isOffline: boolean;
  readonly patient?: string;
  /** What it may use, in plain words. */
  readonly scopes: readonly string[];
}

export interface ManageView {
  readonly person: string;
  readonly apps: readonly GrantedApp[];
  /** Gives the form for an action of this page, such as `revoke`. */
  target(action: string): FormTarget;
  readonly enrolHref: string;
  /** Where apps are opened; absent if there are none. */
  readonly launchHref?: string;
  /** Undefined for somebody who has no password here. */
  readonly login: string | undefined;
  /** Unused recovery codes; undefined without a second factor. */
  readonly recoveryCodes?: number;
  readonly problem?: Problem;
  readonly done?: string;
}

const appItem = (app: GrantedApp, target: FormTarget, words: Words): Html => {
  const facts = [
    words.manageSince(dateText(app.since, words)),
    ...(app.patient === undefined ? [] : [words.managePatient(app.patient)]),
    ...(app.isOffline ? [words.manageOffline] : []),
  ];
  return html`<li class="entry"><div class="row apart"><h3>${app.name}</h3>
${form(
  target,
  html`<input type="hidden" name="grant" value="${app.grantId}"><button type="submit" class="quiet" aria-label="${words.removeApp(app.name)}">${words.remove}</button>`,
)}</div>
<p class="soft">${facts.join(' · ')}</p>
<details><summary>${words.manageScopes}<span class="hidden">: ${app.name}</span></summary>
<ul class="granted">${app.scopes.map((scope) => html`<li>${scope}</li>`)}</ul></details></li>`;
};

const passwordForm = ({ target, login, problem }: ManageView, words: Words): Html => {
  const invalid = (id: string): Content => problem?.field === id && html`aria-invalid="true"`;
  return html`
<h3>${words.passwordTitle}</h3>
${form(
  target('password'),
  html`<input type="hidden" name="username" value="${login}" autocomplete="username">
<div class="field"><label for="old">${words.passwordOld}</label>
<input id="old" name="old" type="password" required autocomplete="current-password" maxlength="400" ${invalid('old')}></div>
<div class="field"><label for="new">${words.passwordNew}</label>
<p class="hint" id="new-hint">${words.passwordHint(SHORTEST_PASSWORD)}</p>
<input id="new" name="new" type="password" required autocomplete="new-password" minlength="${SHORTEST_PASSWORD}" maxlength="400" aria-describedby="new-hint" ${invalid('new')}></div>
<button type="submit" class="quiet">${words.passwordChange}</button>`,
)}`;
};

const factorPart = ({ enrolHref, recoveryCodes }: ManageView, words: Words): Html => html`
<h3>${words.factorTitle}</h3>
<p>${recoveryCodes === undefined ? words.factorOff : words.factorOn(recoveryCodes)}</p>
<p><a class="button quiet" href="${enrolHref}">${recoveryCodes === undefined ? words.factorSetUp : words.factorReplace}</a></p>`;

export const managePage = (words: Words, view: ManageView): Page => {
  const { person, apps, target, launchHref, login, problem, done } = view;
  return {
    title: words.manageTitle,
    ...(problem === undefined ? {} : { problem }),
    ...(done === undefined ? {} : { done }),
    body: html`
<p>${words.approveSignedIn(person)}</p>
<div class="row">
${launchHref !== undefined && html`<a class="button quiet" href="${launchHref}">${words.openApp}</a>`}
${form(target('sign-out'), html`<button type="submit" class="quiet">${words.signOut}</button>`)}
</div>
<h2>${words.manageApps}</h2>
<p class="soft">${apps.length === 0 ? words.manageNone : words.manageText}</p>
${apps.length > 0 && html`<ul class="list">${apps.map((app) => appItem(app, target('revoke'), words))}</ul>`}
<h2>${words.securityTitle}</h2>
${login !== undefined && html`<div class="part">${passwordForm(view, words)}</div>`}
<div class="part">${factorPart(view, words)}</div>
<div class="part"><h3>${words.signOutEverywhere}</h3>
<p class="soft">${words.signOutEverywhereText}</p>
${form(target('sign-out-everywhere'), html`<button type="submit" class="quiet">${words.signOutEverywhere}</button>`)}</div>`,
  };
};

export interface LaunchView {
  readonly target: FormTarget;
  readonly apps: readonly { readonly id: string; readonly name: string }[];
  readonly patient: { readonly id: string; readonly name: string };
  readonly manageHref: string;
}

/** The apps that can be opened with a patient. */
export const launchPage = (words: Words, { target, apps, patient, manageHref }: LaunchView): Page => ({
  title: words.launchTitle,
  body: html`
<p>${words.launchFor(patient.name)}</p>
${
  apps.length === 0
    ? html`<p>${words.launchNone}</p>`
    : form(
        target,
        html`<input type="hidden" name="patient" value="${patient.id}">
<ul class="list">${apps.map(({ id, name }) => html`<li><button class="pick" type="submit" name="client" value="${id}" aria-label="${words.launchApp(name)}"><strong>${name}</strong></button></li>`)}</ul>`,
      )
}
<p class="note"><a href="${manageHref}">${words.manageTitle}</a></p>`,
});
