import type { Bundle } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const PATIENTS = 24;
const padded = (at: number): string => String(at).padStart(2, '0');

interface Walk {
  readonly search: string;
  /** Whether the two that were shown last get another family, behind all others, or only another gender. */
  readonly changes: 'family' | 'gender';
}

const WALKS: readonly Walk[] = [
  { search: 'Patient?family=zan', changes: 'family' },
  { search: 'Patient?family=zan&_sort=family', changes: 'family' },
  { search: 'Patient?family=zan&_sort=-family', changes: 'family' },
  { search: 'Patient?_sort=_lastUpdated', changes: 'gender' },
  { search: 'Patient?_sort=birthdate,-family', changes: 'family' },
  { search: 'Patient?active=true', changes: 'family' },
];

test('Matches that change while pages are read', async (t) => {
  for (const { search, changes } of WALKS)
    await t.test(`${search}: none is shown twice, and none that stays as it is is left out`, async (t) => {
      const { send } = await startTestServer(t);
      const put = (at: number, family: string, gender = 'female') =>
        send('PUT', `Patient/p${padded(at)}`, {
          body: {
            ...{ resourceType: 'Patient', id: `p${padded(at)}`, active: true, gender, birthDate: '1970-01-01' },
            name: [{ family }],
          },
        });
      for (let at = 0; at < PATIENTS; at++) await put(at, `Zan${padded(at)}`);
      const shown: string[] = [];
      const changed = new Set<string>();
      let next: string | undefined = `${search}&_count=5`;
      for (let page = 0; next !== undefined && page < 50; page++) {
        const bundle: Bundle = (await send('GET', next)).json<Bundle>();
        const ids = (bundle.entry ?? []).map(({ resource }) => resource?.id ?? '');
        shown.push(...ids);
        for (const id of ids.slice(-2)) {
          const at = Number(id.slice(1));
          if (changes === 'family') await put(at, `${search.includes('-family') ? 'Zan!' : 'Zanz'}${padded(at)}`);
          else await put(at, `Zan${padded(at)}`, page % 2 === 0 ? 'male' : 'other');
          changed.add(id);
        }
        // Something else about one that is still to come.
        const later = Array.from({ length: PATIENTS }, (_, at) => at).find((at) => !shown.includes(`p${padded(at)}`));
        if (later !== undefined && changes === 'family') await put(later, `Zan${padded(later)}`, 'other');
        next = bundle.link?.find(({ relation }) => relation === 'next')?.url;
      }
      t.equal(new Set(shown).size, shown.length, `each once: ${shown}`);
      const all = Array.from({ length: PATIENTS }, (_, at) => `p${padded(at)}`);
      const stays = changes === 'family' ? all : all.filter((id) => !changed.has(id));
      t.same(
        stays.filter((id) => !shown.includes(id)),
        [],
        'none is left out',
      );
    });
});
