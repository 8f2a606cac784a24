import type { CapabilityStatement, CapabilityStatementRestResource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { readDefinitions } from '../../src/definitions/read-definitions.ts';
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

  t.test('it breaks no rule of R4, not even an invariant', async (t) => {
    const { outcome } = await send('POST', 'CapabilityStatement/$validate', { body: statement });
    t.same(
      outcome.issue.filter(({ severity }) => severity !== 'information'),
      [],
    );
  });

  t.test('it claims nothing beyond: no guide, no messages, no documents, no sign-in', async (t) => {
    t.same(
      ['instantiates', 'implementationGuide', 'messaging', 'document'].filter((name) => name in statement),
      [],
    );
    t.same(Object.keys(rest?.security ?? {}), ['description']);
    t.match(rest?.security?.description, /no sign-in/);
    t.equal((await send('GET', 'Patient?_count=1')).status, 200, 'nobody has signed in');
  });

  t.test('it is the answer in each mode of R4, and another mode is refused', async (t) => {
    for (const mode of ['full', 'normative', 'terminology'])
      t.same((await send('GET', `metadata?mode=${mode}`)).json(), statement, mode);
    const { status, diagnostics } = await send('GET', 'metadata?mode=half');
    t.equal(status, 400);
    t.match(diagnostics, /mode: 'half'/);
  });

  t.test('the formats that it names are answered and read, and others are not', async (t) => {
    for (const format of statement.format ?? []) {
      t.equal((await send('GET', `Patient?_format=${encodeURIComponent(format)}`)).status, 200, format);
      if (!format.includes('/')) continue;
      const body = JSON.stringify({ resourceType: 'Basic', code: { text: 'x' } });
      t.equal((await send('GET', 'Patient', { headers: { accept: format } })).status, 200, format);
      t.equal((await send('POST', 'Basic', { body, headers: { 'content-type': format } })).status, 201, format);
    }
    for (const format of ['xml', 'application/fhir+xml', 'ttl', 'text/turtle', 'application/x-ndjson']) {
      t.equal((await send('GET', `Patient?_format=${encodeURIComponent(format)}`)).status, 406, format);
      const sent = await send('POST', 'Basic', { body: 'x', headers: { 'content-type': format } });
      t.equal(sent.status, 415, format);
    }
  });

  t.test('the formats of patches that it names are read, and others are not', async (t) => {
    const { id } = await send('POST', 'Basic', { body: { resourceType: 'Basic', code: { text: 'x' } } }).then(
      (answer) => answer.json<{ id: string }>(),
    );
    const value = { name: 'value', valueString: 'y' };
    const part = [{ name: 'type', valueCode: 'replace' }, { name: 'path', valueString: 'Basic.code.text' }, value];
    const patches: Readonly<Record<string, unknown>> = {
      'application/json-patch+json': [{ op: 'replace', path: '/code/text', value: 'z' }],
      'application/fhir+json': { resourceType: 'Parameters', parameter: [{ name: 'operation', part }] },
    };
    t.same(statement.patchFormat, Object.keys(patches));
    for (const [format, patch] of Object.entries(patches)) {
      const headers = { 'content-type': format };
      t.equal((await send('PATCH', `Basic/${id}`, { body: JSON.stringify(patch), headers })).status, 200, format);
    }
    const headers = { 'content-type': 'application/merge-patch+json' };
    t.equal((await send('PATCH', `Basic/${id}`, { body: '{}', headers })).status, 415);
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
      referencePolicy: ['literal', 'logical'],
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

  t.test('the parameters that it lists for all types are accepted by a search of several types', async (t) => {
    const values: Readonly<Record<string, string>> = {
      _type: 'Patient,Observation',
      _count: '1',
      _sort: '_lastUpdated',
      _total: 'accurate',
      _summary: 'data',
      _elements: 'id',
      _include: '*',
      _revinclude: 'Provenance:target',
    };
    const names = (rest?.searchParam ?? []).map(({ name }) => name);
    t.ok(Object.keys(values).every((name) => names.includes(name)));
    t.equal(new Set(names).size, names.length);
    for (const { name, type } of rest?.searchParam ?? []) {
      const key = name === '_has' ? '_has:Observation:subject:code' : name;
      const query = `${encodeURIComponent(key)}=${encodeURIComponent(values[name] ?? valueFor(name, type))}`;
      t.equal((await send('GET', `?_type=Patient&${query}`.replace('_type=Patient&_type', '_type'))).status, 200, name);
      if (name !== '_type') t.equal((await send('GET', `Patient?${query}`)).status, 200, name);
    }
    for (const name of ['_filter', '_query', '_contained', '_containedType']) {
      t.notOk(names.includes(name), name);
      t.equal((await send('GET', `Patient?${name}=x`)).status, 400, name);
    }
  });

  t.test('a parameter has the definition that R4 gives it, and no other', async (t) => {
    const known = new Set(
      readDefinitions('search-parameters.json').map((resource) => (resource as { url?: string }).url),
    );
    const all = [...(rest?.searchParam ?? []), ...resources.flatMap(parametersOf)];
    t.same(
      all.filter(({ definition }) => definition !== undefined && !known.has(definition)),
      [],
    );
    const without = new Set(all.filter(({ definition }) => definition === undefined).map(({ name }) => name));
    const inProse = [
      '_count',
      '_elements',
      '_has',
      '_include',
      '_list',
      '_revinclude',
      '_sort',
      '_summary',
      '_total',
      '_type',
    ];
    t.same([...without].sort(), inProse);
  });

  t.test('the compartments that it names are searched, and there are no others', async (t) => {
    const names = (rest?.compartment ?? []).map((url) => url.replace('http://hl7.org/fhir/CompartmentDefinition/', ''));
    t.same(names.sort(), ['device', 'encounter', 'patient', 'practitioner', 'relatedperson']);
    for (const { type = '' } of resources) {
      const { status } = await send('GET', `${type}/x/*?_summary=count`);
      t.equal(status, names.includes(type.toLowerCase()) ? 200 : 404, type as string);
    }
  });

  t.test('a type has the operations that it lists, and no others', async (t) => {
    const listed = resources.flatMap(({ operation = [] }) => operation.map(({ name }) => name));
    const names = [...new Set([...listed, ...(rest?.operation ?? []).map(({ name }) => name)])];
    const isThere = async (path: string): Promise<boolean> => {
      const { status, text } = await send('GET', path);
      return !(status === 404 && text.includes('There is no operation'));
    };
    for (const name of names) {
      const ofSystem = (rest?.operation ?? []).some((operation) => operation.name === name);
      t.equal(await isThere(`$${name}`), ofSystem, name);
      for (const { type, operation = [] } of resources) {
        if (!['Patient', 'Observation', 'DocumentReference', 'Composition', 'Basic'].includes(type ?? '')) continue;
        const found = (await isThere(`${type}/$${name}`)) || (await isThere(`${type}/x/$${name}`));
        const isListed = operation.some((item) => item.name === name);
        t.equal(found, isListed, `${type}/$${name}`);
      }
    }
  });
});

test('The CapabilityStatement tells what the configuration decides', async (t) => {
  const environment = { CONSILIUM_CONDITIONAL_DELETE: 'multiple', CONSILIUM_REFERENCES: 'refuse' };
  const { send, create } = await startTestServer(t, environment);
  const { rest } = (await send('GET', 'metadata')).json<CapabilityStatement>();
  for (const { type, conditionalDelete, referencePolicy } of rest?.[0]?.resource ?? [])
    t.same([conditionalDelete, referencePolicy], ['multiple', ['literal', 'logical', 'enforced']], type as string);

  await create({ resourceType: 'Basic', code: { text: 'x' } });
  await create({ resourceType: 'Basic', code: { text: 'x' } });
  t.equal((await send('DELETE', 'Basic?_lastUpdated=gt2020')).status, 204, 'several are deleted');

  const code = { text: 'x' };
  const dangling = { resourceType: 'Basic', code, subject: { reference: 'Patient/not-there' } };
  t.equal((await send('POST', 'Basic', { body: dangling })).status, 422, 'a reference must lead to something');
  const { id } = await create({ resourceType: 'Patient' });
  await create({ resourceType: 'Basic', code, subject: { reference: `Patient/${id}` } });
  t.equal((await send('DELETE', `Patient/${id}`)).status, 409, 'what is referred to stays');
  const identifier = { system: 'http://example.org/patients', value: '1' };
  await create({ resourceType: 'Basic', code, subject: { identifier } });
});
