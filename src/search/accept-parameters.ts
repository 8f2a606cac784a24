/**
 * Which SearchParameter resources the server can search by, beside those of R4, and why it cannot by the others.
 *
 * @see https://hl7.org/fhir/R4/searchparameter.html
 */
import { hash } from 'node:crypto';
import type { Reference, SearchParameter as SearchParameterResource } from '@medplum/fhirtypes';
import {
  condensed,
  type LiveSearchParameters,
  type OwnParameter,
  type SearchParameter,
  typesOfBase,
} from '../definitions/search-parameters.ts';
import type { Structures } from '../definitions/structures.ts';
import { boundedFhirPathWeight, compileFhirPath } from '../fhirpath/evaluate.ts';
import { compileExpression } from './compile-expression.ts';
import { canHaveEntries } from './extract.ts';
import { referencedType } from './referenced-type.ts';
import { isSameExpression } from './same-expression.ts';
import type { JsonObject } from './value-path.ts';

/** A definition, and where it is from, for messages: `SearchParameter/1`. */
export interface OfferedParameter {
  readonly source: string;
  readonly resource: SearchParameterResource;
}

export interface AcceptedParameter extends OwnParameter {
  /** Differs if the index entries may differ. */
  readonly fingerprint: string;
}

/** Why a definition, or a part of it, is not used; `reason` is a sentence without its end. */
interface Refusal {
  readonly source: string;
  readonly reason: string;
}

export interface AcceptedParameters {
  readonly parameters: readonly AcceptedParameter[];
  readonly refusals: readonly Refusal[];
}

export interface AcceptContext {
  readonly structures: Structures;
  readonly ofR4: LiveSearchParameters['ofR4'];
}

class Refused extends Error {}

const TYPES = ['token', 'string', 'date', 'number', 'quantity', 'reference', 'uri', 'composite'];

/** Names as in R4. Those that begin with `_` are the specification's, and other characters have a meaning in a query. */
const CODE = /^[A-Za-z][A-Za-z0-9-_]{0,63}$/;

/** The most characters of an expression; R4's longest has 1,300. */
const EXPRESSION_CHARACTERS = 10_000;

/**
 * The most characters and nodes of an expression that the compiler does not cover: on a large resource each node costs
 * some milliseconds, at every write.
 */
const INTERPRETED_CHARACTERS = 2000;
const INTERPRETED_NODES = 150;

/** Whether a definition is to be used at all: a retired one is not, without a complaint. */
export const isInUse = ({ status }: SearchParameterResource): boolean => status === 'active' || status === 'draft';

/** The elements that are used. What comes from a package is not validated before. */
const checkElements = (resource: SearchParameterResource): void => {
  const { url, code, type, base, expression, target, component } = resource as unknown as Record<string, unknown>;
  for (const [name, value] of Object.entries({ url, code, type }))
    if (typeof value !== 'string' || value === '') throw new Refused(`it has no ${name}`);
  const isList = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (!isList(base) || (base as string[]).length === 0) throw new Refused('it has no base');
  if (!TYPES.includes(type as string))
    throw new Refused(`its type '${type}' cannot be defined by an expression; possible: ${TYPES.join(', ')}`);
  if (typeof expression !== 'string' || expression.trim() === '') throw new Refused('it has no expression');
  if (expression.length > EXPRESSION_CHARACTERS)
    throw new Refused(`its expression has more than ${EXPRESSION_CHARACTERS} characters`);
  if (target !== undefined && !isList(target)) throw new Refused('its targets are no list of types');
  if (type !== 'composite') return;
  if (!Array.isArray(component) || component.length === 0) throw new Refused('it is composite and has no components');
  const isWhole = (part: Record<string, unknown> | null): boolean =>
    isList([part?.['definition'], part?.['expression']]);
  if (!component.every(isWhole)) throw new Refused('a component has no definition or no expression');
};

const resourceTypesOf = ({ base }: SearchParameterResource, { resourceTypes }: Structures): string[] => {
  const found = base.map((name) => [name, typesOfBase(name, resourceTypes)] as const);
  const unknown = found.find(([, types]) => types.length === 0);
  if (unknown !== undefined) throw new Refused(`its base '${unknown[0]}' is no resource type of R4`);
  return [...new Set(found.flatMap(([, types]) => types))];
};

const checkTargets = ({ targets }: SearchParameter, { isResourceType }: Structures): void => {
  const unknown = targets.find((type) => !isResourceType(type));
  if (unknown !== undefined) throw new Refused(`its target '${unknown}' is no resource type of R4`);
};

/** Refuses what could take for ever, or far too long, on some resource: it would at every write of that. */
const checkBounds = (expression: string): void => {
  if (expression.length > INTERPRETED_CHARACTERS)
    throw new Refused(`its expression has more than ${INTERPRETED_CHARACTERS} characters, and is no plain path`);
  try {
    if (boundedFhirPathWeight(expression, 'a search parameter') <= INTERPRETED_NODES) return;
  } catch (error) {
    throw new Refused(`its expression '${expression}' is refused: ${(error as Error).message}`);
  }
  throw new Refused(`its expression '${expression}' has more than ${INTERPRETED_NODES} parts, and is no plain path`);
};

