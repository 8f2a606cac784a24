/**
 * The walker: checks a resource against the structures of R4 and says what is wrong with it, one issue a fault.
 *
 * @see https://hl7.org/fhir/R4/json.html
 */
import type { Structure, Structures } from '../definitions/structures.ts';
import { checkCode, checkCodedValue } from './check-binding.ts';
import { checkReference } from './check-reference.ts';
import { closestName } from './closest-name.ts';
import type { Plan, PropertyCheck } from './plan.ts';
import { shown } from './primitives.ts';
import { isFull, isObject, type JsonObject, jsonPathOf, report, type Walk } from './walk.ts';

/** The most characters of an unknown name that a path repeats. */
const NAME_LENGTH = 60;

/** As a step of a FHIRPath: names that are no identifiers are delimited. */
const stepText = (key: string): string => {
  const cut = key.length > NAME_LENGTH ? `${key.slice(0, NAME_LENGTH)}...` : key;
  return /^[A-Za-z_]\w*$/.test(cut) ? `.${cut}` : `.\`${cut}\``;
};

const reportUnknown = (walk: Walk, key: string, plan: Plan): void => {
  if (isFull(walk)) return;
  const keys = [...plan.structure.elements.values()];
  const typed = keys.filter(({ name, isChoice }) => isChoice && name === key).map((rule) => rule.key);
  const meant = typed.length > 0 ? undefined : closestName(key, plan.properties.keys());
  let hint = meant === undefined ? '' : ` (did you mean '${meant}'?)`;
  if (typed.length > 0) hint = ` (the name carries its type, as in '${typed[0]}')`;
  report(walk, 'structure', `R4 has no such element in ${plan.structure.path}${hint}`, stepText(key));
};

const checkPrimitive = (walk: Walk, value: unknown, check: PropertyCheck): void => {
  const complaint = check.primitive?.(value);
  if (complaint !== undefined) report(walk, complaint.code, complaint.text);
  else if (check.codes !== undefined || check.pendingValueSet !== undefined) checkCode(walk, value as string, check);
  else if (check.isInteger && walk.integralDecimals.size > 0 && walk.integralDecimals.has(jsonPathOf(walk))) {
    report(walk, 'value', `must be written without fraction and exponent (${check.rule.type}): ${value}`);
  }
};

/** The rules of `Extension` that its elements do not show. @see https://hl7.org/fhir/R4/extensibility.html#Extension */
const checkExtension = (walk: Walk, value: JsonObject, hasValue: boolean): void => {
  const hasExtensions = value['extension'] !== undefined;
  if (hasValue && hasExtensions) report(walk, 'invariant', 'must have a value or extensions, not both');
  if (!hasValue && !hasExtensions) report(walk, 'invariant', 'must have a value[x] or extensions');
};

/** An object without a value or extension. @see https://hl7.org/fhir/R4/element.html#ele-1 */
const reportEmpty = (walk: Walk, { structure }: Plan, value: JsonObject): void => {
  if (value['id'] === undefined) report(walk, 'structure', 'must not be an empty object; leave it out');
  // Whether an id is enough in the twin of a primitive, depends on the primitive: see checkTwin.
  else if (structure.path !== 'Element') report(walk, 'invariant', 'must have more than an id');
};

const reportChoices = (walk: Walk, given: readonly PropertyCheck[]): void => {
  for (const [name, group] of Map.groupBy(given, ({ rule }) => rule.name)) {
    const keys = [...new Set(group.map(({ rule }) => rule.key))];
    const text = `only one value is possible in ${name}[x], and ${keys.join(' and ')} are given`;
    if (keys.length > 1) report(walk, 'structure', text, `.${name}`);
  }
};

const requiredText = (keys: readonly string[]): string => {
  const properties = keys.filter((key) => !key.startsWith('_'));
  return properties.length < 2 ? 'required, and missing' : `required, and missing (one of ${properties.join(', ')})`;
};

const checkRequired = (walk: Walk, value: JsonObject, { required }: Plan): void => {
  for (const { name, keys } of required) {
    let isThere = false;
    for (const key of keys) isThere ||= value[key] !== undefined;
    if (!isThere) report(walk, 'required', requiredText(keys), `.${name}`);
  }
};

/** Contained resources: an id, no others inside, no versions of their own. @see https://hl7.org/fhir/R4/domainresource.html#invs */
const checkContained = (walk: Walk, resource: JsonObject): void => {
  const { id, meta } = resource;
  if (id === undefined) report(walk, 'required', 'required in a contained resource, and missing', '.id');
  if (!isObject(meta)) return;
  for (const key of ['versionId', 'lastUpdated', 'security']) {
    if (meta[key] !== undefined) report(walk, 'invariant', 'not possible in a contained resource', `.meta.${key}`);
  }
};

const resourceStructure = (type: string, structures: Structures): Structure | undefined =>
  structures.isResourceType(type) ? structures.structure(type) : undefined;

const checkResource = (walk: Walk, resource: JsonObject, check: PropertyCheck): void => {
  const { resourceType: type } = resource;
  const structure = typeof type === 'string' ? resourceStructure(type, walk.structures) : undefined;
  if (type === undefined) report(walk, 'required', 'required, and missing', '.resourceType');
  else if (structure === undefined) report(walk, 'value', `R4 has no resource type ${shown(type)}`, '.resourceType');
  else {
    const { container, typesContained, isContained } = walk;
    walk.isContained = check.rule.name === 'contained';
    if (walk.isContained) checkContained(walk, resource);
    else Object.assign(walk, { container: resource, typesContained: undefined });
    walk.nested.push({ resource, structure, steps: [...walk.steps] });
    checkObject(walk, resource, walk.plans.plan(structure));
    Object.assign(walk, { container, typesContained, isContained });
  }
};

