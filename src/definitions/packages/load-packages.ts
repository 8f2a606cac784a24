/**
 * Conformance resources that come from outside: FHIR packages, as `.tgz` or unpacked, and the server's own folder of
 * profiles. What a package holds is parsed when it is asked for.
 *
 * @see https://hl7.org/fhir/packages.html
 */
import { isUtf8 } from 'node:buffer';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ExtractResource, ResourceType } from '@medplum/fhirtypes';
import { archivedFiles, folderFiles, type JsonFiles, type PackageLimits, PackageUnusable } from './package-files.ts';

interface PackageResource<Type extends ResourceType> {
  /** For messages: `hl7.fhir.us.core#6.1.0 SearchParameter-us-core-race.json`. */
  readonly source: string;
  readonly resource: ExtractResource<Type>;
}

export interface DefinitionPackage {
  /** `hl7.fhir.us.core#6.1.0`, or `profiles`. */
  readonly name: string;
  /** The resources of a type, in the order of their file names. */
  resources<Type extends ResourceType>(type: Type): Iterable<PackageResource<Type>>;
}

interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly fhirVersions?: unknown;
}

/** The file that makes a folder a package. */
const MANIFEST = 'package.json';
/** R4 and its corrections. */
const FHIR_VERSION = /^4\.0\b/;

const parsed = (path: string, name: string, bytes: Buffer): unknown => {
  const refused = (reason: string) => new PackageUnusable(`${path}: ${name} ${reason}`);
  if (!isUtf8(bytes)) throw refused('is not UTF-8');
  try {
    const value: unknown = JSON.parse(bytes.toString().replace(/^\uFEFF/, ''));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw refused(`is no JSON: ${(error as Error).message.replace(/\s+/g, ' ')}`);
  }
  throw refused('is no JSON object');
};

const packageOf = (path: string, name: string, files: JsonFiles): DefinitionPackage => {
  const byType = new Map<unknown, string[]>();
  for (const file of [...files.keys()].sort()) {
    if (file === MANIFEST) continue;
    const { resourceType } = parsed(path, file, files.get(file) as Buffer) as { resourceType?: unknown };
    byType.set(resourceType, [...(byType.get(resourceType) ?? []), file]);
  }
  return {
    name,
    *resources<Type extends ResourceType>(type: Type) {
      for (const file of byType.get(type) ?? []) {
        const resource = parsed(path, file, files.get(file) as Buffer) as ExtractResource<Type>;
        yield { source: `${name} ${file}`, resource };
      }
    },
  };
};

const checkVersion = (path: string, { fhirVersions }: Manifest): void => {
  if (!Array.isArray(fhirVersions) || fhirVersions.some((version) => FHIR_VERSION.test(String(version)))) return;
  throw new PackageUnusable(`${path} is for FHIR ${fhirVersions.join(', ')}, and this server is of R4, 4.0.1`);
};

const packageAt = (path: string, files: JsonFiles): DefinitionPackage => {
  const bytes = files.get(MANIFEST);
  if (bytes === undefined) throw new PackageUnusable(`${path} is no FHIR package: it has no ${MANIFEST}`);
  const manifest = parsed(path, MANIFEST, bytes) as Manifest;
  checkVersion(path, manifest);
  return packageOf(path, `${manifest.name}#${manifest.version}`, files);
};

/** An unpacked package has its files in `package/`, as in the archive, or itself. */
const filesFolder = (path: string): string => {
  const inner = join(path, 'package');
  return existsSync(join(inner, MANIFEST)) ? inner : path;
};

const entryNames = (folder: string): string[] => {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch (error) {
    throw new PackageUnusable(`${folder} cannot be read: ${(error as Error).message}`);
  }
};

/**
 * Reads the packages in a folder, in the order of their names (US Core, 11 MB: 0.2 s). Throws PackageUnusable for an
 * entry that is neither a `.tgz` nor an unpacked package, that is broken, or that exceeds the limits.
 */
export const loadPackages = (folder: string, limits: PackageLimits): DefinitionPackage[] =>
  entryNames(folder).map((name) => {
    const path = join(folder, name);
    if (name.endsWith('.tgz')) return packageAt(path, archivedFiles(path, limits));
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw new PackageUnusable(`${path} is neither a .tgz nor the folder of a package`);
    return packageAt(path, folderFiles(filesFolder(path), limits));
  });

/** Reads a folder of conformance resources that is no package. Throws PackageUnusable. */
export const loadProfiles = (folder: string, limits: PackageLimits): DefinitionPackage =>
  packageOf(folder, 'profiles', folderFiles(folder, limits));
