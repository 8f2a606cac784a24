/** Many conditions of one transaction: each finds what its sender may see, and nothing else. */
import type { Bundle, BundleEntry } from '@medplum/fhirtypes';
import { test } from 'tap';
import { parseCriteria } from '../../src/interactions/parse-request.ts';
import { actorWith, patients, sources, startAccessServer } from './access-server.ts';
import { observation, recordOf } from './records.ts';

const letters = ['a', 'b'] as const;

test('What is hidden is not found by any of the conditions of a transaction', async (t) => {
  const { server, send, put } = await startAccessServer(t);
  await put('Organization/a', ...recordOf('a'));
  await put('Organization/b', ...recordOf('b'));
  const actors = {
    'of a patient': actorWith('patient/*.cruds', { patient: 'pat-a' }),
    'who reaches a patient': actorWith('user/*.cruds', { reach: patients('pat-a'), role: 'patient' }),
    'of a hospital': actorWith('system/*.cruds', { reach: sources('Organization/a'), organization: 'Organization/a' }),
  };
  const codes = ['lab-a', 'lab-b', 'vital-a', 'vital-b', 'none'];
  const entry = codes.map(
    (code): BundleEntry => ({
      resource: { ...observation(code, 'pat-a', 'x'), id: undefined } as never,
      request: { method: 'POST', url: 'Observation', ifNoneExist: `code=urn:codes|${code}` },
    }),
  );
  for (const [name, actor] of Object.entries(actors)) {
    const bundle = { resourceType: 'Bundle', type: 'transaction', entry };
    const answer = await send(actor, 'POST', '', { body: bundle });
    t.equal(answer.status, 200, `${name}: ${answer.text}`);
    const found = answer.json<Bundle>().entry?.map(({ response }) => response?.status);
    // What the first has made, the second finds; it is not of the hospital of the third.
    const hidden = name === 'who reaches a patient' ? '200 OK' : '201 Created';
    t.same(found, ['200 OK', hidden, '200 OK', hidden, hidden], name);

    const refer = (letter: string): BundleEntry => ({
      resource: {
        ...observation('x', 'pat-a', 'x'),
        id: undefined,
        subject: { reference: `Patient?identifier=urn:mrn|${letter}` },
      } as never,
      request: { method: 'POST', url: 'Observation' },
    });
    const own = await send(actor, 'POST', '', { body: { ...bundle, entry: [refer('a'), refer('a')] } });
    t.equal(own.status, 200, name);
    const other = await send(actor, 'POST', '', { body: { ...bundle, entry: [refer('a'), refer('b'), refer('c')] } });
    t.equal(other.status, 412, name);
    t.match(other.diagnostics, /The reference 'Patient\?identifier=urn:mrn\|b' matches no resource/);
    t.match(other.json(), { issue: [{ expression: [/Bundle\.entry\[1\]/] }] });
  }
  const queries = letters.map((letter) => ({
    ...parseCriteria(server, 'Patient', `identifier=urn:mrn|${letter}`, 'test'),
    count: 2,
  }));
  t.same(await server.store.findEach(queries), [
    [{ type: 'Patient', id: 'pat-a' }],
    [{ type: 'Patient', id: 'pat-b' }],
  ]);
});

test('A condition on a type without a scope is refused at its entry', async (t) => {
  const { send, put } = await startAccessServer(t);
  await put('Organization/a', ...recordOf('a'));
  const actor = actorWith('system/Observation.cruds system/Patient.rs');
  const post = (reference: string): BundleEntry => ({
    resource: { ...observation('x', 'pat-a', 'x'), id: undefined, performer: [{ reference }] } as never,
    request: { method: 'POST', url: 'Observation', ifNoneExist: `code=urn:codes|${reference.length}` },
  });
  const entry = [post('Patient?identifier=urn:mrn|a'), post('Practitioner?family=Performera'), post('Organization/x')];
  const answer = await send(actor, 'POST', '', { body: { resourceType: 'Bundle', type: 'transaction', entry } });
  t.equal(answer.status, 403, answer.text);
  t.match(answer.diagnostics, /Practitioner/);
  t.match(answer.json(), { issue: [{ expression: [/Bundle\.entry\[1\]/] }] });
});
