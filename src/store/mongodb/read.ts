/** Reads a version by its id: one command for the current one, two for an older one. */
import type { Reference } from '../../fhir/reference.ts';
import type { Version } from '../store.ts';
import type { Bodies } from './bodies.ts';
import type { Collections } from './collections.ts';
import { type StoredVersion, VERSION_FIELDS } from './document.ts';
import { resourceKey, versionKey } from './keys.ts';

const OPTIONS = { projection: VERSION_FIELDS };

export const createRead = ({ resources, history }: Collections, bodies: Bodies) => {
  const documentOf = async (reference: Reference, version: number | undefined): Promise<StoredVersion | null> => {
    const current = await resources.findOne({ _id: resourceKey(reference) }, OPTIONS);
    if (current === null || version === undefined || current.version === version) return current;
    // What a single write is about to supersede may stand there already, but nothing later.
    return version < current.version ? history.findOne({ _id: versionKey(reference, version) }, OPTIONS) : null;
  };
  return async (reference: Reference, version?: number, sources?: readonly string[]): Promise<Version | undefined> => {
    const document = await documentOf(reference, version);
    if (document === null) return undefined;
    const { source } = document;
    if (sources !== undefined && (source === undefined || !sources.includes(source))) return undefined;
    return (await bodies.versionsOf([document]))[0];
  };
};
