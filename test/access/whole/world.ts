/**
 * A small world to which random tokens are put: two hospitals, three patients, what they share, what was moved from one to
 * another, and what was deleted. It is kept as plain JSON beside the server that is tested.
 */
import type { AccessTestServer } from '../access-server.ts';
import { actorWith } from '../access-server.ts';

export type Json = { readonly [name: string]: unknown };

/** One version; `json` is undefined for a deletion. */
export interface WorldVersion {
  readonly json: Json | undefined;
  readonly source: string | undefined;
}

export interface WorldResource {
  readonly type: string;
  readonly id: string;
  readonly versions: WorldVersion[];
}

export type World = Map<string, WorldResource>;

export const PATIENTS = ['p1', 'p2', 'p3'];
export const ORGANIZATIONS = ['Organization/o1', 'Organization/o2'];

const ref = (reference: string) => ({ reference });
const coded = (code: string) => ({ coding: [{ system: 'urn:c', code }] });
const observation = (patient: string, category: string, status: string, more: object = {}): Json => ({
  resourceType: 'Observation',
  status,
  code: coded('code'),
  category: [coded(category)],
  subject: ref(`Patient/${patient}`),
  ...more,
});
const person = (family: string, more: object = {}): Json => ({ resourceType: 'Patient', name: [{ family }], ...more });
const condition = (patient: string, code: string, more: object = {}): Json => ({
  resourceType: 'Condition',
  subject: ref(`Patient/${patient}`),
  code: coded(code),
  ...more,
});

type Step = readonly [organization: string | undefined, name: string, json: Json | undefined];

const [O1 = '', O2 = ''] = ORGANIZATIONS;

/** In this order it was written. */
const STEPS: readonly Step[] = [
  [O1, 'Organization/o1', { resourceType: 'Organization', name: 'One' }],
  [O2, 'Organization/o2', { resourceType: 'Organization', name: 'Two' }],
  [undefined, 'Organization/o3', { resourceType: 'Organization', name: 'Nobody' }],
  [O1, 'Practitioner/d1', { resourceType: 'Practitioner', name: [{ family: 'Done' }] }],
  [O1, 'Practitioner/d2', { resourceType: 'Practitioner', name: [{ family: 'Dtwo' }] }],
  [O2, 'Practitioner/d3', { resourceType: 'Practitioner', name: [{ family: 'Dthree' }] }],
  [O2, 'Practitioner/d4', { resourceType: 'Practitioner', name: [{ family: 'Dfour' }] }],
  [
    O1,
    'PractitionerRole/r1',
    { resourceType: 'PractitionerRole', practitioner: ref('Practitioner/d2'), organization: ref(O1) },
  ],
  [
    O2,
    'PractitionerRole/r2',
    { resourceType: 'PractitionerRole', practitioner: ref('Practitioner/d4'), organization: ref(O2) },
  ],
  [O1, 'Location/l1', { resourceType: 'Location', name: 'House' }],
  [O2, 'Location/l2', { resourceType: 'Location', name: 'Floor', partOf: ref('Location/l1') }],
  [O1, 'Location/l3', { resourceType: 'Location', name: 'Room', partOf: ref('Location/l2') }],
  [
    O1,
    'Patient/p1',
    person('Alpha', { generalPractitioner: [ref('PractitionerRole/r1')], managingOrganization: ref(O1) }),
  ],
  [O2, 'Patient/p2', person('Beta', { generalPractitioner: [ref('PractitionerRole/r2')] })],
  [undefined, 'Patient/p3', person('Gamma')],
  [O1, 'Observation/b1', observation('p1', 'lab', 'final', { performer: [ref('Practitioner/d1')] })],
  [O1, 'Observation/b2', observation('p1', 'vital', 'final', { performer: [ref('Practitioner/d3')] })],
  [O2, 'Observation/b3', observation('p1', 'lab', 'preliminary')],
  [O2, 'Observation/b4', observation('p2', 'lab', 'final', { performer: [ref('Practitioner/d3')] })],
  [O2, 'Observation/b5', observation('p2', 'vital', 'final', { hasMember: [ref('Observation/b1')] })],
  [undefined, 'Observation/b6', observation('p3', 'lab', 'final')],
  [O1, 'Observation/moved', observation('p1', 'lab', 'final')],
  [O1, 'Observation/moved', observation('p2', 'lab', 'final')],
  [O1, 'Observation/recoded', observation('p1', 'lab', 'final')],
  [O1, 'Observation/recoded', observation('p1', 'vital', 'final')],
  [O1, 'Observation/deleted', observation('p1', 'lab', 'final')],
  [O1, 'Observation/deleted', undefined],
  [O2, 'Observation/again', observation('p2', 'vital', 'final')],
  [O2, 'Observation/again', undefined],
  [O1, 'Observation/again', observation('p1', 'lab', 'final')],
  [undefined, 'Condition/c0', condition('p2', 'cough')],
  [O1, 'Condition/c0', condition('p1', 'fever')],
  [O1, 'Condition/c1', condition('p1', 'cough', { asserter: ref('Practitioner/d1') })],
  [O2, 'Condition/c2', condition('p2', 'cough', { evidence: [{ detail: [ref('Observation/b4')] }] })],
  [O2, 'Condition/c3', condition('p3', 'fever')],
];

const ADMINISTRATOR = actorWith('system/*.cruds');

/** What a writer of an organization makes of a resource. */
export const addVersion = (
  world: World,
  name: string,
  json: Json | undefined,
  organization: string | undefined,
): void => {
  const [type = '', id = ''] = name.split('/');
  const resource = world.get(name) ?? { type, id, versions: [] };
  const before = resource.versions.at(-1);
  // A deletion names nobody; what has a source keeps it.
  const source = before?.source ?? (json === undefined ? undefined : organization);
  resource.versions.push({ json: json === undefined ? undefined : { ...json, id }, source });
  world.set(name, resource);
};

/** Writes the world to a server. */
export const buildWorld = async ({ answer }: AccessTestServer): Promise<World> => {
  const world: World = new Map();
  for (const [organization, name, json] of STEPS) {
    const actor = organization === undefined ? ADMINISTRATOR : { ...ADMINISTRATOR, organization };
    const [, id = ''] = name.split('/');
    if (json === undefined) await answer(actor, 'DELETE', name);
    else await answer(actor, 'PUT', name, { body: JSON.stringify({ ...json, id }) });
    addVersion(world, name, json, organization);
  }
  return world;
};
