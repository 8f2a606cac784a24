/**
 * Required bindings: a code must be from the value set that R4 names. Value sets that cannot be expanded here, such as
 * all MIME types, are not enforced.
 *
 * @see https://hl7.org/fhir/R4/terminologies.html#required
 */
import type { Terminology } from '../definitions/terminology.ts';
import type { PropertyCheck } from './plan.ts';
import { quoted, shown } from './primitives.ts';
import { isObject, type JsonObject, report, type Walk } from './walk.ts';

/** The most codes that a message lists. */
const LISTED_CODES = 12;

const codesOf = (terminology: Terminology, valueSet: string): ReadonlySet<string> | undefined => {
  const concepts = terminology.expansion(valueSet);
  return concepts === undefined ? undefined : new Set(concepts.map(({ code }) => code));
};

/** Checks the value of an element of type code. */
export const checkCode = (walk: Walk, code: string, check: PropertyCheck): void => {
  if (check.pendingValueSet !== undefined) {
    check.codes = codesOf(walk.terminology, check.pendingValueSet);
    check.pendingValueSet = undefined;
  }
  const { codes } = check;
  if (codes === undefined || codes.has(code)) return;
  const allowed =
    codes.size > LISTED_CODES
      ? `is none of the ${codes.size} codes that R4 allows here`
      : `is none of the codes that R4 allows here: ${[...codes].join(', ')}`;
  report(walk, 'value', `${shown(code)} ${allowed}`);
};

/** Whether a coding is in the value set; also true where that is unknown, or where extensions stand for the code. */
const mayBeIn = (coding: unknown, valueSet: string, terminology: Terminology): boolean => {
  if (!isObject(coding)) return true;
  const { system, code } = coding;
  if (code === undefined) return coding['extension'] !== undefined || coding['_code'] !== undefined;
  if (typeof system === 'string' && typeof code === 'string')
    return terminology.contains(valueSet, system, code) !== false;
  return system !== undefined;
};

/** `condition-clinical: active, recurrence`, as a message shows a value set. */
const valueSetText = (valueSet: string, terminology: Terminology): string => {
  const codes = codesOf(terminology, valueSet);
  const [url = ''] = valueSet.split('|');
  return codes === undefined || codes.size > LISTED_CODES ? url : `${url}: ${[...codes].join(', ')}`;
};

/**
 * Checks a Coding or CodeableConcept: at least one of its codings must be in the value set. A text alone is not enough;
 * extensions that say why there is no code are.
 */
export const checkCodedValue = (walk: Walk, value: JsonObject, valueSet: string): void => {
  const { terminology } = walk;
  const { coding, code, system } = value;
  const isCoding = code !== undefined || system !== undefined;
  const codings: readonly unknown[] = isCoding ? [value] : Array.isArray(coding) ? coding : [];
  if (codings.length === 0 && value['extension'] !== undefined) return;
  if (codings.some((each) => mayBeIn(each, valueSet, terminology))) return;
  // Nothing is refused by a value set that is not known.
  if (codings.length === 0 && terminology.expansion(valueSet) === undefined) return;
  const given = codings.filter(isObject).map((each) => quoted(`${each['system'] ?? ''}|${each['code'] ?? ''}`));
  const found = given.length === 0 ? 'has no code' : `${given.slice(0, LISTED_CODES).join(', ')}: not a code`;
  report(walk, 'value', `${found} of the value set that R4 requires here, ${valueSetText(valueSet, terminology)}`);
};
