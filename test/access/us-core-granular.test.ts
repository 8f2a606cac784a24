/**
 * The granular scopes of US Core over real records: each launch of the public kit is compared with the run with full
 * scopes, from which what is out of scope is taken away here.
 *
 * @see https://hl7.org/fhir/us/core/scopes.html
 */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { mapInFlight } from '../../scripts/child-server/fhir-exchange.ts';
import type { Actor } from '../../src/access/actor.ts';
import { absence } from '../data/shared-data.ts';
import { kitAbsence, kitProfiles } from '../data/us-core/kit.ts';
import { loadExamples, loadSynthea, readStored, type Sender } from '../data/us-core/load-records.ts';
import { createSearches, queryOf } from '../data/us-core/searches.ts';
import { type AccessTestServer, actorWith, patients, startAccessServer } from './access-server.ts';

const IN_FLIGHT = 8;
/** Each of Synthea has hundreds of Observations. */
const SYNTHEA_PATIENTS = 2;

const TYPES = ['Condition', 'Observation'] as const;

type Granted = Readonly<Record<(typeof TYPES)[number], readonly string[]>>;

const CONDITION = 'http://terminology.hl7.org/CodeSystem/condition-category';
const US_CONDITION = 'http://hl7.org/fhir/us/core/CodeSystem/condition-category';
const OBSERVATION = 'http://terminology.hl7.org/CodeSystem/observation-category';
const US_CATEGORY = 'http://hl7.org/fhir/us/core/CodeSystem/us-core-category';

/** What the kit wants to be granted in its two launches. */
const LAUNCHES: readonly Granted[] = [
  {
    Condition: [`${CONDITION}|encounter-diagnosis`, `${US_CONDITION}|health-concern`],
    Observation: [`${OBSERVATION}|laboratory`, `${OBSERVATION}|social-history`],
  },
  {
    Condition: [`${CONDITION}|problem-list-item`],
    Observation: [`${OBSERVATION}|vital-signs`, `${OBSERVATION}|survey`, `${US_CATEGORY}|sdoh`],
  },
];

const nameOf = ({ resourceType, id }: Resource): string => `${resourceType}/${id}`;

const isScoped = (granted: Granted, resource: Resource): boolean => {
  const { resourceType } = resource;
  if (resourceType !== 'Condition' && resourceType !== 'Observation') return true;
  const codings = (resource.category ?? []).flatMap(({ coding = [] }) => coding);
  return codings.some(({ system, code }) => granted[resourceType].includes(`${system}|${code}`));
};

const scopesOf = (granted: Granted): string =>
  TYPES.flatMap((type) => granted[type].map((category) => `patient/${type}.rs?category=${category}`)).join(' ');

const ownActor = (patient: string, scopes: string): Actor =>
  actorWith(scopes, { patient, reach: patients(patient), role: 'patient', userId: patient });

/** The search by GET, and by POST; the names of what is found. Throws an Error unless both are answered alike. */
const searched = async ({ send }: AccessTestServer, by: Actor, type: string, query: string): Promise<Resource[]> => {
  const get = await send(by, 'GET', `${type}?${query}&_count=1000`);
  const post = await send(by, 'POST', `${type}/_search?_count=1000`, { body: query });
  if (get.status !== 200 || post.status !== 200) throw new Error(`${type}?${query}: ${get.status} ${post.text}`);
  if (get.names.join() !== post.names.join()) throw new Error(`POST of ${type} ${query} finds something else`);
  return (get.json<Bundle>().entry ?? []).map(({ resource }) => resource as Resource);
};

interface Asked {
  readonly type: string;
  readonly query: string;
  /** An id. */
  readonly patient: string;
}

const subjectOf = (resource: Resource): string | undefined =>
  resource.resourceType === 'Condition' || resource.resourceType === 'Observation'
    ? resource.subject?.reference?.replace('Patient/', '')
    : undefined;

