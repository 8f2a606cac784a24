/**
 * The texts by which a resource is found: each index entry as one key of an array that a multikey index holds. Two
 * different values never share a key: a parameter is written without the signs that end it, a system without `|`, and
 * what may be any text comes last.
 */
import type { Reference } from '../../fhir/reference.ts';

/** The name of a parameter as a key begins with it, and as the name of a field. */
export const keyName = (param: string): string =>
  param.replace(/[^A-Za-z0-9_:#-]/g, (sign) => `%${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);

const systemText = (system: string): string => system.replace(/%/g, '%25').replace(/\|/g, '%7C');

/** A code of a system ('' for none). */
export const tokenKey = (param: string, system: string, code: string): string =>
  `${keyName(param)}=${systemText(system)}|${code}`;

/** What the keys of all codes of a system begin with. */
export const systemPrefix = (param: string, system: string): string => tokenKey(param, system, '');

/** What the keys of all tokens of a parameter begin with. */
export const tokenPrefix = (param: string): string => `${keyName(param)}=`;

/** A code of whatever system. */
export const anySystemKey = (param: string, code: string): string => `${keyName(param)}~${code}`;

/** A resource of this server, or, with `type` '', another url. */
export const referenceKey = (param: string, { type, id }: Reference): string => `${keyName(param)}>${type}/${id}`;

/** A reference by whatever parameter, but for those of composites: what `_revinclude=*` looks for. */
export const anyReferenceKey = (target: Reference): string => referenceKey('', target);

/** What the keys of all references of a parameter to resources of a type begin with; '' for other urls. */
export const referencePrefix = (param: string, type: string): string => referenceKey(param, { type, id: '' });

/** The reference that a key of the parameter stands for, or undefined if it is none of the parameter. */
export const referenceOf = (key: string, param: string): Reference | undefined => {
  const start = `${keyName(param)}>`;
  if (!key.startsWith(start)) return undefined;
  const slash = key.indexOf('/', start.length);
  return { type: key.slice(start.length, slash), id: key.slice(slash + 1) };
};

/** The parameter and the reference of any key, or undefined if it is no key of a reference. */
export const namedReferenceOf = (key: string): { name: string; target: Reference } | undefined => {
  const [, name, type, id] = /^([^=~>@]*)>([^/]*)\/(.*)$/s.exec(key) ?? [];
  return name === undefined || type === undefined || id === undefined ? undefined : { name, target: { type, id } };
};

/** A whole url. With a text that is only the beginning of urls, what their keys begin with. */
export const uriKey = (param: string, value: string): string => `${keyName(param)}@${value}`;

/** On whose behalf a resource is pushed: no parameter, and so it has a name that none has. */
export const sourceKey = (source: string): string => uriKey(':source', source);

/** A folded string. With a text that is only the beginning of strings, what their keys begin with. */
export const stringKey = (param: string, folded: string): string => `${keyName(param)}=${folded}`;

/** A string as written. */
export const exactKey = (param: string, exact: string): string => `${keyName(param)}!${exact}`;

export type WordColumn = '_content' | '_text';

/** A folded word of the resource's whole text or of its narrative. */
export const wordKey = (column: WordColumn, word: string): string => `${column === '_content' ? 'c' : 'n'}:${word}`;

/** The words of a folded text. */
export const wordsOf = (folded: string): string[] => folded.match(/[\p{L}\p{N}]+/gu) ?? [];

/** A text as a part of a regular expression that matches it alone. A pattern must not have a NUL. */
export const escapedPattern = (text: string): string =>
  text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace(/\0/g, '\\x00');

/** A regular expression of the keys that begin with a text; MongoDB reads it as bounds of an index. */
export const startsPattern = (text: string): string => `^${escapedPattern(text)}`;

/** The `_id` of a resource's current version. */
export const resourceKey = ({ type, id }: Reference): string => `${type}/${id}`;

/** The `_id` of a superseded version. */
export const versionKey = ({ type, id }: Reference, version: number): string => `${type}/${id}/${version}`;

/** The date parameters that say when something happened to the patient, where that is not `date`. */
const CLINICAL_DATES: Readonly<Record<string, string>> = {
  Appointment: 'date',
  CarePlan: 'date',
  Claim: 'created',
  Condition: 'onset-date',
  Coverage: 'period',
  DeviceRequest: 'authored-on',
  ExplanationOfBenefit: 'created',
  Flag: 'date',
  Goal: 'start-date',
  ImagingStudy: 'started',
  MedicationAdministration: 'effective-time',
  MedicationDispense: 'whenhandedover',
  MedicationRequest: 'authoredon',
  MedicationStatement: 'effective',
  NutritionOrder: 'datetime',
  QuestionnaireResponse: 'authored',
  ServiceRequest: 'authored',
  Specimen: 'collected',
  SupplyDelivery: 'date',
  Task: 'authored-on',
};

/** The date parameter whose largest value a resource's `clinicalDate` is. */
export const clinicalDateParam = (type: string): string => CLINICAL_DATES[type] ?? 'date';

/** The parameters whose references to a Patient make a resource's `patient`. */
export const PATIENT_PARAMS: readonly string[] = ['patient', 'subject'];

/** The `patient` of a resource with several. */
export const SEVERAL_PATIENTS = '*';