const checkComplex = (walk: Walk, value: unknown, check: PropertyCheck): void => {
  const { rule } = check;
  if (value === null) report(walk, 'structure', 'null is not possible here; leave it out');
  else if (!isObject(value)) report(walk, 'structure', `must be an object, not ${shown(value)}`);
  else if (rule.type === 'Resource') checkResource(walk, value, check);
  else {
    checkObject(walk, value, walk.plans.planOfValue(check));
    if (rule.type === 'Reference') checkReference(walk, value, rule);
    if (rule.requiredValueSet !== undefined) checkCodedValue(walk, value, rule.requiredValueSet);
  }
};

/** A twin needs an extension, unless the value is there: then an id is enough. */
const checkTwin = (walk: Walk, twin: unknown, check: PropertyCheck, hasValue: boolean): void => {
  if (!isObject(twin)) {
    const text = `'${check.key}' must be an object with the id and extensions of the value, not ${shown(twin)}`;
    report(walk, 'structure', text);
    return;
  }
  checkObject(walk, twin, walk.plans.planOfValue(check));
  const keys = Object.keys(twin);
  if (!hasValue && keys.length === 1 && keys[0] === 'id') report(walk, 'invariant', 'must have more than an id');
};

const checkTwinItem = (walk: Walk, twin: unknown, check: PropertyCheck, values: unknown, index: number): void => {
  const hasValue = Array.isArray(values) && values[index] !== null;
  if (twin !== null) checkTwin(walk, twin, check, hasValue);
  // Where the array of values is there, null on both sides is reported when that is walked.
  else if (!Array.isArray(values)) report(walk, 'structure', `null without a value in '${check.otherKey}'`);
};

const checkNull = (walk: Walk, check: PropertyCheck, twins: unknown, index: number): void => {
  const twin: unknown = Array.isArray(twins) ? twins[index] : undefined;
  if (twin !== undefined && twin !== null) return;
  const text =
    check.otherKey === ''
      ? 'null is not possible here'
      : `null is possible only where '${check.otherKey}' has an extension in its place`;
  report(walk, 'structure', text);
};

const checkItem = (walk: Walk, item: unknown, check: PropertyCheck, others: unknown, index: number): void => {
  if (check.isTwin) checkTwinItem(walk, item, check, others, index);
  else if (check.primitive === undefined) checkComplex(walk, item, check);
  else if (item === null) checkNull(walk, check, others, index);
  else checkPrimitive(walk, item, check);
};

/** Returns false after reporting a value that is no array, is empty, or is out of step with its twin. */
const isSoundArray = (walk: Walk, value: unknown, check: PropertyCheck, others: unknown): value is unknown[] => {
  const { key, otherKey, isTwin } = check;
  if (value === null) report(walk, 'structure', 'null is not possible here; leave the element out');
  else if (!Array.isArray(value)) {
    report(walk, 'structure', `'${key}' must be an array, also for one value, not ${shown(value)}`);
  } else if (value.length === 0) report(walk, 'structure', `'${key}' must not be an empty array; leave it out`);
  else if (!Array.isArray(others) || others.length === value.length) return true;
  // Of the two arrays, the twin reports it.
  else if (isTwin && others.length > 0) {
    report(walk, 'structure', `'${otherKey}' and '${key}' must have the same number of items, filled up with null`);
  }
  return false;
};

const checkArray = (walk: Walk, value: unknown, check: PropertyCheck, owner: JsonObject): void => {
  const others = check.otherKey === '' ? undefined : owner[check.otherKey];
  if (!isSoundArray(walk, value, check, others)) return;
  for (let index = 0; index < value.length && !isFull(walk); index++) {
    walk.steps.push(index);
    checkItem(walk, value[index], check, others, index);
    walk.steps.pop();
  }
};

const checkProperty = (walk: Walk, value: unknown, check: PropertyCheck, owner: JsonObject): void => {
  const { rule, key } = check;
  if (rule.type === 'Resource' && key === 'contained' && walk.isContained) {
    report(walk, 'invariant', 'a contained resource must not contain others');
  } else if (rule.isArray) checkArray(walk, value, check, owner);
  else if (Array.isArray(value)) report(walk, 'structure', `'${key}' must be a single value, not an array`);
  else if (value === null) report(walk, 'structure', 'null is not possible here; leave the element out');
  else if (check.isTwin) checkTwin(walk, value, check, owner[check.otherKey] !== undefined);
  else if (check.primitive === undefined) checkComplex(walk, value, check);
  else checkPrimitive(walk, value, check);
};

/** What the keys of an object say together. */
const checkWhole = (walk: Walk, value: JsonObject, plan: Plan, choices: readonly PropertyCheck[]): void => {
  if (choices.length > 1) reportChoices(walk, choices);
  checkRequired(walk, value, plan);
  if (plan.structure.path === 'Extension') checkExtension(walk, value, choices.length > 0);
};

const NO_CHOICES: readonly PropertyCheck[] = [];

/** Checks an object, which is at the current place of the walk, and all below it. */
export const checkObject = (walk: Walk, value: JsonObject, plan: Plan): void => {
  let elements = 0;
  let choices = NO_CHOICES;
  for (const key in value) {
    if (isFull(walk)) return;
    const check = plan.properties.get(key);
    if (check === undefined) {
      if (key === 'resourceType' && plan.isResource) continue;
      elements++;
      reportUnknown(walk, key, plan);
      continue;
    }
    if (key !== 'id') elements++;
    if (check.rule.isChoice) choices = [...choices, check];
    walk.steps.push(check);
    checkProperty(walk, value[key], check, value);
    walk.steps.pop();
  }
  if (elements > 0 || plan.isResource) checkWhole(walk, value, plan, choices);
  else reportEmpty(walk, plan, value);
};
