import type { Bundle, BundleEntry, DocumentReference } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { startTestServer, type TestServer } from '../http/test-server.ts';

const LIMIT = 1_000_000;
/** Of these, two fit into an answer. */
const DATA = 'QUJD'.repeat(100_000);
const IDS = ['a', 'b', 'c', 'd', 'e'];

const linkOf = ({ link = [] }: Bundle, name: string) => link.find(({ relation }) => relation === name)?.url;
const namesOf = ({ entry = [] }: Bundle): string[] =>
  entry.flatMap(({ resource }) =>
    resource === undefined || resource.resourceType === 'OperationOutcome'
      ? []
      : [`${resource.resourceType}/${resource.id}`],
  );
const outcomeText = ({ entry = [] }: Bundle): string =>
  entry
    .flatMap(({ resource }) => (resource?.resourceType === 'OperationOutcome' ? resource.issue : []))
    .map(({ code, diagnostics }) => `${code}: ${diagnostics}`)
    .join();

const startLimited = (t: Test, environment: Readonly<Record<string, string>> = {}): Promise<TestServer> =>
  startTestServer(t, { CONSILIUM_ANSWER_MEGABYTES: '1', ...environment });

const put = async (t: Test, { send }: TestServer, path: string, body: object): Promise<void> => {
  const [resourceType, id] = path.split('/');
  const answer = await send('PUT', path, { body: { resourceType, id, ...body } });
  t.match(answer.status, /^20[01]$/, answer.status >= 400 ? answer.text : path);
};

const putBinaries = async (t: Test, server: TestServer): Promise<void> => {
  for (const id of IDS) await put(t, server, `Binary/${id}`, { contentType: 'text/plain', data: DATA });
};

/** A patient, and large documents about that patient. */
const putDocuments = async (t: Test, server: TestServer): Promise<void> => {
  await put(t, server, 'Patient/p', {});
  const document: Omit<DocumentReference, 'resourceType'> = {
    status: 'current',
    subject: { reference: 'Patient/p' },
    meta: { tag: [{ system: 'urn:t', code: 'large' }] },
    content: [{ attachment: { contentType: 'text/plain', data: DATA } }],
  };
  for (const id of IDS) await put(t, server, `DocumentReference/${id}`, document);
};

const allPages = async (t: Test, { send }: TestServer, path: string): Promise<Bundle[]> => {
  const pages: Bundle[] = [];
  for (let next: string | undefined = path; next !== undefined; next = linkOf(pages.at(-1) as Bundle, 'next')) {
    const answer = await send('GET', next);
    t.equal(answer.status, 200, path);
    t.ok(answer.text.length < LIMIT + 10_000, 'within the limit');
    pages.push(answer.json<Bundle>());
  }
  return pages;
};

const sendBundle = async (
  { send }: TestServer,
  type: 'batch' | 'transaction',
  requests: readonly (readonly [method: string, url: string, resource?: object])[],
) => {
  const entry = requests.map(([method, url, resource]) => ({
    ...(resource === undefined ? {} : { resource }),
    request: { method, url },
  }));
  const answer = await send('POST', '', { body: { resourceType: 'Bundle', type, entry } });
  return { answer, entries: answer.json<Bundle>().entry ?? [] };
};

const statusesOf = (entries: readonly BundleEntry[]): (string | undefined)[] =>
  entries.map(({ response }) => response?.status?.slice(0, 3));

test('A page of a search ends early where its resources are too large together', async (t) => {
  const server = await startLimited(t);
  await putBinaries(t, server);
  for (const query of [
    'Binary?_count=20',
    'Binary?_sort=-_lastUpdated',
    '?_type=Binary,Patient',
    'Binary?_elements=id',
  ]) {
    const pages = await allPages(t, server, query);
    t.same(
      pages.map(({ entry = [] }) => entry.length),
      [2, 2, 1],
      query,
    );
    t.same(
      pages.flatMap(namesOf).sort(),
      IDS.map((id) => `Binary/${id}`),
    );
    const previous = await server.send('GET', linkOf(pages[2] as Bundle, 'previous') as string);
    t.same(namesOf(previous.json<Bundle>()), namesOf(pages[1] as Bundle));
  }
});

