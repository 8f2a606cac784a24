/** What the pages read of clinical records: whether a resource is there, how it is called, and whose it is. */
import type { HumanName } from '@medplum/fhirtypes';
import type { Store, Version } from '../../store/store.ts';

export interface PersonRecords {
  isThere(reference: string): Promise<boolean>;
  /** The name of a person; undefined if it is not there, or has none. */
  nameOf(reference: string): Promise<string | undefined>;
  /**
   * The name of an organization, as it says itself, or as somebody says who acts for none; undefined without one. What
   * another organization pushed under this id is passed over: anybody could call an app's organization as they like.
   */
  organizationName(reference: string): Promise<string | undefined>;
  /** The organization (`Organization/[id]`) that pushed the resource. */
  organizationOf(reference: string): Promise<string | undefined>;
}

interface Named {
  readonly name?: string | readonly HumanName[];
  /** Of a PractitionerRole. */
  readonly practitioner?: { readonly reference?: string; readonly display?: string };
}

const humanName = ({ text, prefix = [], given = [], family }: HumanName): string =>
  text ?? [...prefix, ...given, ...(family === undefined ? [] : [family])].join(' ');

/** The official name of a person, or the first; undefined without one. */
export const nameOfPerson = (names: readonly HumanName[]): string | undefined => {
  const name = names.find(({ use }) => use === 'official') ?? names[0];
  return name === undefined ? undefined : humanName(name) || undefined;
};

export const createPersonRecords = (store: Pick<Store, 'read'>): PersonRecords => {
  const read = async (reference: string): Promise<Version | undefined> => {
    const [type = '', id = ''] = reference.split('/');
    const version = await store.read({ type, id });
    return version === undefined || version.isDeleted ? undefined : version;
  };
  const nameIn = async (version: Version | undefined): Promise<string | undefined> => {
    if (version === undefined) return undefined;
    const { name, practitioner } = JSON.parse(version.text.toString()) as Named;
    if (practitioner !== undefined && name === undefined) {
      const { reference: other = '', display } = practitioner;
      return (other.startsWith('Practitioner/') ? await nameOf(other) : undefined) ?? display;
    }
    return typeof name === 'string' ? name : nameOfPerson(name ?? []);
  };
  const nameOf = async (reference: string): Promise<string | undefined> => nameIn(await read(reference));
  return {
    isThere: async (reference) => (await read(reference)) !== undefined,
    nameOf,
    organizationName: async (reference) => {
      const version = await read(reference);
      return version?.source === undefined || version.source === reference ? nameIn(version) : undefined;
    },
    organizationOf: async (reference) => (await read(reference))?.source,
  };
};
