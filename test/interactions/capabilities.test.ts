import type { CapabilityStatement, CapabilityStatementRestResource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

/** A value that a parameter of this type can have. */
const VALUES: Readonly<Record<string, string>> = {
  token: 'http://example.org|x',
  string: 'x',
  date: 'ge2020-01',
  number: '5.4',
  quantity: '5.4|http://unitsofmeasure.org|mg',
  reference: 'http://example.org/fhir/Patient/1',
  uri: 'http://example.org/x',
};

const valueFor = (name: string, type: string | undefined): string => {
  const own: Readonly<Record<string, string>> = {
    _id: 'x',
    _list: 'x',
    _has: 'x',
    near: '42.25|-83.69|11|km',
    // The first part of this composite is a reference.
    relationship: 'DocumentReference/1$replaces',
  };
  const composite = /quantity$/.test(name) ? 'x$5.4' : /date$/.test(name) ? 'x$2020' : 'x$x';
  const whole = /coordinate$/.test(name) ? 'x$5$6' : composite;
  return own[name] ?? (type === 'composite' ? whole : (VALUES[type ?? ''] ?? 'x'));
};

test('The CapabilityStatement is true', async (t) => {
  const { baseUrl, send } = await startTestServer(t);
  const answer = await send('GET', 'metadata');
  const statement = answer.json<CapabilityStatement>();
  const [rest] = statement.rest ?? [];
  const resources = rest?.resource ?? [];

  t.test('it is a valid resource of R4 and names this server', async (t) => {
    t.equal(answer.status, 200);
    t.match(statement, { fhirVersion: '4.0.1', kind: 'instance', implementation: { url: baseUrl } });
    t.equal(
      (
        await send('POST', 'CapabilityStatement', {
          body: answer.text,
          headers: { 'content-type': 'application/json' },
        })
      ).status,
      201,
    );
  });

  t.test('the formats that it names are answered', async (t) => {
    for (const format of statement.format ?? [])
      t.equal((await send('GET', `Patient?_format=${encodeURIComponent(format)}`)).status, 200, format);
  });

  t.test('it lists every resource type of R4, and each has the interactions that it names', async (t) => {
    t.equal(resources.length, 146);
    const expected = [
      'create',
      'delete',
      'history-instance',
      'history-type',
      'patch',
      'read',
      'search-type',
      'update',
      'vread',
    ];
    for (const { type, interaction = [] } of resources) {
      t.same(interaction.map(({ code }) => code).sort(), expected, `${type}`);
      const answers = await Promise.all([
        send('GET', `${type}/x`),
        send('GET', `${type}/x/_history/1`),
        send('GET', `${type}/x/_history`),
        send('GET', `${type}/_history?_count=1`),
        send('GET', `${type}?_summary=count`),
        send('POST', `${type}`, { body: {} }),
        send('PUT', `${type}/x`, { body: {} }),
        send('PATCH', `${type}/x`, { body: [], headers: { 'content-type': 'application/json-patch+json' } }),
        send('DELETE', `${type}/x`),
      ]);
      t.same(
        answers.map(({ status }) => status),
        [404, 404, 404, 200, 200, 400, 400, 404, 204],
        `${type}`,
      );
    }
  });

  const parametersOf = ({ searchParam = [] }: CapabilityStatementRestResource) => searchParam;

  t.test('every search parameter that it lists is accepted with a value of its type', async (t) => {
    const queries = resources.map((resource) => {
      const values = parametersOf(resource).map(({ name, type }) =>
        [name === '_has' ? '_has:Observation:subject:code' : name, valueFor(name, type)]
          .map(encodeURIComponent)
          .join('='),
      );
      return { url: resource.type ?? '', values };
    });
    const entry = queries.flatMap(({ url, values }) =>
      values.map((value) => ({ request: { method: 'GET', url: `${url}?${value}&_summary=count` } })),
    );
    const batch = await send('POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry } });
    const failed = batch
      .json<{ entry: { response: { status: string } }[] }>()
      .entry.flatMap(({ response }, at) => (response.status === '200 OK' ? [] : [entry[at]?.request.url]));
    t.ok(entry.length > 1000);
    t.same(failed, []);
  });

  t.test('a parameter of another type is refused where it is not listed', async (t) => {
    const all = new Map(resources.flatMap(parametersOf).map(({ name, type }) => [name, VALUES[type ?? ''] ?? '']));
    for (const resource of resources.filter(({ type }) => ['Patient', 'Observation', 'Binary'].includes(type ?? ''))) {
      const listed = new Set(parametersOf(resource).map(({ name }) => name));
      const entry = [...all]
        .filter(([name]) => !listed.has(name))
        .map(([name, value]) => ({
          request: { method: 'GET', url: `${resource.type}?${encodeURIComponent(name)}=${encodeURIComponent(value)}` },
        }));
      const batch = await send('POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry } });
      const statuses = batch
        .json<{ entry: { response: { status: string } }[] }>()
        .entry.map(({ response }) => response.status);
      t.ok(entry.length > 100);
      t.same(new Set(statuses), new Set(['400 Bad Request']), `${resource.type}`);
    }
  });

  t.test('what it says of versions, conditions and references holds', async (t) => {
    const said = {
      versioning: 'versioned',
      readHistory: true,
      updateCreate: true,
      conditionalCreate: true,
      conditionalUpdate: true,
      conditionalDelete: 'single',
      conditionalRead: 'full-support',
      referencePolicy: ['literal'],
    };
    for (const resource of resources) t.match(resource, said);
    t.same(rest?.interaction?.map(({ code }) => code).sort(), [
      'batch',
      'history-system',
      'search-system',
      'transaction',
    ]);
    t.equal((await send('PUT', 'Patient?name=x', { body: { resourceType: 'Patient' } })).status, 201);
    t.equal((await send('DELETE', 'Patient?name=x')).status, 204);
    t.equal((await send('GET', '?_type=Patient')).status, 200);
    t.equal((await send('GET', '_history?_count=1')).status, 200);
  });

  t.test('every include that it lists is accepted', async (t) => {
    for (const { type, searchInclude = [], searchRevInclude = [] } of resources) {
      if (!['Patient', 'Observation', 'Practitioner', 'Binary'].includes(type ?? '')) continue;
      const urls = [
        ...searchInclude.map((include) => `${type}?_include=${encodeURIComponent(include)}`),
        ...searchRevInclude.map((include) => `${type}?_revinclude=${encodeURIComponent(include)}`),
      ];
      const entry = urls.map((url) => ({ request: { method: 'GET', url } }));
      const batch = await send('POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry } });
      const statuses = batch
        .json<{ entry: { response: { status: string } }[] }>()
        .entry.map(({ response }) => response.status);
      t.same(new Set(statuses), new Set(['200 OK']), type);
    }
  });
});
