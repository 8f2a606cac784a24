import type { Bundle, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const linkOf = ({ link = [] }: Bundle, name: string): string | undefined =>
  link.find(({ relation }) => relation === name)?.url;
const nextOf = (bundle: Bundle): string | undefined => linkOf(bundle, 'next');
const selfOf = (bundle: Bundle): string | undefined => linkOf(bundle, 'self');

test('A history', async (t) => {
  const { baseUrl, send } = await startTestServer(t, { CONSILIUM_SEARCH_MAXIMUM_COUNT: '3' });
  const path = 'Patient/p/_history';
  for (const family of ['A', 'B', 'C'])
    await send('PUT', 'Patient/p', { body: { resourceType: 'Patient', id: 'p', name: [{ family }] } });
  await send('DELETE', 'Patient/p');
  await send('PUT', 'Patient/q', { body: { resourceType: 'Patient', id: 'q' } });
  await send('PUT', 'Patient/p', { body: { resourceType: 'Patient', id: 'p', active: true } });

  t.test('goes from the newest version to the oldest, through all pages', async (t) => {
    const versions: string[] = [];
    let pages = 0;
    for (let url: string | undefined = `${path}?_count=2`; url !== undefined; pages++) {
      const bundle: Bundle = (await send('GET', url)).json<Bundle>();
      t.equal(bundle.type, 'history');
      for (const { response } of bundle.entry ?? []) versions.push(response?.etag ?? '');
      url = nextOf(bundle);
    }
    t.same(versions, ['W/"5"', 'W/"4"', 'W/"3"', 'W/"2"', 'W/"1"']);
    t.equal(pages, 3);
  });

  t.test('tells creates, updates that create, updates and deletions apart', async (t) => {
    const created = await send('POST', 'Patient', { body: { resourceType: 'Patient' } });
    const { id } = created.json<{ id: string }>();
    const exchanges = async (name: string): Promise<string[]> =>
      ((await send('GET', `Patient/${name}/_history?_count=3`)).json<Bundle>().entry ?? []).map(
        ({ request, response }) => `${request?.method} ${request?.url} ${response?.status}`,
      );
    t.same(await exchanges(id), ['POST Patient 201 Created']);
    t.same(await exchanges('q'), ['PUT Patient/q 201 Created']);
    t.same(await exchanges('p'), [
      'PUT Patient/p 201 Created',
      'DELETE Patient/p 204 No Content',
      'PUT Patient/p 200 OK',
    ]);
  });

  t.test('has a request and a response in each entry, and no resource in that of a deletion', async (t) => {
    const first = (await send('GET', path)).json<Bundle>();
    const { entry = [] } = first;
    const [newest, deletion, third] = entry;
    t.match(deletion, { request: { method: 'DELETE', url: 'Patient/p' }, response: { etag: 'W/"4"' } });
    t.equal(deletion?.resource, undefined);
    t.match(third, { request: { method: 'PUT', url: 'Patient/p' }, fullUrl: `${baseUrl}/Patient/p` });
    t.equal(newest?.resource?.meta?.lastUpdated, newest?.response?.lastModified);
    t.ok(entry.every(({ response }) => /^20\d /.test(response?.status ?? '')));
  });

  t.test('tells on every page a safe next _since', async (t) => {
    const first = (await send('GET', '_history?_count=2')).json<Bundle>();
    const instant = first.meta?.lastUpdated ?? '';
    t.ok(instant <= (first.entry?.[0]?.response?.lastModified ?? ''), 'not later than what is there');
    const made = (await send('POST', 'Patient', { body: { resourceType: 'Patient' } })).json<Patient>();
    const second = (await send('GET', nextOf(first) ?? '')).json<Bundle>();
    t.equal(second.meta?.lastUpdated, instant, 'also on the next page, which was read after another write');
    const since = (await send('GET', `_history?_since=${instant}&_count=3`)).json<Bundle>();
    t.ok(since.entry?.some(({ resource }) => resource?.id === made.id));
    const nothing = (await send('GET', 'Patient/p/_history?_since=2999-01-01T00:00:00Z')).json<Bundle>();
    t.ok(Date.parse(nothing.meta?.lastUpdated ?? '') <= Date.now());
  });

  t.test('caps _count and shows the cap in the self link', async (t) => {
    const bundle = (await send('GET', `${path}?_count=1000000`)).json<Bundle>();
    t.equal(bundle.entry?.length, 3);
    t.equal(selfOf(bundle), `${baseUrl}/${path}?_count=3`);
  });

  t.test('pages forward and back, at instance, type and system, and every page names the first', async (t) => {
    const versionsOf = ({ entry = [] }: Bundle) => entry.map(({ fullUrl, response }) => `${fullUrl} ${response?.etag}`);
    for (const scope of [path, 'Patient/_history', '_history']) {
      const first = (await send('GET', `${scope}?_count=2&_since=2020`)).json<Bundle>();
      const pages = [first];
      for (let url = nextOf(first); url !== undefined; url = nextOf(pages.at(-1) as Bundle))
        pages.push((await send('GET', url)).json<Bundle>());
      t.ok(pages.length >= 3, scope);
      t.equal(linkOf(first, 'previous'), undefined);
      for (const page of pages) t.equal(linkOf(page, 'first'), `${baseUrl}/${scope}?_count=2&_since=2020`);
      for (let at = pages.length - 1, page = pages[at] as Bundle; at > 0; at--) {
        page = (await send('GET', linkOf(page, 'previous') ?? '')).json<Bundle>();
        t.same(versionsOf(page), versionsOf(pages[at - 1] as Bundle), `${scope} page ${at}`);
        const forward = (await send('GET', nextOf(page) ?? '')).json<Bundle>();
        t.same(versionsOf(forward), versionsOf(pages[at] as Bundle), `${scope} page ${at}, and forward again`);
      }
    }
  });

  t.test('tells only how many versions there are with _summary=count or _count=0', async (t) => {
    const deleted = { resourceType: 'Patient', id: 'counted' };
    await send('PUT', 'Patient/counted', { body: deleted });
    await send('DELETE', 'Patient/counted');
    for (const query of ['_summary=count', '_count=0', '_summary=count&_since=2020']) {
      const answer = (await send('GET', `Patient/counted/_history?${query}`)).json<Bundle>();
      t.match(answer, { type: 'history', total: 2 }, query);
      t.notOk('entry' in answer);
    }
    const of = async (scope: string) => (await send('GET', `${scope}?_summary=count`)).json<Bundle>().total ?? 0;
    t.ok((await of('Patient/_history')) > 7);
    t.ok((await of('_history')) >= (await of('Patient/_history')));
    t.equal(await of('Observation/_history'), 0);
    t.equal((await send('GET', 'Patient/none/_history?_count=0')).status, 404);
  });

  t.test('is empty with _since in the future, and takes _at', async (t) => {
    for (const scope of [path, 'Patient/_history', '_history']) {
      const later = (await send('GET', `${scope}?_since=2100-01-01T00:00:00Z`)).json<Bundle>();
      t.notOk('entry' in later);
      t.equal((await send('GET', `${scope}?_since=2100-01-01T00:00:00Z&_count=0`)).json<Bundle>().total, 0);
      t.notOk('entry' in (await send('GET', `${scope}?_at=2001`)).json<Bundle>());
    }
    const current = (await send('GET', `${path}?_at=2100`)).json<Bundle>();
    t.match(current.entry, [{ response: { etag: 'W/"5"' } }], 'what is current then');
    t.equal(current.entry?.length, 1);
  });

  t.test('with _since has what was made then or later, at instance, type and system', async (t) => {
    const since = (await send('GET', 'Patient/p/_history/3')).json<Patient>().meta?.lastUpdated ?? '';
    const from = encodeURIComponent(since);
    for (const [scope, least] of [
      [path, 3],
      ['Patient/_history', 4],
      ['_history', 4],
    ] as const) {
      const url = `${scope}?_since=${from}`;
      const { entry = [] } = (await send('GET', url)).json<Bundle>();
      t.ok(
        entry.every(({ response }) => (response?.lastModified ?? '') >= since),
        url,
      );
      t.ok(((await send('GET', `${url}&_count=0`)).json<Bundle>().total ?? 0) >= least, url);
    }
    const { total } = (await send('GET', `${path}?_since=${from}&_count=0`)).json<Bundle>();
    t.ok(total === 3 || since === (await send('GET', 'Patient/p/_history/2')).json<Patient>().meta?.lastUpdated);
  });

  t.test('shows parts with _summary and _elements, tagged SUBSETTED', async (t) => {
    const [newest] = (await send('GET', `${path}?_elements=name`)).json<Bundle>().entry ?? [];
    t.match(newest?.resource, { resourceType: 'Patient', id: 'p', meta: { tag: [{ code: 'SUBSETTED' }] } });
    t.notOk('active' in (newest?.resource ?? {}));
    t.match((await send('GET', `${path}?_summary=text`)).json<Bundle>().entry?.[0]?.resource?.meta?.tag, [{}]);
    t.equal((await send('GET', `${path}?_summary=short`)).status, 400);
  });

  t.test('has no other order and no other filter: _sort, _list and _before are refused with 400', async (t) => {
    for (const query of ['_sort=-_lastUpdated', '_sort=_lastUpdated', '_sort=x', '_list=1', '_before=2100-01-01']) {
      const answer = await send('GET', `${path}?${query}`);
      t.equal(answer.status, 400, query);
      t.match(answer.diagnostics, query.split('=')[0] ?? '');
    }
    const lenient = await send('GET', `${path}?_sort=x&_count=1`, { headers: { prefer: 'handling=lenient' } });
    t.equal(selfOf(lenient.json<Bundle>()), `${baseUrl}/${path}?_count=1`, 'the self link shows what was used');
  });

  t.test('refuses malformed and unknown parameters and changed page links', async (t) => {
    const next = nextOf((await send('GET', `${path}?_count=1`)).json<Bundle>()) ?? '';
    for (const url of [
      `${path}?_count=x`,
      `${path}?_count=-1`,
      `${path}?name=x`,
      `${path}?_count=1&_count=2`,
      `${next}&_page=x`,
      next.replace('_count=1', '_count=2'),
      `${next}x`,
      next.replace('/p/', '/q/'),
    ])
      t.equal((await send('GET', url)).status, 400, url);
  });
});
