import type { Bundle, Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { mapInFlight } from '../../scripts/child-server/fhir-exchange.ts';
import { startTestServer, type TestServer } from '../http/test-server.ts';
import { absence, dataFolder } from './shared-data.ts';
import { kitAbsence, kitProfiles } from './us-core/kit.ts';
import { allEntries, type FoundEntry, loadExamples, loadSynthea, readStored } from './us-core/load-records.ts';
import { createSearches, queryOf, type Search, type Searches } from './us-core/searches.ts';

const IN_FLIGHT = 8;
/** The lines of section 13 with a GET of a search. */
const KIT_SEARCHES = 217;
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const nameOf = ({ resourceType, id }: Resource): string => `${resourceType}/${id}`;
const namesOf = (entries: readonly FoundEntry[], wanted: string): string =>
  entries
    .filter(({ mode }) => mode === wanted)
    .map(({ resource }) => nameOf(resource))
    .sort()
    .join();

const postedEntries = async ({ send }: TestServer, type: string, query: string): Promise<FoundEntry[]> => {
  const answer = await send('POST', `${type}/_search?_count=1000`, { headers: FORM, body: query });
  if (answer.status !== 200) throw new Error(`POST ${type}/_search ${query}: ${answer.status} ${answer.text}`);
  const { entry = [] } = answer.json<Bundle>();
  return entry.map(({ resource, search }) => ({ resource: resource as Resource, mode: search?.mode }));
};

/** What is wrong with the answers to a search by GET and by POST. */
const faultsOf = async (server: TestServer, search: Search, searches: Searches): Promise<string[]> => {
  const { type, source } = search;
  const query = queryOf(search);
  const expected = searches.found(search);
  const faults: string[] = [];
  if (source !== undefined && !expected.matches.includes(source)) faults.push('asks for something else');
  if (source === undefined && expected.matches.length > 0) faults.push('asks for something that is there');
  const [got, posted] = [await allEntries(server, `${type}?${query}`), await postedEntries(server, type, query)];
  for (const [mode, resources] of [
    ['match', expected.matches],
    ['include', expected.included],
  ] as const) {
    const [names, wanted] = [namesOf(got, mode), resources.map(nameOf).sort().join()];
    if (names !== wanted) faults.push(`${mode}: ${names}, and not ${wanted}`);
    if (namesOf(posted, mode) !== names) faults.push(`POST has another ${mode}: ${namesOf(posted, mode)}`);
  }
  const { length } = got.filter(({ mode }) => mode !== 'match' && mode !== 'include');
  if (length > 0) faults.push(`${length} entries are neither found nor included`);
  return faults.map((fault) => `${type}?${decodeURIComponent(query)} ${fault}`);
};

/** Of the kit's searches, fixed codes counted apart, how many have values from where; and the queries made of them. */
interface Counts {
  Synthea: number;
  example: number;
  nowhere: number;
  queries: number;
}

const NONE: Counts = { Synthea: 0, example: 0, nowhere: 0, queries: 0 };

const countText = ({ Synthea, example, nowhere, queries }: Counts): string =>
  `${Synthea + example + nowhere} searches: ${Synthea} with values of Synthea, ${example} of US Core's examples only, ` +
  `${nowhere} that nothing has; asked in ${queries} ways, each by GET and POST`;

const skip = kitAbsence || absence('packages') || absence('synthea');

test('the searches of US Core 6.1.0', { skip }, async (t) => {
  const server = await startTestServer(t, { CONSILIUM_PACKAGES: dataFolder('packages').pathname });
  const loaded = await loadSynthea(server);
  const ofSynthea = await readStored(server);
  t.equal(ofSynthea.length, loaded + 12, 'all records are there, each with a Provenance');
  await loadExamples(server);
  const names = new Set(ofSynthea.map(nameOf));
  const all = await readStored(server);
  const searches = createSearches(
    all.map((resource) => ({ resource, origin: names.has(nameOf(resource)) ? 'Synthea' : 'example' })),
    server.baseUrl,
  );

  const total = { ...NONE };
  const asked = new Set<string>();
  const isNew = (search: Search): boolean => {
    const { size } = asked;
    return asked.add(`${search.type}?${queryOf(search)}`).size > size;
  };

  const profiles = kitProfiles().filter(({ searches }) => searches.length > 0);
  t.equal(profiles.flatMap((profile) => profile.searches).length, KIT_SEARCHES, 'all searches of the kit are read');
  for (const profile of profiles) {
    await t.test(`${profile.title}: each search finds what has its values, by GET as by POST`, async (t) => {
      const runs = profile.searches.flatMap((search) => searches.of(search, profile));
      const fresh = runs.flat().filter(isNew);
      const counts = { ...NONE, queries: fresh.length };
      for (const [first] of runs) if (first !== undefined) counts[first.origin]++;
      for (const name of Object.keys(counts) as (keyof Counts)[]) total[name] += counts[name];
      const faults = await mapInFlight(fresh, IN_FLIGHT, (search) => faultsOf(server, search, searches));
      t.strictSame(faults.flat(), [], countText(counts));

      const first = runs[0]?.[0] as Search;
      const revinclude = await allEntries(server, `${first.type}?${queryOf(first)}&_revinclude=Provenance:target`);
      const provenances = revinclude.filter(({ resource }) => resource.resourceType === 'Provenance').length;
      if (first.origin === 'Synthea') t.ok(provenances > 0, `_revinclude=Provenance:target adds ${provenances}`);
    });
  }
  t.comment(`all profiles: ${countText(total)}`);
});
