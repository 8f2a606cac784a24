import type { Bundle, Observation, Parameters } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const coded = (...codes: readonly string[]) => ({ coding: codes.map((code) => ({ system: 'urn:s', code })) });
const idsOf = ({ entry = [] }: Bundle) => entry.map(({ resource }) => resource?.id);

test('Observation/$lastn', async (t) => {
  const { send } = await startTestServer(t);
  const put = (id: string, code: Observation['code'], day: string, subject = 'Patient/p') => {
    const category = [{ coding: [{ code: 'vital-signs' }] }];
    const body = { resourceType: 'Observation', id, status: 'final', category, code, subject: { reference: subject } };
    return send('PUT', `Observation/${id}`, { body: { ...body, effectiveDateTime: day } });
  };
  await put('a1', coded('a'), '2024-01-01');
  await put('a2', coded('a'), '2024-01-02');
  await put('a3', coded('a'), '2024-01-03');
  await put('b1', coded('b'), '2024-01-04');
  await put('text1', { text: 'Text' }, '2024-01-05');
  await put('text2', { text: 't e x t' }, '2024-01-06');
  await put('other', coded('a'), '2024-02-01', 'Patient/q');
  const lastn = async (query: string): Promise<Bundle> => {
    const answer = await send('GET', `Observation/$lastn?${query}`);
    t.equal(answer.status, 200, answer.text);
    return answer.json<Bundle>();
  };

  t.test('answers the newest of each code, the newest first; text-only codes by their text', async (t) => {
    const bundle = await lastn('patient=p&category=vital-signs');
    t.equal(bundle.type, 'searchset');
    t.same(idsOf(bundle), ['text2', 'text1', 'b1', 'a3']);
  });

  t.test('with max answers so many of each code, by GET and by POST', async (t) => {
    const ids = ['text2', 'text1', 'b1', 'a3', 'a2'];
    t.same(idsOf(await lastn('subject=Patient/p&category=vital-signs&max=2')), ids);
    const body: Parameters = {
      resourceType: 'Parameters',
      parameter: [
        { name: 'max', valuePositiveInt: 2 },
        { name: 'patient', valueReference: { reference: 'Patient/p' } },
        { name: 'category', valueCoding: { code: 'vital-signs' } },
      ],
    };
    t.same(idsOf((await send('POST', 'Observation/$lastn', { body })).json<Bundle>()), ids);
  });

  t.test('selects by other search parameters', async (t) => {
    t.same(idsOf(await lastn('patient=p&code=a&date=lt2024-01-03')), ['a2']);
    t.notOk('entry' in (await lastn('patient=none&code=a')), 'no match is no error');
  });

  t.test('answers all of the same time as the last one', async (t) => {
    await put('a3-again', coded('a'), '2024-01-03');
    t.same(idsOf(await lastn('patient=p&code=a')).sort(), ['a3', 'a3-again']);
  });

  t.test('takes codes that share a coding, if only through a third, for the same', async (t) => {
    await put('c1', coded('c'), '2023-01-01');
    await put('d1', coded('d'), '2023-01-02');
    t.same(idsOf(await lastn('patient=p&code=c,d')), ['d1', 'c1']);
    await put('cd', coded('d', 'c'), '2022-01-01');
    t.same(idsOf(await lastn('patient=p&code=c,d')), ['d1']);
  });

  t.test('needs a subject and a category or code, and refuses what it does not know', async (t) => {
    const refused = [
      'patient=p',
      'code=a',
      'patient=p&code=a&foo=1',
      'patient=p&code=a&max=0',
      'patient=p&code=a&_sort=date',
    ];
    for (const query of refused) t.equal((await send('GET', `Observation/$lastn?${query}`)).status, 400, query);
  });
});
