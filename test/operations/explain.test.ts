import type { OperationOutcome, Parameters, ParametersParameter, Resource } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import type { Clause } from '../../src/search/search-query.ts';
import { startTestServer, type TestServer } from '../http/test-server.ts';
import { EMBEDDED_ONLY, IS_MONGODB } from '../http/test-store.ts';

/** A search of each kind of clause that a query can ask for; a kind that is added must be added here, too. */
const QUERIES: Readonly<Record<Exclude<Clause['kind'], 'source' | 'all'>, string>> = {
  token: 'Observation/$explain?code=c1',
  string: 'Patient/$explain?family=fam',
  date: 'Observation/$explain?date=ge2024-01-02',
  number: 'RiskAssessment/$explain?probability=gt0.5',
  quantity: 'Observation/$explain?value-quantity=gt3||mg',
  reference: 'Observation/$explain?subject=Patient/p',
  uri: 'ValueSet/$explain?url:below=http://example.org',
  id: 'Patient/$explain?_id=p',
  lastUpdated: 'Patient/$explain?_lastUpdated=gt2020',
  missing: 'Patient/$explain?birthdate:missing=false',
  composite: 'Observation/$explain?code-value-quantity=c1$gt3',
  text: 'Patient/$explain?_content=family',
  near: 'Location/$explain?near=40|-3|5|km',
  not: 'Observation/$explain?code:not=c1',
  any: 'Observation/$explain?code:missing=false',
  chain: 'Observation/$explain?patient.family=fam',
  hierarchy: 'Encounter/$explain?location:below=Location/l',
  has: 'Patient/$explain?_has:Observation:patient:code=c1',
};

const partsOf = ({ part = [] }: ParametersParameter, name: string): ParametersParameter[] =>
  part.filter((each) => each.name === name);
const textOf = ({ valueString, valueCode, valueUri }: ParametersParameter): string =>
  valueString ?? valueCode ?? valueUri ?? '';

/** An answer in short. */
const explained = ({ parameter = [] }: Parameters) => {
  const named = (name: string): ParametersParameter[] => parameter.filter((each) => each.name === name);
  const number = (name: string): number => named(name)[0]?.valueInteger ?? -1;
  const searches = named('search').map((search) => ({
    type: partsOf(search, 'type').map(textOf).join(),
    order: partsOf(search, 'order').map(textOf).join(),
    clauses: partsOf(search, 'clause').map((clause) => ({
      understood: partsOf(clause, 'understood').map(textOf).join(),
      role: partsOf(clause, 'role').map(textOf).join(),
      indexes: partsOf(clause, 'index').map(textOf),
      rows: partsOf(clause, 'rows')[0]?.valueInteger,
    })),
  }));
  const [search] = searches;
  return {
    query: named('query').map(textOf).join(),
    searches,
    leader: search?.clauses.find(({ role }) => role === 'leads'),
    order: search?.order ?? '',
    clauses: search?.clauses ?? [],
    matches: number('matches'),
    rowsTouched: number('rowsTouched'),
    plan: named('plan').map(textOf),
    outcome: named('outcome')[0]?.resource as OperationOutcome | undefined,
  };
};

const startWithData = async (t: Test): Promise<TestServer> => {
  const server = await startTestServer(t);
  const put = async (resource: Resource & { id: string }): Promise<void> => {
    const answer = await server.send('PUT', `${resource.resourceType}/${resource.id}`, { body: resource });
    t.equal(answer.status, 201, answer.text);
  };
  for (const id of ['p', 'q'])
    await put({ resourceType: 'Patient', id, name: [{ family: `Family ${id}` }], birthDate: '1970-01-01' });
  for (let at = 0; at < 6; at++)
    await put({
      resourceType: 'Observation',
      id: `o${at}`,
      status: 'final',
      code: { coding: [{ system: 'urn:s', code: `c${at % 3}` }] },
      subject: { reference: at < 5 ? 'Patient/p' : 'Patient/q' },
      effectiveDateTime: `2024-01-0${at + 1}`,
      valueQuantity: { value: at, unit: 'mg' },
    });
  await put({
    resourceType: 'RiskAssessment',
    id: 'r',
    status: 'final',
    subject: { reference: 'Patient/p' },
    prediction: [{ probabilityDecimal: 0.7 }],
  });
  await put({ resourceType: 'ValueSet', id: 'v', status: 'active', url: 'http://example.org/v' });
  await put({ resourceType: 'Location', id: 'l', position: { latitude: 40, longitude: -3 } });
  await put({
    resourceType: 'Encounter',
    id: 'e',
    status: 'finished',
    class: { code: 'AMB' },
    location: [{ location: { reference: 'Location/l' } }],
  });
  return server;
};

