import type { Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

test('A query parameter that an interaction does not know is refused, unless the client is lenient', async (t) => {
  const { send, create } = await startTestServer(t);
  const { id } = await create<Patient>({ resourceType: 'Patient', active: true });
  const body = { resourceType: 'Patient', id };
  for (const [method, path, more] of [
    ['GET', `Patient/${id}?_sumary=true`, {}],
    ['GET', `Patient/${id}/_history/1?x=1`, {}],
    ['POST', 'Patient?x=1', { body }],
    ['PUT', `Patient/${id}?x=1`, { body }],
    ['DELETE', `Patient/${id}?x=1`, {}],
    ['POST', '?x=1', { body: { resourceType: 'Bundle', type: 'batch' } }],
    ['GET', 'metadata?x=1', {}],
  ] as const) {
    const answer = await send(method, path, more);
    t.equal(answer.status, 400, `${method} ${path}`);
    t.match(answer.diagnostics, /is no parameter here/);
  }
  t.equal((await send('GET', `Patient/${id}`)).status, 200, 'nothing was deleted');
  const lenient = await send('GET', `Patient/${id}?x=1`, { headers: { prefer: 'handling=lenient' } });
  t.equal(lenient.status, 200);
  t.equal((await send('GET', `Patient/${id}?_summary=true&_pretty=true&_format=json`)).status, 200);
});
