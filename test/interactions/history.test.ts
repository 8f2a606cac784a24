import type { Bundle } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const nextOf = ({ link = [] }: Bundle): string | undefined => link.find(({ relation }) => relation === 'next')?.url;
const selfOf = ({ link = [] }: Bundle): string | undefined => link.find(({ relation }) => relation === 'self')?.url;

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

  t.test('caps _count and shows the cap in the self link', async (t) => {
    const bundle = (await send('GET', `${path}?_count=1000000`)).json<Bundle>();
    t.equal(bundle.entry?.length, 3);
    t.equal(selfOf(bundle), `${baseUrl}/${path}?_count=3`);
  });

  t.test('refuses malformed and unknown parameters and changed page links', async (t) => {
    const next = nextOf((await send('GET', `${path}?_count=1`)).json<Bundle>()) ?? '';
    for (const url of [
      `${path}?_count=x`,
      `${path}?_count=-1`,
      `${path}?name=x`,
      `${next}x`,
      next.replace('/p/', '/q/'),
    ])
      t.equal((await send('GET', url)).status, 400, url);
  });
});