test('$explain', async (t) => {
  const { send, baseUrl } = await startWithData(t);
  const explain = async (path: string) => {
    const answer = await send('GET', path);
    t.equal(answer.status, 200, answer.text);
    return explained(answer.json<Parameters>());
  };

  t.test('answers for every kind of clause valid Parameters: its meaning, its index, its plan', async (t) => {
    for (const [kind, path] of Object.entries(QUERIES)) {
      const answer = await send('GET', path);
      t.equal(answer.status, 200, path);
      const { issue } = (
        await send('POST', 'Parameters/$validate', {
          body: answer.text,
          headers: { 'content-type': 'application/fhir+json' },
        })
      ).outcome;
      t.match(issue, [{ severity: 'information' }], path);
      const { clauses, rowsTouched, matches, plan } = explained(answer.json<Parameters>());
      t.equal(clauses.length, 1, kind);
      t.ok((clauses[0]?.understood ?? '').length > 5, kind);
      t.ok((clauses[0]?.indexes ?? []).length > 0, `${kind} uses an index`);
      t.ok(matches > 0 && rowsTouched >= matches, `${kind} finds ${matches} by ${rowsTouched} rows`);
      t.ok(
        plan.some((line) => (IS_MONGODB ? line.length > 5 : /^ +(SEARCH|SCAN) /.test(line))),
        `${kind}: ${plan.join('\n')}`,
      );
      const found = (await send('GET', path.replace('/$explain', ''))).json<{ entry?: unknown[] }>();
      t.equal(matches, found.entry?.length, `${kind} is really searched for`);
    }
  });

  t.test('names the clause that leads and the index that it reads', { skip: EMBEDDED_ONLY }, async (t) => {
    const cases: readonly (readonly [path: string, leader: RegExp, index: string])[] = [
      ['Observation/$explain?code=c1&date=ge2023', /^code is 'c1' of any system$/, 'token (primary key)'],
      ['Observation/$explain?status=final&date=sa2024-01-05', /^date begins at 2024-01-06/, 'date (primary key)'],
      ['Patient/$explain?family=family q&birthdate=ge1960', /^family begins with 'family q'/, 'string (primary key)'],
      [
        'Observation/$explain?patient.family=family q&status=final',
        /^patient refers to a Patient/,
        'reference (primary key)',
      ],
      [
        'Patient/$explain?_has:Observation:patient:code=c0&birthdate=ge1960',
        /^an Observation refers to it/,
        'reference (reference_by_resource)',
      ],
      ['Observation/$explain?code=c1&_sort=-date', /^code is 'c1'/, 'token (primary key)'],
    ];
    for (const [path, leader, index] of cases) {
      const found = await explain(path);
      t.match(found.leader?.understood, leader, path);
      t.ok(found.leader?.indexes.includes(index), `${path} ${found.leader?.indexes}`);
      t.equal(found.clauses.filter(({ role }) => role === 'leads').length, 1, path);
    }
  });

  t.test(
    'names no clause where an index of the type or of the sort key is read',
    { skip: EMBEDDED_ONLY },
    async (t) => {
      const sorted = await explain('Observation/$explain?_sort=-date');
      t.equal(sorted.leader, undefined);
      t.match(sorted.order, /^by date, the largest first; .*an index of the sort key is read/);
      t.ok(sorted.plan.some((line) => /SEARCH date o USING PRIMARY KEY/.test(line)));
      const all = await explain('Observation/$explain');
      t.match(all.order, /the index of the type/);
      t.equal(all.matches, 6);
    },
  );

  t.test('tells what a chain was resolved to before the search', { skip: EMBEDDED_ONLY }, async (t) => {
    const { plan } = await explain('Observation/$explain?patient.family=family q');
    t.match(plan[0], /^resolved before the search: found 1$/);
    t.match(plan[1], /SEARCH string i0 USING PRIMARY KEY/);
  });

  t.test('shows what was used as the self link of the search', async (t) => {
    const { query } = await explain('Observation/$explain?code=urn:s|c1&_count=2&_format=json');
    t.equal(query, `${baseUrl}/Observation?code=urn:s|c1&_count=2`);
    const lenient = await send('GET', 'Observation/$explain?code=c1&foo=1', {
      headers: { prefer: 'handling=lenient' },
    });
    const { query: kept, outcome } = explained(lenient.json<Parameters>());
    t.equal(kept, `${baseUrl}/Observation?code=c1`);
    t.match(outcome?.issue, [{ severity: 'warning', diagnostics: /'foo'/ }]);
  });

  t.test('takes a Parameters resource by POST, with the same answer', async (t) => {
    const body: Parameters = {
      resourceType: 'Parameters',
      parameter: [
        { name: 'code', valueString: 'urn:s|c1' },
        { name: '_count', valueInteger: 2 },
      ],
    };
    const posted = explained((await send('POST', 'Observation/$explain', { body })).json<Parameters>());
    t.same(posted, await explain('Observation/$explain?code=urn:s|c1&_count=2'));
  });

  t.test('explains a search of several types, a type each, and those of which nothing is stored', async (t) => {
    const { searches, matches } = await explain('$explain?_type=Patient,Observation,Basic&_lastUpdated=gt2020');
    t.same(searches.map(({ type }) => type).sort(), ['Basic', 'Observation', 'Patient']);
    for (const { type, clauses } of searches) t.equal(clauses[0]?.role, type === 'Basic' ? 'unused' : 'leads', type);
    t.equal(matches, 8);
  });

  t.test('explains the total where only that is asked for', async (t) => {
    for (const query of ['_summary=count', '_count=0']) {
      const { matches, order } = await explain(`Observation/$explain?code=c1&${query}`);
      t.equal(matches, 2, query);
      t.match(order, /only the total/, query);
    }
  });

  t.test('refuses what the search refuses', async (t) => {
    for (const query of ['foo=1', 'date=x', '_sort=foo', 'code=a&_count=1&_count=2', '_page=x'])
      t.equal((await send('GET', `Observation/$explain?${query}`)).status, 400, query);
    t.equal((await send('GET', 'Observation/o1/$explain')).status, 404);
    t.equal((await send('GET', 'Nothing/$explain')).status, 404);
  });
});
