/** Pages on which a patient or an encounter is chosen. */
import type { ListedEncounter, ListedPatient } from '../../auth/clinical-directory.ts';
import { type Html, html } from './html.ts';
import { type FormTarget, form, type Page } from './layout.ts';
import type { Words } from './words/en.ts';

export interface PatientsView {
  readonly target: FormTarget;
  /** Where a search goes, by GET. */
  readonly searchAction: string;
  /** The name of the app that waits; none where the app is chosen afterwards. */
  readonly app?: string;
  readonly text: string;
  readonly patients: readonly ListedPatient[];
  /** The position of the first one. */
  readonly first: number;
  readonly previous?: string;
  readonly next?: string;
  /** There are more than pages show. */
  readonly isCut: boolean;
  /** Where a person goes who wants none of them; none where an app waits. */
  readonly manageHref?: string;
}

/** `1970-01-02` in the words' language; a part of a date as it is. */
export const dateText = (date: string, words: Words): string => {
  const [year = 0, month = 0, day = 0] = date.slice(0, 10).split('-').map(Number);
  if (date.length < 10 || Number.isNaN(year + month + day)) return date;
  const at = new Date(Date.UTC(year, month - 1, day));
  return new Intl.DateTimeFormat(words.language, { dateStyle: 'long', timeZone: 'UTC' }).format(at);
};

const patientItem = ({ id, name, birthDate, gender, identifier }: ListedPatient, words: Words): Html => {
  const details = [
    ...(birthDate === undefined ? [] : [words.born(dateText(birthDate, words))]),
    ...(gender === undefined ? [] : [words.genders[gender] ?? gender]),
    ...(identifier === undefined ? [] : [identifier]),
  ];
  return html`<li><button class="pick" type="submit" name="patient" value="${id}"><strong>${name}</strong>${
    details.length > 0 && html` <span>${details.join(' · ')}</span>`
  }</button></li>`;
};

const pageLinks = ({ first, patients, previous, next }: PatientsView, words: Words): Html => html`
<nav class="row apart" aria-label="${words.pages}">
${previous === undefined ? html`<span></span>` : html`<a class="button quiet" href="${previous}">${words.previous}</a>`}
<span class="soft">${words.patientCount(first, first + patients.length - 1)}</span>
${next === undefined ? html`<span></span>` : html`<a class="button quiet" href="${next}">${words.next}</a>`}
</nav>`;

export const patientsPage = (words: Words, view: PatientsView): Page => {
  const { target, searchAction, app, text, patients, isCut, previous, next, manageHref } = view;
  const isPaged = previous !== undefined || next !== undefined;
  return {
    title: words.patientTitle,
    body: html`
${app !== undefined && html`<p>${words.patientText(app)}</p>`}
<form method="get" action="${searchAction}" class="search" role="search">
<div><label for="text">${words.patientSearch}</label><input id="text" name="text" type="search" value="${text}" maxlength="100" autocomplete="off"></div>
<button type="submit" class="quiet">${words.search}</button>
</form>
${
  patients.length === 0
    ? html`<p role="status">${words.patientNone}</p>`
    : form(target, html`<ul class="list">${patients.map((patient) => patientItem(patient, words))}</ul>`)
}
${isPaged && pageLinks(view, words)}
${isCut && html`<p class="note">${words.patientMany}</p>`}
${manageHref !== undefined && html`<p class="note"><a href="${manageHref}">${words.manageTitle}</a></p>`}`,
  };
};

export interface EncountersView {
  readonly target: FormTarget;
  readonly app: string;
  readonly encounters: readonly ListedEncounter[];
}

const encounterItem = ({ id, title, start }: ListedEncounter, words: Words): Html =>
  html`<li><button class="pick" type="submit" name="encounter" value="${id}"><strong>${title}</strong>${
    start !== undefined && html` <span>${dateText(start, words)}</span>`
  }</button></li>`;

export const encountersPage = (words: Words, { target, app, encounters }: EncountersView): Page => ({
  title: words.encounterTitle,
  body: html`
<p>${words.encounterText(app)}</p>
${form(target, html`<ul class="list">${encounters.map((encounter) => encounterItem(encounter, words))}</ul>`)}
${form(target, html`<button type="submit" class="quiet wide" name="encounter" value="">${words.encounterNone}</button>`)}`,
});
