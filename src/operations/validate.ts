/**
 * Says whether a resource is valid, and whether it could be created, updated or deleted; nothing is stored. The answer is
 * 200 with what is wrong as issues, and 4xx only if there is nothing that could be validated, or if it takes too long.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-validate.html
 */
import { gone, type Issue, invalid, issue, notFound } from '../fhir/fhir-error.ts';
import { type JsonText, parseJson } from '../fhir/json-text.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { referenceText } from '../fhir/reference.ts';
import type { FhirRequest, FhirServer, Interaction } from '../interactions/fhir-request.ts';
import { parsedBody, preparedResource } from '../interactions/prepare-write.ts';
import type { OperationTarget } from '../interactions/route.ts';
import {
  checkNames,
  entriesOfParameters,
  type GivenParameter,
  queryParameters,
  singleOf,
  valuesOf,
} from './parameters.ts';

const NAMES = ['resource', 'mode', 'profile'];
const MODES = ['create', 'update', 'delete', 'profile'] as const;
type Mode = (typeof MODES)[number];

const TYPE_URL = 'http://hl7.org/fhir/StructureDefinition/';
/** Resource types that are no DomainResource. */
const PLAIN_RESOURCES = new Set(['Binary', 'Bundle', 'Parameters']);

const ALL_OK: Issue = { severity: 'information', code: 'informational', diagnostics: 'All OK' };

interface Asked {
  readonly mode: Mode | undefined;
  readonly profiles: readonly string[];
  readonly resource: JsonText | undefined;
}

interface Meta {
  readonly meta?: { readonly profile?: unknown };
}

const modeOf = (given: readonly GivenParameter[]): Mode | undefined => {
  const value = singleOf(given, 'mode');
  const mode = MODES.find((candidate) => candidate === value);
  if (value !== undefined && mode === undefined) throw invalid(`mode: '${value}' is none of ${MODES.join(', ')}`);
  return mode;
};

const isParameters = ({ value }: JsonText): boolean =>
  (value as { resourceType?: unknown } | null)?.resourceType === 'Parameters';

/** The resource as the body, or in Parameters; Parameters that are validated themselves have no parameter `resource`. */
const askedOf = (server: FhirServer, request: FhirRequest, type: string | undefined): Asked => {
  const ofQuery = queryParameters(request);
  checkNames(ofQuery, ['mode', 'profile']);
  const body = request.method === 'POST' && request.body !== undefined ? parsedBody(server, request) : undefined;
  const isForm = body !== undefined && isParameters(body);
  const isEnveloped = isForm && (type !== 'Parameters' || hasResource(body));
  if (!isEnveloped) return { mode: modeOf(ofQuery), profiles: valuesOf(ofQuery, 'profile'), resource: body };
  const given = [...ofQuery, ...entriesOfParameters(body)];
  checkNames(given, NAMES);
  const [resource, ...more] = given.filter(({ name }) => name === 'resource');
  if (more.length > 0) throw invalid('resource: stands twice');
  if (resource !== undefined && resource.json?.key !== 'resource') throw invalid('resource: must be a resource');
  const text = resource?.json?.text;
  return {
    mode: modeOf(given),
    profiles: valuesOf(given, 'profile'),
    resource: text === undefined ? undefined : parseJson(text, server.limits.jsonDepth),
  };
};

const hasResource = ({ value }: JsonText): boolean => {
  const { parameter } = value as { parameter?: unknown };
  return Array.isArray(parameter) && parameter.some((each) => each?.name === 'resource' && 'resource' in each);
};

/** R4's own definition of a type is checked always; of other profiles the server knows none. */
const profileIssues = (server: FhirServer, type: string, profiles: readonly string[]): Issue[] =>
  profiles.flatMap((profile) => {
    const [url = '', version = '4.0.1'] = profile.split('|');
    const name = url.startsWith(TYPE_URL) ? url.slice(TYPE_URL.length) : '';
    const isBase = name === 'Resource' || (name === 'DomainResource' && !PLAIN_RESOURCES.has(type));
    if (version === '4.0.1' && (name === type || isBase)) return [];
    if (version === '4.0.1' && server.isResourceType(name))
      return [issue('value', `The resource is of type ${type}, and the profile '${profile}' is of ${name}`)];
    return [issue('not-supported', `The profile '${profile}' is not known to this server, so it was not checked`)];
  });

