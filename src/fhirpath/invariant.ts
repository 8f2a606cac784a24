/**
 * Invariants: FHIRPath expressions that must hold for a node of a resource, evaluated by the `fhirpath` package.
 *
 * @see https://hl7.org/fhir/R4/fhirpath.html
 */
import { createRequire } from 'node:module';
import type { compile, Model } from 'fhirpath';
import type { Terminology } from '../definitions/terminology.ts';

/**
 * Whether the expression holds for `node`. `resource` is the resource that it is in, `rootResource` the one that
 * contains this one, or the same. An empty answer holds: the expression says nothing of this node. Throws where the
 * package cannot evaluate it.
 */
type Invariant = (node: unknown, resource: object, rootResource: object) => boolean;

/** Compiles an expression for nodes of the type `context` (`Observation`, `Observation.component`, `Quantity`). */
export type InvariantCompiler = (expression: string, context: string) => Invariant;

/** A node as the package hands it to functions. */
type PackageNode = { readonly data: unknown } | string;

/** The package's own type lacks `internalStructures`. */
type OptionsOfPackage = { readonly async: false };

interface Coded {
  readonly system?: string;
  readonly code?: string;
  readonly coding?: readonly Coded[];
}

const require = createRequire(import.meta.url);

const TYPE_URL = 'http://hl7.org/fhir/StructureDefinition/';

/** The type that a reference names: `Practitioner/1`, `https://example.org/fhir/Practitioner/1/_history/2`. */
const REFERENCED_TYPE = /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;

/** What a reference in `root` points to, as far as that tells it: a contained resource, or one of a type only. */
const resolved = (reference: string, root: { readonly contained?: readonly { id?: string }[] }): object | undefined => {
  if (reference === '#') return root;
  if (reference.startsWith('#')) return root.contained?.find(({ id }) => id === reference.slice(1));
  const resourceType = REFERENCED_TYPE.exec(reference)?.[1];
  return resourceType === undefined ? undefined : { resourceType };
};

const referenceOf = (node: PackageNode): string => {
  const value = typeof node === 'string' ? node : node.data;
  if (typeof value === 'string') return value;
  return (value as { reference?: string }).reference ?? '';
};

const isMember = (value: unknown, valueSet: string, terminology: Terminology): boolean | undefined => {
  if (typeof value === 'string') return terminology.expansion(valueSet)?.some(({ code }) => code === value);
  const { coding, system = '', code = '' } = value as Coded;
  if (coding === undefined) return terminology.contains(valueSet, system, code);
  const answers = coding.map((each) => isMember(each, valueSet, terminology));
  return answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
};

const conforms = (value: unknown, profile: string): boolean => {
  const { resourceType } = value as { resourceType?: string };
  if (!profile.startsWith(TYPE_URL) || resourceType === undefined) throw new Error(`${profile} is not loaded`);
  return profile === TYPE_URL + resourceType;
};

/**
 * Returns a compiler, which remembers what it has compiled. The package is loaded with the first expression. Functions
 * that need to look elsewhere are answered by what is here: `resolve()` finds contained resources, and of others only
 * their type; `memberOf()` asks the loaded value sets, and says nothing where they do not tell; `conformsTo()` knows
 * the types of R4.
 */
export const createInvariantCompiler = (terminology: Terminology): InvariantCompiler => {
  const compiled = new Map<string, Invariant>();
  const make = (expression: string, context: string): Invariant => {
    const fhirpath = require('fhirpath') as { compile: typeof compile };
    const model = require('fhirpath/fhir-context/r4') as Model;
    let root: object = {};
    // The package knows the type of a resource only where it has made a node of it.
    const nodeOf = fhirpath.compile('$this', model, { resolveInternalTypes: false });
    const functions = {
      resolve: {
        fn: (nodes: readonly PackageNode[]) =>
          nodes.flatMap((node) => {
            const found = resolved(referenceOf(node), root);
            return found === undefined ? [] : nodeOf(found);
          }),
        arity: { 0: [] },
        internalStructures: true,
      },
      memberOf: {
        fn: ([value]: readonly unknown[], url: string) =>
          value === undefined ? [] : (isMember(value, url, terminology) ?? []),
        arity: { 1: ['String'] },
      },
      conformsTo: {
        fn: ([value]: readonly unknown[], url: string) => (value === undefined ? [] : conforms(value, url)),
        arity: { 1: ['String'] },
      },
    };
    // `trace()` would write to the console.
    const options = { async: false, userInvocationTable: functions, traceFn: () => undefined };
    const evaluate = fhirpath.compile({ base: context, expression }, model, options as OptionsOfPackage);
    return (node, resource, rootResource) => {
      root = rootResource;
      const answer: readonly unknown[] = evaluate(node, { resource, rootResource });
      return answer.length !== 1 || answer[0] !== false;
    };
  };
  return (expression, context) => {
    const key = `${context} ${expression}`;
    const known = compiled.get(key) ?? make(expression, context);
    compiled.set(key, known);
    return known;
  };
};