test('A page of a history ends early where its versions are too large together', async (t) => {
  const server = await startLimited(t);
  for (const contentType of ['text/plain', 'text/csv', 'text/html', 'text/xml', 'text/css'])
    await put(t, server, 'Binary/a', { contentType, data: DATA });
  for (const path of ['Binary/a/_history', 'Binary/_history', '_history?_since=2020-01-01']) {
    const pages = await allPages(t, server, path);
    const versions = pages.flatMap(({ entry = [] }) => entry.filter(({ fullUrl }) => fullUrl?.endsWith('/Binary/a')));
    t.same(
      versions.map(({ response }) => response?.etag),
      [5, 4, 3, 2, 1].map((version) => `W/"${version}"`),
      path,
    );
    t.ok(pages.length >= 3);
  }
});

test('What is included is cut where it is too large, and the answer names the limit', async (t) => {
  const server = await startLimited(t);
  await putDocuments(t, server);
  const [page, ...others] = await allPages(t, server, 'Patient?_revinclude=DocumentReference:patient');
  t.same(others, []);
  t.equal(namesOf(page as Bundle).filter((name) => name.startsWith('DocumentReference/')).length, 2);
  t.match(outcomeText(page as Bundle), /^too-costly: .*1 MB \(CONSILIUM_ANSWER_MEGABYTES\)/);
  const pages = await allPages(t, server, 'DocumentReference?_include=DocumentReference:patient');
  t.same(
    pages.map(namesOf).map((names) => names.at(-1)),
    IDS.map(() => 'Patient/p'),
    'half is kept for what is included',
  );
  t.same(
    pages.map(outcomeText),
    IDS.map(() => ''),
  );
});

test('A batch answers the reads that fit, and refuses the others', async (t) => {
  const server = await startLimited(t);
  await putBinaries(t, server);
  await put(t, server, 'Patient/p', {});
  const reads = Array.from({ length: 12 }, (_, at) => ['GET', `Binary/${IDS[at % IDS.length]}`] as const);
  const { answer, entries } = await sendBundle(server, 'batch', [
    ['GET', 'Patient/p'],
    ['HEAD', 'Binary/a'],
    ...reads,
    ['GET', 'Binary?_count=20'],
    ['POST', 'Binary/_search'],
    ['PUT', 'Patient/new', { resourceType: 'Patient', id: 'new' }],
  ]);
  t.equal(answer.status, 200);
  t.ok(answer.text.length < LIMIT + 20_000);
  t.same(statusesOf(entries.slice(0, 2)), ['200', '200']);
  // Two run at a time: which of them is done first is the store's affair.
  const contents = entries.slice(2, -1);
  const isAnswered = ({ response }: (typeof entries)[number]): boolean => response?.status?.startsWith('200') ?? false;
  t.equal(contents.filter(isAnswered).length, 2);
  for (const { resource, response } of contents.filter((entry) => !isAnswered(entry))) {
    t.match(response, { status: /^422/, outcome: { issue: [{ code: 'too-costly' }] } });
    t.match(JSON.stringify(response?.outcome), /CONSILIUM_ANSWER_MEGABYTES/);
    t.equal(resource, undefined);
  }
  t.match(entries.at(-1)?.response, { status: /^201/ }, 'what writes is carried out');
  t.equal((await server.send('GET', 'Patient/new')).status, 200);
});

test('One read that does not fit leaves room for others', async (t) => {
  const server = await startLimited(t);
  await put(t, server, 'Binary/large', { contentType: 'text/plain', data: DATA.repeat(3) });
  await putBinaries(t, server);
  const { entries } = await sendBundle(server, 'batch', [
    ['GET', 'Binary/large'],
    ['GET', 'Binary/a'],
  ]);
  t.same(statusesOf(entries), ['422', '200']);
  t.equal((await server.send('GET', 'Binary/large')).status, 200, 'alone it is answered');
  t.same((await allNames(t, server)).length, 6);
});

/** All binaries, of which one alone is larger than an answer may be. */
const allNames = async (t: Test, { send }: TestServer): Promise<string[]> => {
  const names: string[] = [];
  for (let next: string | undefined = 'Binary'; next !== undefined; ) {
    const bundle: Bundle = (await send('GET', next)).json<Bundle>();
    t.ok(namesOf(bundle).length > 0, 'a page has one resource at least');
    names.push(...namesOf(bundle));
    next = linkOf(bundle, 'next');
  }
  return names;
};

