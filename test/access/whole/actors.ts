/** Random tokens for the world. */
import fc from 'fast-check';
import type { Actor } from '../../../src/access/actor.ts';
import { ALL, actorWith, patients, sources } from '../access-server.ts';
import { ORGANIZATIONS, PATIENTS } from './world.ts';

const TYPES = ['Patient', 'Observation', 'Condition', 'Practitioner', 'PractitionerRole', 'Organization', 'Location'];

const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  Observation: [
    'category=lab',
    'category=vital',
    'status=final',
    'category=lab&status=final',
    '_id=b1',
    'patient=Patient/p1',
  ],
  Condition: ['code=cough', 'code=fever'],
  Patient: ['_id=p1', 'family=alpha'],
  Practitioner: ['_id=d1'],
};

const letters = fc.oneof(
  { weight: 3, arbitrary: fc.constant('rs') },
  { weight: 2, arbitrary: fc.constant('cruds') },
  fc.constantFrom('r', 's', 'rs', 'cu', 'cud', 'u', 'd', 'crs', 'us', 'read', 'write', '*'),
);

const scope = (level: string): fc.Arbitrary<string> =>
  fc.tuple(fc.oneof(fc.constant('*'), fc.constantFrom(...TYPES)), letters, fc.nat()).map(([type, can, at]) => {
    const possible = PARAMETERS[type];
    const isVersion2 = /^[cruds]+$/.test(can);
    const query = possible === undefined || !isVersion2 || at % 2 === 0 ? '' : `?${possible[at % possible.length]}`;
    return `${level}/${type}.${can}${query}`;
  });

const reach = fc.oneof(
  fc.constant(ALL),
  fc.subarray(ORGANIZATIONS, { minLength: 1 }).map((names) => sources(...names)),
  fc.subarray(PATIENTS, { minLength: 1, maxLength: 2 }).map((ids) => patients(...ids)),
);

/** A token with one to five scopes, of a client alone, of a user, or in the launch of an app for a patient. */
export const actor: fc.Arbitrary<Actor> = fc
  .record({
    level: fc.constantFrom('patient', 'user', 'system', 'patient and user'),
    reach,
    patient: fc.constantFrom(...PATIENTS),
    organization: fc.option(fc.constantFrom(...ORGANIZATIONS), { nil: undefined }),
  })
  .chain(({ level, patient, organization, ...rest }) => {
    const ofLevels = level.includes('and') ? fc.oneof(scope('patient'), scope('user')) : scope(level);
    return fc.array(ofLevels, { minLength: 1, maxLength: 5 }).map((scopes) =>
      actorWith(scopes.join(' '), {
        ...rest,
        ...(level.includes('patient') ? { patient } : {}),
        ...(organization === undefined ? {} : { organization }),
      }),
    );
  });

export const actorText = (given: Actor): string => {
  const { scopes, reach: within, context, organization } = given;
  return JSON.stringify({ scopes: scopes.map(({ text }) => text), within, context, organization });
};
