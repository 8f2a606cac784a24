/**
 * The place of a Location for `near`: its latitude and longitude, in degrees, as the two components of one element.
 *
 * @see https://hl7.org/fhir/R4/location.html#search
 */
import type { LocationPosition } from '@medplum/fhirtypes';
import { componentParam, type IndexEntry } from '../index-entry.ts';
import type { AddEntries } from './add-entries.ts';

/** Undefined unless the value is the backbone element that `Location.position` is. */
export const positionEntries = (param: string, type: string): AddEntries | undefined =>
  param === 'near' && type === 'BackboneElement'
    ? (value, entries: IndexEntry[]) => {
        const { latitude, longitude } = value as LocationPosition;
        if (latitude === undefined || longitude === undefined) return;
        for (const [position, degrees] of [latitude, longitude].entries())
          entries.push({
            kind: 'number',
            param: componentParam(param, position),
            lo: degrees,
            hi: degrees,
            element: 0,
          });
      }
    : undefined;
