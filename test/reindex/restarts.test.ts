import type { Resource, Task } from '@medplum/fhirtypes';
import { test } from 'tap';
import { temporaryFolder } from '../http/test-server.ts';
import { type HeldServer, openHeldServer } from './held-server.ts';
import { ENDLESS, ENDLESS_NAME, MAIDEN, patientBorn } from './resources.ts';

test('parameters of packages are ready at once in a new store, and indexed at the start of one with data', async (t) => {
  const folder = temporaryFolder(t);
  const fresh = await openHeldServer(t, folder, [MAIDEN]);
  t.equal(await fresh.found('Patient?maiden=a'), 0);
  await fresh.send('PUT', 'Patient/a', { ...patientBorn('A'), id: 'a' });
  t.equal(await fresh.found('Patient?maiden=a'), 1);
  await fresh.close();

  const without = await openHeldServer(t, folder, []);
  t.equal((await without.send('GET', 'Patient?maiden=a')).status, 400, 'the package is gone');
  await without.send('PUT', 'Patient/b', { ...patientBorn('A'), id: 'b' });
  await without.close();

  const again = await openHeldServer(t, folder, [MAIDEN]);
  t.equal((await again.send('GET', 'Patient?maiden=a')).status, 503);
  t.match(again.messages, [/^Indexing 2 resources anew: Patient$/]);
  t.equal(await again.finished(), 'completed');
  t.equal(await again.found('Patient?maiden=a'), 2);
  await again.close();

  const same = await openHeldServer(t, folder, [MAIDEN]);
  t.equal(await same.found('Patient?maiden=a'), 2, 'nothing is indexed twice');
  t.same(same.messages, []);
  await same.close();

  const changed = { ...MAIDEN, expression: "Patient.name.where(use='official').family" };
  const other = await openHeldServer(t, folder, [changed]);
  t.equal((await other.send('GET', 'Patient?maiden=a')).status, 503);
  await other.finished();
  t.equal(await other.found('Patient?maiden=official'), 2);
});

test('in another zone dates are indexed anew, as a day is another one there', async (t) => {
  const folder = temporaryFolder(t);
  const inUtc = await openHeldServer(t, folder);
  await inUtc.send('PUT', 'Patient/a', { resourceType: 'Patient', id: 'a', birthDate: '1970-03-04' });
  t.equal(await inUtc.found('Patient?birthdate=1970-03-04'), 1);
  await inUtc.close();
  const eastern = await openHeldServer(t, folder, [], true, { CONSILIUM_SEARCH_ZONE: '+05:30' });
  t.match(eastern.messages, [/^Indexing 1 resources anew/]);
  t.equal(await eastern.finished(), 'completed');
  t.equal(await eastern.found('Patient?birthdate=1970-03-04'), 1);
  t.equal(await eastern.found('Patient?birthdate=sa1970-03-03T23:00:00%2B05:30'), 1);
  await eastern.close();
});

test('what is POSTed and what a package brings live beside each other, over restarts', async (t) => {
  const folder = temporaryFolder(t);
  const given = { ...MAIDEN, id: 'given', url: 'http://x.example/given', code: 'g', expression: 'Patient.name.given' };
  const first = await openHeldServer(t, folder, [given], false);
  await first.send('PUT', 'Patient/a', { ...patientBorn('A'), id: 'a' });
  await first.send('PUT', 'SearchParameter/maiden', MAIDEN);
  await first.send('POST', '$reindex');
  await first.finished();
  // Stored after the job: not in use.
  await first.send('PUT', 'SearchParameter/late', {
    ...MAIDEN,
    id: 'late',
    url: 'http://x.example/l',
    code: 'late',
  } as Resource);
  await first.close();
  const second = await openHeldServer(t, folder, [given]);
  t.equal(await second.found('Patient?maiden=a'), 1);
  t.equal(await second.found('Patient?g:missing=true'), 1);
  t.equal((await second.send('GET', 'Patient?late=a')).status, 400);
  t.match(
    await second.send('PUT', 'SearchParameter/twin', {
      ...given,
      id: 'twin',
      expression: 'Patient.name.family',
    } as Resource),
    {
      status: 201,
    },
  );
  t.match(await second.send('POST', 'SearchParameter/twin/$reindex'), {
    status: 422,
    diagnostics: /came before, and stays/,
  });
});