/** Those of the kit for the two types, and for each patient the whole, each category, and what refers to the patient. */
const searchesFor = (stored: readonly Resource[], baseUrl: string): Asked[] => {
  const searches = createSearches(
    stored.map((resource) => ({ resource, origin: 'Synthea' })),
    baseUrl,
  );
  const ofKit = kitProfiles().flatMap((profile) =>
    profile.searches
      // The one parameter that US Core adds itself, with its package.
      .filter(({ type, parameters }) => TYPES.some((name) => name === type) && !parameters.includes('asserted-date'))
      .flatMap((search) => searches.of(search, profile).flat())
      .map((search): Asked => {
        const [, patient] = search.criteria.find(([parameter]) => parameter === 'patient') ?? [];
        return { type: search.type, query: queryOf(search), patient: patient?.text.split('/').at(-1) ?? '' };
      }),
  );
  const people = new Set(stored.flatMap((resource) => subjectOf(resource) ?? []));
  const ofPatients = [...people].flatMap((patient): Asked[] => [
    { patient, type: 'Patient', query: `_id=${patient}&_revinclude=Condition:patient&_revinclude=Observation:patient` },
    ...TYPES.flatMap((type) => [
      { patient, type, query: `patient=${patient}` },
      { patient, type, query: `patient=${patient}&category:missing=true` },
      ...LAUNCHES.flatMap((granted) =>
        granted[type].map((category) => ({
          ...{ patient, type, query: `patient=${patient}&category=${encodeURIComponent(category)}` },
        })),
      ),
    ]),
  ]);
  const asked = new Map([...ofKit, ...ofPatients].map((each) => [`${each.type}?${each.query}`, each]));
  return [...asked.values()];
};

const skip = kitAbsence || absence('packages') || absence('synthea');

const loaded = async (t: Test) => {
  const server = await startAccessServer(t);
  const administrator = actorWith('system/*.cruds');
  const send: Sender['send'] = (...rest) => server.send(administrator, ...rest);
  await loadSynthea({ send }, SYNTHEA_PATIENTS);
  await loadExamples({ send });
  return { server, stored: await readStored({ send }) };
};

test('us_core_granted_granular_scopes in both launches: searches find what the run with full scopes finds and is in scope, by GET and by POST; reads of all else are 404', {
  skip,
}, async (t) => {
  const { server, stored } = await loaded(t);
  const asked = searchesFor(stored, server.baseUrl);
  const people = [...new Set(asked.map(({ patient }) => patient))];
  const full = new Map(people.map((patient) => [patient, ownActor(patient, 'patient/*.rs')]));
  const all = await mapInFlight(asked, IN_FLIGHT, ({ patient, type, query }) =>
    searched(server, full.get(patient) as Actor, type, query),
  );
  for (const [number, granted] of LAUNCHES.entries()) {
    const scopes = `patient/Patient.rs ${scopesOf(granted)}`;
    const narrow = new Map(people.map((patient) => [patient, ownActor(patient, scopes)]));

    await t.test(`us_core condition, observation granular_scope_search_test, launch ${number + 1}`, async (t) => {
      const faults = await mapInFlight(asked, IN_FLIGHT, async ({ patient, type, query }, at) => {
        const found = await searched(server, narrow.get(patient) as Actor, type, query);
        const wanted = (all[at] ?? []).filter((resource) => isScoped(granted, resource));
        const [got, right] = [found, wanted].map((resources) => resources.map(nameOf).sort().join());
        return got === right ? [] : [`${type}?${query}: ${got}, and not ${right}`];
      });
      t.strictSame(faults.flat(), [], `${asked.length} searches`);
      for (const type of TYPES) {
        const found = all.flat().filter(({ resourceType }) => resourceType === type);
        for (const category of granted[type])
          t.ok(
            found.some((resource) => isScoped({ Condition: [], Observation: [], [type]: [category] }, resource)),
            `there is a ${type} of ${category}`,
          );
        t.notOk(
          found.every((resource) => isScoped(granted, resource)),
          `and a ${type} of another`,
        );
      }
    });

    await t.test(`us_core condition, observation granular_scope_read_test, launch ${number + 1}`, async (t) => {
      const readable = stored.filter((resource) => subjectOf(resource) !== undefined);
      const faults = await mapInFlight(readable, IN_FLIGHT, async (resource) => {
        const by = narrow.get(subjectOf(resource) as string) as Actor;
        const answer = await server.send(by, 'GET', nameOf(resource));
        const type = answer.json().resourceType;
        const isRight = isScoped(granted, resource)
          ? answer.status === 200 && type === resource.resourceType
          : answer.status === 404 && type === 'OperationOutcome';
        return isRight ? [] : [`${nameOf(resource)}: ${answer.status}`];
      });
      t.strictSame(faults.flat(), [], `${readable.length} reads`);
    });
  }
});
