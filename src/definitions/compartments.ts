/**
 * Which resources belong to a compartment, and by which of their search parameters.
 *
 * @see https://hl7.org/fhir/R4/compartmentdefinition.html
 */
import type { CompartmentDefinition } from '@medplum/fhirtypes';
import { readDefinitionFile, readDefinitions } from './read-definitions.ts';

export interface Compartments {
  /**
   * The types that may be in the compartment of a resource of type `name`, each with the reference parameters that put
   * it there; undefined if R4 has no such compartment.
   */
  of(name: string): ReadonlyMap<string, readonly string[]> | undefined;
}

/** The types whose resources have a compartment. */
export const COMPARTMENT_TYPES = ['Patient', 'Encounter', 'RelatedPerson', 'Practitioner', 'Device'] as const;

const parametersByType = ({ resource }: CompartmentDefinition): ReadonlyMap<string, readonly string[]> =>
  new Map(
    (resource ?? []).flatMap(({ code, param }) => (param === undefined ? [] : [[code as string, param] as const])),
  );

/** Reads a definition when it is first asked for; the Patient's is small, the others are in a large file (0.3 s once). */
export const createCompartments = (): Compartments => {
  const known = new Map<string, ReadonlyMap<string, readonly string[]>>();
  const load = (name: string): void => {
    if (name === 'Patient') {
      const definition = readDefinitionFile('compartmentdefinition-patient.json') as CompartmentDefinition;
      known.set(name, parametersByType(definition));
      return;
    }
    for (const resource of readDefinitions('profiles-resources.json'))
      if (resource.resourceType === 'CompartmentDefinition') known.set(resource.code, parametersByType(resource));
  };
  return {
    of: (name) => {
      if (!COMPARTMENT_TYPES.some((type) => type === name)) return undefined;
      if (!known.has(name)) load(name);
      return known.get(name);
    },
  };
};
