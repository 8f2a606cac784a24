/**
 * What one write makes of the current version, without writing it. Knows no FHIR beyond types, ids and versions; what is
 * to be indexed comes with each write.
 */
import type { ObjectId } from 'mongodb';
import { FhirError, type Issue, issue } from '../../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../../fhir/reference.ts';
import { isStamped, stampedBytes, stampedLength } from '../../fhir/resource-text.ts';
import type { Action, IfMatch, Write, Written } from '../store.ts';
import { type IndexFields, indexFields, NO_KEYS, type StoredVersion } from './document.ts';

/** A version that is made and not yet stored. */
export interface Draft extends Omit<StoredVersion, 'body' | 'attachment'> {
  readonly text: Buffer;
  readonly keys: IndexFields;
}

export interface Applied {
  readonly written: Written;
  /** A new version. */
  readonly draft?: Draft;
  /** New keys of the current version. */
  readonly keys?: IndexFields;
}

export interface ApplyContext {
  /** The instant of the commit, in milliseconds since 1970 UTC. */
  readonly at: number;
  readonly mark: ObjectId;
  nextRid(): number;
  textOf(version: StoredVersion | Draft): Promise<Buffer>;
}

type Known = StoredVersion | Draft;
type Saved = Extract<Write, { kind: 'create' | 'update' }>;

const refusal = (status: number, code: Issue['code'], text: string): FhirError =>
  new FhirError(status, [issue(code, text)]);

/** The resource that a write is about. */
export const referenceOfWrite = (write: Write): Reference => ('resource' in write ? write.resource : write.reference);

const checkMatch = (reference: Reference, known: Known | undefined, ifMatch: IfMatch | undefined): void => {
  if (ifMatch === undefined) return;
  const current = known?.live ? known.version : undefined;
  if (ifMatch === '*' ? current !== undefined : current === ifMatch) return;
  const state = current === undefined ? 'is not there' : `is at version ${current}`;
  const asked = ifMatch === '*' ? 'any version' : `version ${ifMatch}`;
  throw refusal(412, 'conflict', `If-Match asks for ${asked}, but ${referenceText(reference)} ${state}`);
};

/** 409: a create of what is there, be it deleted. */
const existsAlready = (reference: Reference): FhirError =>
  refusal(409, 'conflict', `${referenceText(reference)} exists already`);

/** 422: what a write requires is not there. */
export const leadsToNothing = (target: Reference): FhirError =>
  refusal(422, 'business-rule', `The reference ${referenceText(target)} leads to nothing`);

const isSame = async ({ resource }: Saved, known: Known, context: ApplyContext): Promise<boolean> => {
  if (!known.live) return false;
  const stamp = { version: known.version, lastUpdated: known.updated };
  return stampedLength(resource, stamp) === known.size && isStamped(await context.textOf(known), resource, stamp);
};

const unchanged = ({ type, id }: Reference, known: Known | undefined): Applied => ({
  written: { type, id, outcome: 'unchanged', version: known?.version ?? 0, lastUpdated: known?.updated ?? 0 },
});

/** How far a version goes beyond the one before. */
const following = (
  { type, id }: Reference,
  known: Known | undefined,
  { at, mark, nextRid }: ApplyContext,
  source = known?.source,
) => ({
  rid: known?.rid ?? nextRid(),
  type,
  id,
  version: (known?.version ?? 0) + 1,
  // The clock of another instance may be ahead of ours.
  updated: Math.max(at, known?.updated ?? 0),
  ...(source === undefined ? {} : { source }),
  mark,
});

const saved = (
  { kind, resource, entries, source: ofWriter }: Saved,
  known: Known | undefined,
  context: ApplyContext,
): Applied => {
  const { type, id } = resource;
  const source = known?.source ?? ofWriter;
  const next = following(resource, known, context, source);
  const { version, updated: lastUpdated } = next;
  const text = stampedBytes(resource, { version, lastUpdated });
  const outcome = known?.live ? 'updated' : 'created';
  const asCreate: Action = kind === 'create' ? 'create' : 'update-as-create';
  const action = outcome === 'created' ? asCreate : 'update';
  const keys = indexFields(type, entries, source);
  const draft: Draft = { ...next, live: true, action, size: text.length, text, keys };
  return { written: { type, id, outcome, version, lastUpdated }, draft };
};

const NO_TEXT = Buffer.alloc(0);

const removed = ({ type, id }: Reference, known: Known, context: ApplyContext): Applied => {
  const next = following({ type, id }, known, context);
  const { version, updated: lastUpdated } = next;
  const draft: Draft = { ...next, live: false, action: 'delete', size: 0, text: NO_TEXT, keys: NO_KEYS };
  return { written: { type, id, outcome: 'deleted', version, lastUpdated }, draft };
};

/** Applies a write to the version that is current. Throws a FhirError if it breaks a rule. */
export const appliedWrite = async (write: Write, known: Known | undefined, context: ApplyContext): Promise<Applied> => {
  const reference = referenceOfWrite(write);
  switch (write.kind) {
    case 'create':
      if (known !== undefined) throw existsAlready(reference);
      return saved(write, known, context);
    case 'update':
      checkMatch(reference, known, write.ifMatch);
      if (known !== undefined && (await isSame(write, known, context))) return unchanged(reference, known);
      return saved(write, known, context);
    case 'delete':
      checkMatch(reference, known, write.ifMatch);
      return known?.live ? removed(reference, known, context) : unchanged(reference, known);
    case 'index': {
      const nothing = unchanged(reference, known);
      const isCurrent = known?.live && known.version === write.version;
      return isCurrent ? { ...nothing, keys: indexFields(reference.type, write.entries, known.source) } : nothing;
    }
  }
};
