import type { Resource, Task } from '@medplum/fhirtypes';
import { test } from 'tap';
import { temporaryFolder } from '../http/test-server.ts';
import { openHeldServer } from './held-server.ts';
import { MAIDEN, patientBorn } from './resources.ts';

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
