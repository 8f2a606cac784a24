/**
 * What a person can tick and untick: the scopes of a request as choices, and what is left of them as scopes.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
 */
import { LETTERS, parseScope, type ResourceScope } from '../scopes.ts';

/** A narrower scope that may be chosen in place of a whole one. */
interface Part {
  readonly key: string;
  readonly scope: string;
  /** A resource type, or the code of a category. */
  readonly name: string;
}

export type Choice =
  | {
      readonly kind: 'resource';
      readonly key: string;
      readonly scope: ResourceScope;
      /** None if it cannot be narrowed. */
      readonly parts: readonly Part[];
    }
  /** Who the person is; `openid` and what rests on it are one choice. */
  | { readonly kind: 'identity' | 'offline' | 'online'; readonly key: string; readonly scopes: readonly string[] };

const CONDITION = 'http://terminology.hl7.org/CodeSystem/condition-category';
const US_CONDITION = 'http://hl7.org/fhir/us/core/CodeSystem/condition-category';
const OBSERVATION = 'http://terminology.hl7.org/CodeSystem/observation-category';
const US_CATEGORY = 'http://hl7.org/fhir/us/core/CodeSystem/us-core-category';

/** @see https://hl7.org/fhir/us/core/scopes.html */
const CATEGORIES: Readonly<Record<string, readonly (readonly [system: string, code: string])[]>> = {
  Condition: [
    [CONDITION, 'problem-list-item'],
    [CONDITION, 'encounter-diagnosis'],
    [US_CONDITION, 'health-concern'],
  ],
  Observation: [
    [OBSERVATION, 'laboratory'],
    [OBSERVATION, 'vital-signs'],
    [OBSERVATION, 'social-history'],
    [OBSERVATION, 'survey'],
    [OBSERVATION, 'imaging'],
    [OBSERVATION, 'procedure'],
    [OBSERVATION, 'exam'],
    [US_CATEGORY, 'sdoh'],
  ],
};

/** Types that are offered in the place of all: those that US Core has profiles for. */
const TYPES = [
  ...['Patient', 'AllergyIntolerance', 'CarePlan', 'CareTeam', 'Condition', 'Consent', 'Coverage', 'Device'],
  ...['DiagnosticReport', 'DocumentReference', 'Encounter', 'Goal', 'ImagingStudy', 'Immunization'],
  ...['MedicationDispense', 'MedicationRequest', 'Observation', 'Organization', 'Practitioner', 'Procedure'],
  ...['QuestionnaireResponse', 'RelatedPerson', 'ServiceRequest', 'Specimen', 'Task'],
];

const IDENTITY = ['openid', 'fhirUser', 'profile'];

const FIRST_VERSION = /\.(read|write|\*)$/;

const partsOf = ({ level, type, letters, parameters, text }: ResourceScope, key: string): readonly Part[] => {
  if (parameters.length > 0) return [];
  const allowed = LETTERS.filter((letter) => letters.has(letter)).join('');
  // Who asks in the words of the first version is answered in them, where they suffice.
  const [, ending = allowed] = FIRST_VERSION.exec(text) ?? [];
  const part = (name: string, scope: string, position: number): Part => ({ key: `${key}.${position}`, scope, name });
  if (type === '*') return TYPES.map((name, position) => part(name, `${level}/${name}.${ending}`, position));
  // Only what is found or read can be one of a category.
  if (!letters.has('r') && !letters.has('s')) return [];
  return (CATEGORIES[type] ?? []).map(([system, code], position) =>
    part(code, `${level}/${type}.${allowed}?category=${system}|${code}`, position),
  );
};

/** The choices among scopes; what is no choice, such as `launch/patient`, is in none of them. */
export const choicesOf = (scopes: readonly string[], isResourceType: (name: string) => boolean): readonly Choice[] => {
  const resources = scopes.flatMap((text, position): Choice[] => {
    const parsed = parseScope(text, isResourceType);
    const key = String(position);
    return parsed.kind === 'resource'
      ? [{ kind: 'resource', key, scope: parsed.scope, parts: partsOf(parsed.scope, key) }]
      : [];
  });
  const others = [
    { kind: 'identity', key: 'identity', scopes: scopes.filter((scope) => IDENTITY.includes(scope)) },
    { kind: 'offline', key: 'offline', scopes: scopes.filter((scope) => scope === 'offline_access') },
    { kind: 'online', key: 'online', scopes: scopes.filter((scope) => scope === 'online_access') },
  ] as const;
  return [...resources, ...others.filter((choice) => choice.scopes.length > 0)];
};

const isAbout = (choice: Choice, text: string): boolean =>
  choice.kind === 'resource' ? choice.scope.text === text : choice.scopes.includes(text);

/** What is left of one scope. */
const chosenOf = (choice: Choice, text: string, ticked: ReadonlySet<string>): readonly string[] => {
  const parts = choice.kind === 'resource' ? choice.parts.filter(({ key }) => ticked.has(key)) : [];
  if (parts.length > 0) return parts.map(({ scope }) => scope);
  return ticked.has(choice.key) ? [text] : [];
};

/**
 * What is granted, in the order of the request: exactly what is ticked. Where kinds of a type are ticked, these in the
 * place of the whole. What is no choice stays. None if nothing is ticked.
 */
export const chosenScopes = (
  scopes: readonly string[],
  choices: readonly Choice[],
  ticked: ReadonlySet<string>,
): readonly string[] => {
  const left = scopes.map((text) => {
    const choice = choices.find((candidate) => isAbout(candidate, text));
    return { isChoice: choice !== undefined, texts: choice === undefined ? [text] : chosenOf(choice, text, ticked) };
  });
  const isAny = left.some(({ isChoice, texts }) => isChoice && texts.length > 0);
  return isAny ? [...new Set(left.flatMap(({ texts }) => texts))] : [];
};
