import type { Bundle, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const linkOf = ({ link = [] }: Bundle, name: string) => link.find(({ relation }) => relation === name)?.url;
const idsOf = ({ entry = [] }: Bundle): (string | undefined)[] => entry.map(({ resource }) => resource?.id);

test('A search', async (t) => {
  const { baseUrl, send } = await startTestServer(t, { CONSILIUM_SEARCH_MAXIMUM_COUNT: '5' });
  for (let at = 0; at < 12; at++) {
    const family = at % 2 === 0 ? 'Ångström, Ö' : 'Berg';
    const body: Patient = { resourceType: 'Patient', id: `p${at}`, gender: 'female', name: [{ family }] };
    await send('PUT', `Patient/p${at}`, { body });
  }
  const search = async (query: string, headers = {}): Promise<Bundle> =>
    (await send('GET', `Patient?${query}`, { headers })).json<Bundle>();

  t.test('answers a searchset whose entries say where they are and that they match', async (t) => {
    const bundle = await search('_id=p3');
    t.equal(bundle.type, 'searchset');
    t.equal(linkOf(bundle, 'self'), `${baseUrl}/Patient?_id=p3`);
    t.match(bundle.entry, [{ fullUrl: `${baseUrl}/Patient/p3`, search: { mode: 'match' }, resource: { id: 'p3' } }]);
    t.notOk('entry' in (await search('_id=none')), 'R4 has no empty arrays');
  });

  t.test('is the same by POST, with the parameters of url and body together', async (t) => {
    const body = 'name=angstrom&_sort=_id';
    const answer = await send('POST', 'Patient/_search?gender=female', { body, headers: FORM });
    t.equal(answer.status, 200);
    const bundle = answer.json<Bundle>();
    t.same(idsOf(bundle), idsOf(await search('gender=female&name=angstrom&_sort=_id')));
    t.equal(linkOf(bundle, 'self'), `${baseUrl}/Patient?gender=female&name=angstrom&_sort=_id`);
    const none = await send('POST', 'Patient/_search?gender=male', { body, headers: FORM });
    t.same(idsOf(none.json<Bundle>()), []);
    t.equal((await send('POST', 'Patient/_search?_id=p1')).status, 200, 'a body is not necessary');
  });

  t.test('leads through all pages, each match once, also by POST', async (t) => {
    for (const first of [
      await send('GET', 'Patient?gender=female&_count=5'),
      await send('POST', 'Patient/_search', { body: 'gender=female&_count=5', headers: FORM }),
    ]) {
      const ids: (string | undefined)[] = [];
      let page: Bundle | undefined = first.json<Bundle>();
      while (page !== undefined) {
        ids.push(...idsOf(page));
        const next = linkOf(page, 'next');
        page = next === undefined ? undefined : (await send('GET', next)).json<Bundle>();
      }
      t.equal(ids.length, 12);
      t.equal(new Set(ids).size, 12);
    }
  });

  t.test('leads back to the pages before: previous gives the same pages, sorted or not, also by POST', async (t) => {
    for (const query of [
      'gender=female&_count=3',
      'gender=female&_count=3&_sort=name,-_id',
      '_count=4&_sort=-birthdate',
    ])
      for (const first of [
        await send('GET', `Patient?${query}`),
        await send('POST', 'Patient/_search', { body: query, headers: FORM }),
      ]) {
        const pages = [first.json<Bundle>()];
        for (
          let url = linkOf(pages[0] as Bundle, 'next');
          url !== undefined;
          url = linkOf(pages.at(-1) as Bundle, 'next')
        )
          pages.push((await send('GET', url)).json<Bundle>());
        t.ok(pages.length >= 3, query);
        for (const page of pages) t.equal(linkOf(page, 'first'), `${baseUrl}/Patient?${query}`);
        t.equal(linkOf(pages[0] as Bundle, 'previous'), undefined);
        t.equal(linkOf(pages[1] as Bundle, 'previous'), `${baseUrl}/Patient?${query}`);
        for (let at = pages.length - 1, page = pages[at] as Bundle; at > 0; at--) {
          page = (await send('GET', linkOf(page, 'previous') ?? '')).json<Bundle>();
          t.same(idsOf(page), idsOf(pages[at - 1] as Bundle), `${query}, back to page ${at}`);
          const forward = (await send('GET', linkOf(page, 'next') ?? '')).json<Bundle>();
          t.same(idsOf(forward), idsOf(pages[at] as Bundle), `${query}, forward to page ${at + 1}`);
        }
      }
  });

  t.test('has page links that are short enough for a url, however many pages came before', async (t) => {
    let page = await search('_count=1&_sort=name,_id');
    for (let at = 1; at < 12; at++) page = (await send('GET', linkOf(page, 'next') ?? '')).json<Bundle>();
    t.ok(page.link?.every(({ url = '' }) => url.length < 2000));
    for (let at = 1; at < 12; at++) page = (await send('GET', linkOf(page, 'previous') ?? '')).json<Bundle>();
    t.equal(linkOf(page, 'self'), `${baseUrl}/Patient?_count=1&_sort=name,_id`);
  });

  t.test('caps a huge _count and shows the cap in the self link', async (t) => {
    const bundle = await search('_count=99999999999999999999');
    t.equal(bundle.entry?.length, 5);
    t.equal(linkOf(bundle, 'self'), `${baseUrl}/Patient?_count=5`);
  });

  t.test('refuses a changed page link, and that of another search', async (t) => {
    const next = linkOf(await search('gender=female&_count=2'), 'next') ?? '';
    t.equal((await send('GET', next)).status, 200);
    const changed = [
      `${next}x`,
      next.replace('female', 'male'),
      next.replace('_count=2', '_count=3'),
      `${next}&_page=x`,
    ];
    for (const url of [...changed, next.replace(/_page=.*/, '_page='), next.replace(/_page=.*/, '_page=a.b')]) {
      const answer = await send('GET', url);
      t.equal(answer.status, 400, url);
      t.match(answer.diagnostics, /_page/);
    }
  });

  t.test('counts alone with _summary=count, or _count=0', async (t) => {
    for (const query of ['_summary=count', '_count=0', 'name=berg&_summary=count']) {
      const bundle = await search(query);
      t.equal(bundle.total, query.startsWith('name') ? 6 : 12);
      t.notOk('entry' in bundle);
    }
  });

  t.test(
    'refuses what it does not know, unless it is asked to be lenient: then it says what it left out',
    async (t) => {
      const query = 'shoe-size=44&name=berg';
      const strict = await send('GET', `Patient?${query}`);
      t.equal(strict.status, 400);
      t.match(strict.diagnostics, /shoe-size/);
      const lenient = await search(query, { prefer: 'handling=lenient' });
      t.equal(linkOf(lenient, 'self'), `${baseUrl}/Patient?name=berg`);
      const outcome = lenient.entry?.find(({ search }) => search?.mode === 'outcome')?.resource;
      t.match(JSON.stringify(outcome), /shoe-size/);
      t.equal(lenient.entry?.filter(({ search }) => search?.mode === 'match').length, 5);
    },
  );

  t.test('refuses malformed values with a sentence, lenient or not', async (t) => {
    const malformed = [
      'birthdate=2020-13-01',
      'birthdate=yesterday',
      '_lastUpdated=12:00',
      '_count=-1',
      '_count=ten',
      '_sort=near',
      'name=',
      'name=a,,b',
      'general-practitioner=a%20b',
      'name:sounds=x',
      'gender:above=x',
      'name=%zz',
      'name=%ff',
      'name=a%00b',
      '_summary=long',
    ];
    for (const query of malformed) {
      const answer = await send('GET', `Patient?${query}`);
      t.equal(answer.status, 400, query);
      t.ok((answer.outcome.issue[0]?.diagnostics ?? '').length > 10, query);
    }
    t.equal((await send('GET', 'Patient?birthdate=x', { headers: { prefer: 'handling=lenient' } })).status, 400);
    t.equal((await send('POST', 'Patient/_search', { body: 'name=%zz', headers: FORM })).status, 400);
  });

  t.test('can take a query that is longer than a url in the body', async (t) => {
    const ids = Array.from({ length: 150 }, (_, at) => `p${at}-${'x'.repeat(55)}`).join(',');
    const answer = await send('POST', 'Patient/_search', { body: `_id=p1,${ids}`, headers: FORM });
    t.same(idsOf(answer.json<Bundle>()), ['p1']);
  });
});