test('What a batch or transaction writes is left out of the answer where it does not fit, and is written', async (t) => {
  const server = await startLimited(t);
  const writes = IDS.map((id) => {
    const resource = { resourceType: 'Binary', id, contentType: 'text/plain', data: DATA };
    return ['PUT', `Binary/${id}`, resource] as const;
  });
  for (const [type, status] of [
    ['batch', '201'],
    ['transaction', '200'],
  ] as const) {
    const { answer, entries } = await sendBundle(server, type, writes);
    t.equal(answer.status, 200);
    t.ok(answer.text.length < LIMIT + 10_000);
    t.same(
      statusesOf(entries),
      IDS.map(() => status),
    );
    t.ok(entries.every(({ response }) => response?.etag === 'W/"1"' && response.location !== undefined));
    const shown = entries.filter(({ resource }) => resource !== undefined);
    const others = entries.filter(({ resource }) => resource === undefined);
    t.equal(shown.length, 2);
    for (const { response } of others)
      t.match(JSON.stringify(response?.outcome), /carried out.*CONSILIUM_ANSWER_MEGABYTES/);
  }
  t.equal(await server.count('Binary'), IDS.length);
});

test('A transaction whose reads do not fit is refused whole', async (t) => {
  const server = await startLimited(t);
  await putBinaries(t, server);
  const patient = ['PUT', 'Patient/new', { resourceType: 'Patient', id: 'new' }] as const;
  const refused = await sendBundle(server, 'transaction', [
    patient,
    ...IDS.map((id) => ['GET', `Binary/${id}`] as const),
  ]);
  t.equal(refused.answer.status, 422);
  t.match(refused.answer.diagnostics, /Entry 3 .*CONSILIUM_ANSWER_MEGABYTES/);
  t.equal((await server.send('GET', 'Patient/new')).status, 404);
  const large = { resourceType: 'Binary', id: 'new', contentType: 'text/plain', data: DATA };
  const { answer, entries } = await sendBundle(server, 'transaction', [
    ['PUT', 'Binary/new', large],
    ['GET', 'Binary/a'],
    ['GET', 'Binary/b'],
  ]);
  t.equal(answer.status, 200);
  t.same(statusesOf(entries), ['201', '200', '200']);
  t.same(
    entries.map(({ resource }) => resource?.id),
    [undefined, 'a', 'b'],
    'reads come before what was written',
  );
});

test('Operations that answer all at once are refused where that is too large', async (t) => {
  const server = await startLimited(t);
  await putDocuments(t, server);
  const author = [{ reference: 'Patient/p' }];
  const section = IDS.map((id) => ({ title: id, entry: [{ reference: `DocumentReference/${id}` }] }));
  const composition = { status: 'final', type: { text: 'x' }, date: '2024-01-01', author, title: 'x', section };
  await put(t, server, 'Composition/c', composition);
  for (const path of ['DocumentReference/$docref?patient=p', 'DocumentReference/$meta', 'Composition/c/$document']) {
    const answer = await server.send('GET', path);
    t.equal(answer.status, 422, path);
    t.match(answer.outcome.issue, [{ code: 'too-costly', diagnostics: /1 MB \(CONSILIUM_ANSWER_MEGABYTES\)/ }]);
  }
});

test('$everything comes in pages of that size', async (t) => {
  const server = await startLimited(t);
  await putDocuments(t, server);
  const pages = await allPages(t, server, 'Patient/p/$everything');
  t.same(pages.flatMap(namesOf).sort(), [...IDS.map((id) => `DocumentReference/${id}`), 'Patient/p']);
  t.ok(pages.length >= 3);
});

test('$everything passes over pages that have nothing to show', async (t) => {
  const server = await startLimited(t);
  await put(t, server, 'Practitioner/doctor', {});
  for (let at = 0; at < 30; at++) {
    const performer = at === 20 ? { performer: [{ reference: 'Practitioner/doctor' }] } : {};
    const observation = { status: 'final', code: { text: 'x' }, subject: { reference: 'Patient/p' }, ...performer };
    await put(t, server, `Observation/o${at}`, observation);
  }
  const pages = await allPages(t, server, 'Patient/$everything?_type=Practitioner&_count=3');
  t.same(pages.map(namesOf), [['Practitioner/doctor'], []]);
});

test('A conditional delete of many large resources deletes them all', async (t) => {
  const server = await startLimited(t, { CONSILIUM_CONDITIONAL_DELETE: 'multiple' });
  await putDocuments(t, server);
  t.equal((await server.send('DELETE', 'DocumentReference?patient=p')).status, 204);
  t.equal(await server.count('DocumentReference'), 0);
});