test('a job that is interrupted goes on where it was', async (t) => {
  const folder = temporaryFolder(t);
  const first = await openHeldServer(t, folder);
  await first.send('PUT', 'Patient/a', { ...patientBorn('A'), id: 'a' });
  await first.send('PUT', 'SearchParameter/maiden', MAIDEN);
  const { id } = (await first.send('POST', '$reindex')).json<Task>();
  await first.held;
  await first.close();
  const second = await openHeldServer(t, folder);
  t.match(second.messages, [/^Going on to index Patient$/]);
  t.equal((await second.send('GET', '$reindex')).json<Task>().id, id);
  await second.finished();
  t.equal(await second.found('Patient?maiden=a'), 1);
});

/** As a process leaves it that was killed at the same place as those before. */
const leaveStuck = async ({ store, held }: HeldServer): Promise<void> => {
  await held;
  const key = 'reindex/progress';
  const record = await store.records.get(key);
  const progress = JSON.parse(record?.value ?? '{}');
  if (progress.starts === undefined) throw new Error('The start was not counted');
  await store.records.put(key, JSON.stringify({ ...progress, starts: 5 }), { revision: record?.revision ?? 0 });
};

test('a job that ended five processes at the same place has failed at the next start, and stays so', async (t) => {
  const folder = temporaryFolder(t);
  const first = await openHeldServer(t, folder);
  await first.send('PUT', 'Patient/a', { ...patientBorn('A'), id: 'a' });
  await first.send('PUT', 'SearchParameter/maiden', MAIDEN);
  await first.send('POST', '$reindex');
  await leaveStuck(first);
  await first.close();
  for (let starts = 0; starts < 2; starts++) {
    const next = await openHeldServer(t, folder);
    t.equal(await next.finished(), 'failed');
    const { status, statusReason } = (await next.send('GET', '$reindex')).json<Task>();
    t.equal(status, 'failed');
    t.match(statusReason?.text, /begun 5 times after 0 resources, .*; a new \$reindex tries again$/);
    t.equal((await next.send('GET', 'Patient/a')).status, 200, 'the server answers');
    await next.close();
  }
  const last = await openHeldServer(t, folder);
  await last.finished();
  t.equal((await last.send('POST', '$reindex')).status, 202);
  t.equal(await last.finished(), 'completed');
  t.equal(await last.found('Patient?maiden=a'), 1);
});

test('a job for a parameter that is refused by now goes on without it', async (t) => {
  const folder = temporaryFolder(t);
  const first = await openHeldServer(t, folder);
  await first.send('PUT', 'Patient/a', { ...patientBorn(ENDLESS_NAME), id: 'a' });
  await first.send('PUT', 'SearchParameter/maiden', MAIDEN);
  await first.send('POST', '$reindex');
  await first.held;
  const key = 'reindex/job';
  const record = await first.store.records.get(key);
  const job = JSON.parse(record?.value ?? '{}');
  const posted = [{ source: 'SearchParameter/endless', resource: ENDLESS }];
  await first.store.records.put(key, JSON.stringify({ ...job, posted }), { revision: record?.revision ?? 0 });
  await first.close();
  const second = await openHeldServer(t, folder);
  t.match(second.messages[0], /^SearchParameter\/endless is not used for search: .*matches\(\)/);
  t.equal(await second.finished(), 'completed');
  t.equal((await second.send('GET', 'Patient?endless=a')).status, 400);
});