/** Runs what the compiler does not cover once: what cannot be evaluated is noticed only then. */
const checkInterpreted = ({ expression }: SearchParameter, type: string, structures: Structures): void => {
  const whole = { type, structure: structures.structure(type) };
  if (compileExpression(expression, whole, whole, structures) !== undefined) return;
  checkBounds(expression);
  const evaluate = compileFhirPath(expression, type, (reference, resource) =>
    referencedType(reference as Reference, resource as JsonObject, structures.isResourceType),
  );
  const empty = { resourceType: type };
  evaluate(empty, empty);
};

const isUsableAt = (
  parameter: SearchParameter,
  type: string,
  structures: Structures,
  byUrl: (url: string) => SearchParameter | undefined,
): boolean => {
  try {
    if (parameter.type !== 'composite') checkInterpreted(parameter, type, structures);
    return canHaveEntries(parameter, type, structures, byUrl);
  } catch (error) {
    if (error instanceof Refused) throw error;
    const reason = (error as Error).message.replace(/\s+/g, ' ').slice(0, 200);
    throw new Refused(`its expression '${parameter.expression}' cannot be evaluated: ${reason}`);
  }
};

const fingerprintOf = (
  { type, expression, targets, components }: SearchParameter,
  byUrl: (url: string) => SearchParameter | undefined,
): string => {
  const parts = components.map(({ url, expression: path }) => [path, byUrl(url)?.type, byUrl(url)?.targets]);
  return hash('sha256', JSON.stringify([type, expression, targets, parts]), 'base64url').slice(0, 22);
};

/**
 * Judges definitions in their order: of two with the same url, or the same code at a type, the first is used. R4's own
 * parameters stay as they are; a definition that says the same of a type is passed over there, without a refusal.
 */
export const acceptedParameters = (
  offered: readonly OfferedParameter[],
  { structures, ofR4 }: AcceptContext,
): AcceptedParameters => {
  const refusals: Refusal[] = [];
  const accepted = new Map<string, AcceptedParameter>();
  const own = new Map<string, SearchParameter>();
  const byUrl = (url: string): SearchParameter | undefined => ofR4.byUrl(url) ?? own.get(url);

  const checkComponents = ({ components }: SearchParameter): void => {
    const isPart = (found: SearchParameter | undefined) => found !== undefined && TYPES.includes(found.type);
    const missing = components.find(({ url }) => !isPart(byUrl(url)) || byUrl(url)?.type === 'composite');
    if (missing !== undefined) throw new Refused(`its component '${missing.url}' is no search parameter known here`);
  };

  /** Undefined if the type is to get the parameter, else what it has in its place. */
  const rivalAt = (type: string, { code }: SearchParameter): SearchParameter | undefined =>
    ofR4.of(type).get(code) ?? accepted.get(`${type}.${code}`)?.parameter;

  const freeTypes = (types: readonly string[], parameter: SearchParameter, source: string): string[] => {
    const differing: string[] = [];
    const free = types.filter((type) => {
      const rival = rivalAt(type, parameter);
      if (rival === undefined) return true;
      const isSame = rival.type === parameter.type && isSameExpression(rival.expression, parameter.expression, type);
      if (!isSame) differing.push(`${type} has another '${parameter.code}', ${rival.url}, which stays`);
      return false;
    });
    if (differing.length > 0) refusals.push({ source, reason: differing.slice(0, 3).join('; ') });
    return free;
  };

  const accept = ({ source, resource }: OfferedParameter): void => {
    checkElements(resource);
    const parameter = condensed(resource);
    if (ofR4.byUrl(parameter.url) !== undefined) return;
    const earlier = own.get(parameter.url);
    const types = resourceTypesOf(resource, structures);
    checkTargets(parameter, structures);
    if (earlier !== undefined) {
      if (JSON.stringify(earlier) === JSON.stringify(parameter)) return;
      throw new Refused(`another definition of ${parameter.url} came before, and stays`);
    }
    const free = freeTypes(types, parameter, source);
    if (free.length === 0) return;
    if (!CODE.test(parameter.code))
      throw new Refused(
        `its code '${parameter.code}' is no name of letters, digits, - and _ that begins with a letter`,
      );
    checkComponents(parameter);
    const usable = free.filter((type) => isUsableAt(parameter, type, structures, byUrl));
    const named = free.find((type) => resource.base.includes(type as never) && !usable.includes(type));
    if (named !== undefined || usable.length === 0)
      throw new Refused(
        `its expression '${parameter.expression}' leads to no value of ${named ?? resource.base.join(', ')} that a ${parameter.type} can be made of`,
      );
    own.set(parameter.url, parameter);
    const fingerprint = fingerprintOf(parameter, byUrl);
    for (const type of usable) accepted.set(`${type}.${parameter.code}`, { type, parameter, fingerprint });
  };

  const inUse = offered.filter(({ resource }) => isInUse(resource));
  // Composites last, as their components may be among the others.
  const isComposite = ({ resource }: OfferedParameter): boolean => resource.type === 'composite';
  for (const each of [...inUse.filter((item) => !isComposite(item)), ...inUse.filter(isComposite)])
    try {
      accept(each);
    } catch (error) {
      const isTooDeep = error instanceof RangeError;
      if (!isTooDeep && !(error instanceof Refused)) throw error;
      refusals.push({
        source: each.source,
        reason: isTooDeep ? 'its expression is nested too deeply' : (error as Error).message,
      });
    }
  return { parameters: [...accepted.values()], refusals };
};