const warningsOfMeta = (server: FhirServer, type: string, value: unknown): Issue[] => {
  const profiles = (value as Meta).meta?.profile;
  const claimed = Array.isArray(profiles) ? profiles.filter((each) => typeof each === 'string') : [];
  return profileIssues(server, type, claimed).map((each) => ({
    ...each,
    severity: 'warning',
    expression: `${type}.meta.profile`,
  }));
};

/** What hinders an update or create of a valid resource. */
const writeIssues = async (
  server: FhirServer,
  json: JsonText,
  { mode }: Asked,
  { id }: OperationTarget,
): Promise<Issue[]> => {
  if (mode !== 'create' && mode !== 'update') return [];
  const value = json.value as { resourceType: string; id?: string };
  const { resourceType: type } = value;
  const isOther = mode === 'update' && value.id !== id;
  const idIssue = issue('invalid', `${type}.id: must be '${id}', as the url says`, `${type}.id`);
  const { requires } = preparedResource(server, json, value, id ?? 'new');
  const targets = await Promise.all(
    requires.map(async (reference) => {
      const target = await server.store.read(reference);
      const name = referenceText(reference);
      if ((target !== undefined && !target.isDeleted) || name === `${type}/${id}`) return [];
      return [issue('not-found', `There is no ${name}, which this resource refers to`)];
    }),
  );
  return [...(isOther ? [idIssue] : []), ...targets.flat()];
};

const issuesOf = async (server: FhirServer, asked: Asked, target: OperationTarget): Promise<readonly Issue[]> => {
  const { resource, profiles } = asked;
  if (resource === undefined) return [];
  const facts = { integralDecimals: resource.integralDecimals };
  const { type } = target;
  const issues = server.validate(resource.value, type === undefined ? facts : { ...facts, expectedType: type });
  const name = (resource.value as { resourceType?: unknown } | null)?.resourceType;
  const ofProfiles = typeof name === 'string' ? profileIssues(server, name, profiles) : [];
  if (issues.length > 0 || typeof name !== 'string') return [...issues, ...ofProfiles];
  const invariants = (await server.checkInvariants?.(resource.value as Record<string, unknown>)) ?? [];
  const ofWrite = await writeIssues(server, resource, asked, target);
  return [...ofProfiles, ...invariants, ...ofWrite, ...warningsOfMeta(server, name, resource.value)];
};

/** The resource at the url, if it has to be there. Fails with a FhirError 404 or 410. */
const storedText = async ({ store }: FhirServer, { type = '', id }: OperationTarget): Promise<string | undefined> => {
  if (id === undefined) return undefined;
  const version = await store.read({ type, id });
  const name = referenceText({ type, id });
  if (version === undefined) throw notFound(`There is no ${name}`);
  if (version.isDeleted) throw gone(`${name} is deleted`);
  return version.text.toString();
};

const checkMode = ({ mode, resource }: Asked, { id }: OperationTarget, method: string): void => {
  if (id === undefined && (mode === 'update' || mode === 'delete'))
    throw invalid(`mode=${mode} is of one resource: call $validate at [type]/[id]`);
  if (id !== undefined && mode === 'create')
    throw invalid('mode=create is of no resource yet: call $validate at [type]');
  const isStored = id !== undefined && method !== 'POST';
  if (resource === undefined && mode !== 'delete' && !isStored) throw invalid('There is no resource to validate');
};

/** `[type]/$validate`, `[type]/[id]/$validate`; GET of the latter validates what is stored. */
export const validate: Interaction<OperationTarget> = async (server, request, target) => {
  const given = askedOf(server, request, target.type);
  checkMode(given, target, request.method);
  const stored = await storedText(server, target);
  const isOfStored = given.resource === undefined && given.mode !== 'delete' && stored !== undefined;
  const asked = isOfStored ? { ...given, resource: parseJson(stored, server.limits.jsonDepth) } : given;
  // What is there can be deleted: references to it do not hinder that.
  const issues = asked.mode === 'delete' ? [] : await issuesOf(server, asked, target);
  const isValid = issues.every(({ severity }) => severity !== 'error');
  const outcome = operationOutcome(isValid ? [ALL_OK, ...issues] : issues);
  return { status: 200, headers: {}, body: JSON.stringify(outcome) };
};
