/**
 * What the walker does with an object of one structure, prepared so that a valid resource costs a look-up a property.
 */
import { hasTwin, type JsonSchemas } from '../definitions/json-schema.ts';
import type { ElementRule, Structure, Structures } from '../definitions/structures.ts';
import { checkElementId, INTEGER_TYPES, type PrimitiveCheck, primitiveCheck } from './primitives.ts';

/** How one JSON property is checked: `birthDate`, or its twin `_birthDate`. */
export interface PropertyCheck {
  readonly key: string;
  readonly rule: ElementRule;
  /** Whether this is the property with id and extensions of a primitive. */
  readonly isTwin: boolean;
  /** The other property of the pair: `_birthDate` or `birthDate`; '' if there can be none. */
  readonly otherKey: string;
  readonly primitive: PrimitiveCheck | undefined;
  readonly isInteger: boolean;
  /** The codes that a required binding allows; undefined means any. */
  codes: ReadonlySet<string> | undefined;
  /** The value set that has these codes, until it is first needed: most are never read. */
  pendingValueSet: string | undefined;
  /** The plan of the value, made on first use. */
  plan: Plan | undefined;
}

export interface Plan {
  readonly structure: Structure;
  readonly isResource: boolean;
  readonly properties: ReadonlyMap<string, PropertyCheck>;
  /** Elements that must be there, each with the properties of which one suffices. */
  readonly required: readonly { readonly name: string; readonly keys: readonly string[] }[];
}

export interface Plans {
  plan(structure: Structure): Plan;
  /** The plan of what a property holds; of a twin, that of `Element`. */
  planOfValue(check: PropertyCheck): Plan;
}

const propertyChecks = (rule: ElementRule, owner: Structure, schemas: JsonSchemas): PropertyCheck[] => {
  const { key, name, type } = rule;
  const isPrimitive = rule.structure.kind === 'primitive-type';
  const isElementId = name === 'id' && owner.kind !== 'resource';
  const codes = type === 'code' ? schemas.codes(owner, key) : undefined;
  const isPaired = hasTwin(rule, owner);
  const check: PropertyCheck = {
    key,
    rule,
    isTwin: false,
    otherKey: isPaired ? `_${key}` : '',
    primitive: isPrimitive ? (isElementId ? checkElementId : primitiveCheck(type)) : undefined,
    isInteger: INTEGER_TYPES.has(type),
    codes: codes === undefined ? undefined : new Set(codes),
    pendingValueSet: type === 'code' && codes === undefined ? rule.requiredValueSet : undefined,
    plan: undefined,
  };
  if (!isPaired) return [check];
  return [check, { ...check, key: `_${key}`, isTwin: true, otherKey: key }];
};

const requiredElements = (checks: readonly PropertyCheck[]): Plan['required'] => {
  const byName = Map.groupBy(
    checks.filter(({ rule }) => rule.min > 0),
    ({ rule }) => rule.name,
  );
  return [...byName].map(([name, group]) => ({ name, keys: group.map(({ key }) => key) }));
};

export const createPlans = (structures: Structures, schemas: JsonSchemas): Plans => {
  const made = new Map<Structure, Plan>();
  const plan = (structure: Structure): Plan => {
    const known = made.get(structure);
    if (known !== undefined) return known;
    const checks = [...structure.elements.values()].flatMap((rule) => propertyChecks(rule, structure, schemas));
    const properties = new Map(checks.map((check) => [check.key, check]));
    const isResource = structure.kind === 'resource';
    const fresh = { structure, isResource, properties, required: requiredElements(checks) };
    made.set(structure, fresh);
    return fresh;
  };
  const planOfValue = (check: PropertyCheck): Plan => {
    if (check.plan !== undefined) return check.plan;
    const structure = check.isTwin ? structures.structure('Element') : check.rule.structure;
    if (structure === undefined) throw new Error('The definitions lack the type Element');
    check.plan = plan(structure);
    return check.plan;
  };
  return { plan, planOfValue };
};
