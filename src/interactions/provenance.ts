/**
 * The `X-Provenance` header: a Provenance that is stored together with what it is about, its `target` being the versions
 * that the request makes.
 *
 * @see https://hl7.org/fhir/R4/provenance.html#header
 */
import { FhirError, invalid } from '../fhir/fhir-error.ts';
import { membersOf } from '../fhir/json-members.ts';
import { type JsonText, parseJson } from '../fhir/json-text.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { isStamped } from '../fhir/resource-text.ts';
import type { Expectation, Version, Write } from '../store/store.ts';
import type { Resolution } from './commit-resolved.ts';
import { absence } from './conditions.ts';
import type { FhirRequest, FhirServer } from './fhir-request.ts';
import { preparedResource } from './prepare-write.ts';

const HEADER = 'x-provenance';
/** How many current versions are read at once. */
const READS = 64;

const inHeader = ({ status, issues, headers }: FhirError): FhirError =>
  new FhirError(
    status,
    issues.map((issue) => ({ ...issue, diagnostics: `X-Provenance: ${issue.diagnostics}` })),
    headers,
  );

/** The Provenance without its target. Throws a FhirError 400 if it is none. */
const provenanceOf = (server: FhirServer, header: string): JsonText => {
  const json = parseJson(header, server.limits.jsonDepth);
  const { value, integralDecimals } = json;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('not a JSON object');
  const complete = { ...value, target: [{ display: 'what this request makes' }] };
  const issues = server.validate(complete, { expectedType: 'Provenance', integralDecimals });
  if (issues.length > 0) throw new FhirError(400, issues);
  return json;
};

const withTargets = ({ text }: JsonText, targets: readonly string[]): string => {
  const kept = membersOf(text)
    .filter(({ key }) => key !== 'target' && key !== '_target')
    .map(({ whole }) => text.slice(whole.start, whole.end));
  return `{${[...kept, `"target":${JSON.stringify(targets.map((reference) => ({ reference })))}`].join(',')}}`;
};

type Saving = Extract<Write, { kind: 'create' | 'update' }>;

const isSame = ({ resource }: Saving, { isDeleted, text, ...stamp }: Version): boolean =>
  !isDeleted && isStamped(text, resource, stamp);

interface Foreseen {
  readonly write: Write;
  readonly isMadeOfCurrent: boolean;
  readonly expected: readonly Expectation[];
  /** The version that the write makes, if it makes one. */
  readonly target?: string;
}

/** What a write will make, and what must hold for that. */
const foreseen = async (server: FhirServer, write: Write): Promise<Foreseen> => {
  const same = { write, isMadeOfCurrent: false, expected: [] };
  if (!('resource' in write)) return same;
  const { type, id }: Reference = write.resource;
  const targetOf = (version: number): string => `${referenceText({ type, id })}/_history/${version}`;
  if (write.kind === 'create') return { ...same, target: targetOf(1) };
  const current = await server.store.read({ type, id });
  if (current === undefined || current.isDeleted)
    return { ...same, expected: [absence({ type, id })], target: targetOf((current?.version ?? 0) + 1) };
  const target = isSame(write, current) ? {} : { target: targetOf(current.version + 1) };
  if (typeof write.ifMatch === 'number') return { ...same, ...target };
  return { ...same, write: { ...write, ifMatch: current.version }, isMadeOfCurrent: true, ...target };
};

/** Throws a FhirError 400 if the request has a Provenance that is malformed. */
export const checkProvenance = (server: FhirServer, { headers }: FhirRequest): void => {
  const header = headers[HEADER];
  if (header === undefined) return;
  try {
    provenanceOf(server, header);
  } catch (error) {
    throw error instanceof FhirError ? inHeader(error) : error;
  }
};

/**
 * The resolution with a Provenance as its last write, if the request has one and the writes make new versions; `id` is
 * that of the Provenance. The other writes stay at their positions.
 */
export const withProvenance = async <T>(
  server: FhirServer,
  { headers }: FhirRequest,
  resolution: Resolution<T>,
  id: string,
): Promise<Resolution<T>> => {
  const header = headers[HEADER];
  if (header === undefined) return resolution;
  const json = provenanceOf(server, header);
  const all: Foreseen[] = [];
  for (let at = 0; at < resolution.writes.length; at += READS)
    all.push(...(await Promise.all(resolution.writes.slice(at, at + READS).map((write) => foreseen(server, write)))));
  const targets = all.flatMap(({ target }) => target ?? []);
  if (targets.length === 0) return resolution;
  const own = parseJson(withTargets(json, targets), server.limits.jsonDepth);
  const value = own.value as { resourceType: string };
  // The targets are written in this commit, and so they are there.
  const write: Write = { kind: 'create', ...preparedResource(server, own, value, id) };
  const known = resolution.writes.flatMap((old, at) =>
    resolution.madeOfCurrent?.has(old) || all[at]?.isMadeOfCurrent ? [all[at]?.write ?? old] : [],
  );
  return {
    ...resolution,
    writes: [...all.map(({ write }) => write), write],
    expected: [...resolution.expected, ...all.flatMap(({ expected }) => expected)],
    madeOfCurrent: new Set(known),
  };
};
