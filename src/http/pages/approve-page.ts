/** The page on which a person decides what an app may do: plain words for each scope, each with a box to untick. */
import type { Choice } from '../../auth/authorize/consent-choices.ts';
import type { Letter, ResourceScope } from '../../auth/scopes.ts';
import { type Content, type Html, html } from './html.ts';
import { type FormTarget, form, type Page, type Problem } from './layout.ts';
import type { Words } from './words/en.ts';

/** An app, as people see it. */
export interface ShownApp {
  readonly name: string;
  /** The name of the organization that it acts for. */
  readonly organization?: string;
  readonly logoUrl?: string;
  readonly purpose: keyof Words['purposes'];
}

export interface ApproveView {
  readonly target: FormTarget;
  readonly signOut: FormTarget;
  /** For after signing in as somebody else. */
  readonly destination: string;
  readonly app: ShownApp;
  /** The person's own name. */
  readonly person: string;
  /** The name of the patient in context. */
  readonly patient?: string;
  readonly choices: readonly Choice[];
  /** Keys of choices and parts; undefined before anything was ticked or unticked: then all choices are. */
  readonly ticked?: ReadonlySet<string>;
  /** Where the person goes afterwards. */
  readonly host: string;
  readonly problem?: Problem;
}

type ResourceChoice = Extract<Choice, { kind: 'resource' }>;

const ACTIONS: readonly (readonly [letters: readonly Letter[], action: 'see' | 'add' | 'change' | 'delete'])[] = [
  [['r', 's'], 'see'],
  [['c'], 'add'],
  [['u'], 'change'],
  [['d'], 'delete'],
];

/** `VisionPrescription` as `Vision prescription`, for types that have no words. */
const spaced = (type: string): string => type.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

const typeText = (type: string, words: Words): string => words.types[type] ?? spaced(type);

/** `http://loinc.org|8480-6` as `8480-6`. */
const valueText = (value: string, words: Words): string => {
  const code = value.split('|').at(-1) ?? value;
  return words.categories[code] ?? code;
};

const conditionText = ({ parameters }: ResourceScope, words: Words): string =>
  parameters
    .map(([name, value]) => (name === 'category' ? valueText(value, words) : `${name}: ${valueText(value, words)}`))
    .join(', ');

/** What a scope is about, and what may be done with it, in plain words. */
export const scopeText = (scope: ResourceScope, words: Words): { readonly what: string; readonly how: string } => {
  const actions = ACTIONS.filter(([letters]) => letters.some((letter) => scope.letters.has(letter)));
  const may = words.actions(actions.map(([, action]) => action));
  const where = scope.parameters.length === 0 ? '' : `, ${words.onlyWhere(conditionText(scope, words))}`;
  return { what: typeText(scope.type, words), how: `${may}${where}` };
};

const tick = (key: string, isTicked: boolean, label: Content, hint?: string): Html => html`
<div class="tick"><input type="checkbox" id="tick-${key}" name="tick" value="${key}" ${isTicked && html`checked`} ${
  hint !== undefined && html`aria-describedby="hint-${key}"`
}><div><label for="tick-${key}">${label}</label>${
  hint !== undefined && html`<p class="hint" id="hint-${key}">${hint}</p>`
}</div></div>`;

const partText = (type: string, name: string, words: Words): string =>
  type === '*' ? typeText(name, words) : (words.categories[name] ?? name);

const partsOf = ({ scope, parts }: ResourceChoice, words: Words, ticked: ReadonlySet<string>): Html => html`
<details ${parts.some(({ key }) => ticked.has(key)) && html`open`}>
<summary>${words.onlyKinds}<span class="hidden">: ${typeText(scope.type, words)}</span></summary>
<fieldset><legend>${words.onlyKindsHint}</legend>
${parts.map(({ key, name }) => tick(key, ticked.has(key), partText(scope.type, name, words)))}
</fieldset>
</details>`;

const resourceItem = (choice: ResourceChoice, words: Words, ticked: ReadonlySet<string> | undefined): Html => {
  const { key, scope, parts } = choice;
  const { what, how } = scopeText(scope, words);
  return html`<li>${tick(key, ticked?.has(key) ?? true, what, how)}${
    parts.length > 0 && partsOf(choice, words, ticked ?? new Set())
  }</li>`;
};

const otherItem = ({ key, kind }: Choice, words: Words, ticked: ReadonlySet<string> | undefined): Html => {
  const isTicked = ticked?.has(key) ?? true;
  if (kind === 'identity') return html`<li>${tick(key, isTicked, words.identity)}</li>`;
  if (kind === 'offline') return html`<li>${tick(key, isTicked, words.offline, words.offlineHint)}</li>`;
  return html`<li>${tick(key, isTicked, words.online)}</li>`;
};

const group = (title: string, items: readonly Html[]): Content =>
  items.length > 0 && html`<fieldset><legend>${title}</legend><ul class="list">${items}</ul></fieldset>`;

const groups = ({ choices, ticked, patient }: ApproveView, words: Words): Content => {
  const ofLevel = (isPatient: boolean): readonly Html[] =>
    choices.flatMap((choice) =>
      choice.kind === 'resource' && (choice.scope.level === 'patient') === isPatient
        ? [resourceItem(choice, words, ticked)]
        : [],
    );
  const others = choices.filter(({ kind }) => kind !== 'resource');
  return [
    group(patient === undefined ? words.recordChosen : words.recordOf(patient), ofLevel(true)),
    group(words.recordsAll, ofLevel(false)),
    group(
      words.alsoTitle,
      others.map((choice) => otherItem(choice, words, ticked)),
    ),
  ];
};

/** The logo, or the first letter in its place. */
const logo = ({ logoUrl, name }: ShownApp): Html =>
  logoUrl === undefined
    ? html`<div class="letter" aria-hidden="true">${[...name][0]?.toUpperCase()}</div>`
    : html`<img src="${logoUrl}" alt="" width="56" height="56" referrerpolicy="no-referrer">`;

export const approvePage = (words: Words, view: ApproveView): Page => {
  const { target, signOut, destination, app, person, host, problem } = view;
  return {
    title: words.approveTitle(app.name),
    ...(problem === undefined ? {} : { problem }),
    body: html`
<div class="app">${logo(app)}<div>
<p>${app.organization === undefined ? words.approveByNobody : words.approveBy(app.organization)}</p>
<p class="soft">${words.purposes[app.purpose]}</p>
</div></div>
<div class="row"><span>${words.approveSignedIn(person)}</span>
${form(signOut, html`<input type="hidden" name="for" value="${destination}"><button type="submit" class="plain">${words.approveOther}</button>`)}</div>
<h2>${words.manageScopes}</h2>
<p class="soft" id="choices">${words.approveHint}</p>
${form(
  target,
  html`${groups(view, words)}
<div class="row decision">
<button type="submit" name="decision" value="allow">${words.allow}</button>
<button type="submit" name="decision" value="deny" class="quiet">${words.deny}</button>
</div>`,
)}
<p class="note">${words.approveEnd(host)}</p>`,
  };
};
