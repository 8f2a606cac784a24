import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { test } from 'tap';
import { settings } from '../store/contract/run-settings.ts';
import { startTestServer } from './test-server.ts';

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', name), 'utf8'));

const request = fixture('second-opinion-request.json') as Bundle;
const observation = fixture('observation-creatinine.json');
const resources = (request.entry ?? []).map(({ resource }) => resource as unknown);
const bundles = ['batch', 'transaction'].flatMap((type) =>
  [0, 10, 20, 30].map((from) => ({ ...request, type, entry: request.entry?.slice(from, from + 5) })),
);

/** Values that stand in for a node of valid JSON. */
const node = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    {},
    [],
    [null],
    '',
    0,
    -1,
    1e300,
    true,
    'Patient/1',
    'urn:uuid:1',
    'Patient?name=x',
    '#a',
  ),
  fc.constantFrom<unknown>({ resourceType: 'Patient' }, { resourceType: [] }, { url: 'x' }, '9999-99-99', '2020-01-01'),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.jsonValue({ maxDepth: 2 }),
);

type Change = readonly ['drop' | 'replace' | 'insert' | 'repeat', unknown];
const change: fc.Arbitrary<Change> = fc.tuple(fc.constantFrom('drop', 'replace', 'insert', 'repeat'), node);

/** The containers of a value, with the keys in each. */
const places = (value: unknown, found: [container: object, key: string][] = []): [object, string][] => {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, child] of Object.entries(value)) {
    found.push([value, key]);
    places(child, found);
  }
  return found;
};

const applyChange = (root: unknown, [kind, given]: Change, position: number): void => {
  const value = structuredClone(given);
  const all = places(root);
  const place = all[position % Math.max(all.length, 1)];
  if (place === undefined) return;
  const [container, key] = place as [Record<string, unknown>, string];
  const list: unknown[] | undefined = Array.isArray(container) ? container : undefined;
  if (kind === 'replace') container[key] = value;
  else if (kind === 'drop' && list !== undefined) list.splice(Number(key), 1);
  else if (kind === 'drop') delete container[key];
  else if (kind === 'insert' && list === undefined) container[`${key}x`] = value;
  else if (kind === 'repeat' && list === undefined) container[key] = [container[key], container[key]];
  else list?.push(value);
};

const json = fc
  .tuple(
    fc.constantFrom<unknown>(observation, ...resources, ...bundles),
    fc.array(fc.tuple(change, fc.nat(100_000)), { maxLength: 4 }),
    fc.oneof(
      { weight: 6, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.tuple(fc.nat(100_000), fc.string({ unit: 'binary', maxLength: 3 })) },
    ),
  )
  .map(([root, changes, cut]) => {
    const copy = structuredClone(root);
    for (const [each, position] of changes) applyChange(copy, each, position);
    const text = JSON.stringify(copy);
    if (cut === undefined) return text;
    const at = cut[0] % (text.length + 1);
    return text.slice(0, at) + cut[1] + text.slice(at + 1);
  });

const segment = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('Patient', 'Observation', 'Binary', 'Bundle', '1', '_history', '_search', 'metadata'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', '_history/1', '$everything', '..', '%', '%00', '%2F', '__proto__', 'a'.repeat(65)),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }).map(encodeURIComponent) },
);

const parameter = fc.tuple(
  fc.oneof(
    fc.constantFrom(
      '_id',
      '_lastUpdated',
      '_count',
      '_sort',
      '_summary',
      '_format',
      '_page',
      '_has:Observation:subject:code',
    ),
    fc.constantFrom(
      'code',
      'date',
      'subject',
      'patient',
      'patient.name',
      'value-quantity',
      'name',
      'name:exact',
      'url',
    ),
    fc.constantFrom(
      'code:in',
      'subject:Patient',
      'subject:missing',
      'code-value-quantity',
      '_text',
      '_include',
      'birthdate',
    ),
    fc.string({ maxLength: 5 }),
  ),
  fc.oneof(
    fc.constantFrom(
      '',
      '1',
      '-1',
      '5.4',
      '1e400',
      'ge2020',
      'ap2020-01-01',
      '2020-01-01T10:00:00+02:00',
      'Patient/1',
      'a|b|c|d',
    ),
    fc.constantFrom(
      '|',
      '||',
      ',',
      '\\',
      '\\,',
      '$',
      'gt',
      'gt5.4|http://unitsofmeasure.org|mg',
      'x,y',
      '9'.repeat(400),
    ),
    fc.constantFrom('0001', '9999-12-31T23:59:60Z', '0000-01-01', '-_lastUpdated', 'count', 'json', 'true', '0', 'xml'),
    fc.string({ unit: 'binary', maxLength: 10 }).map((text) => text.toWellFormed()),
  ),
);

const query = fc.oneof(
  fc.array(parameter, { maxLength: 3 }).map((pairs) => new URLSearchParams(pairs).toString()),
  fc.constantFrom('%', '%zz=1', '&&&', '=', '?', 'a=b=c', '+', '%00=%00', '_count=%31'),
);

/** Mostly nothing, so that not every request ends at its headers. */
const rarely = (...values: string[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...values) });

const headers = fc
  .record({
    'content-type': rarely('application/json', 'application/x-www-form-urlencoded', 'x'),
    accept: rarely('*/*', 'application/json', 'application/fhir+xml', ';', ',', 'a/b;q', 'application/json;q=x'),
    prefer: rarely('return=minimal', 'return=OperationOutcome', 'return', 'handling=lenient', '=;,', 'return=x'),
    'if-match': rarely('W/"1"', 'W/"x"', '*', '', '"99999999999999999999"'),
    'if-none-exist': rarely('_id=1', '', 'x=y', '%', 'name=a&_count=0', '?_id=1', 'code=|'),
  })
  .map((given) => {
    const chosen = Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined);
    return { 'content-type': 'application/fhir+json', ...Object.fromEntries(chosen) };
  });

test('No request makes the server fail, and every error says why', async (t) => {
  const { send, origin } = await startTestServer(t);
  const patient = { resourceType: 'Patient', id: '1', name: [{ family: 'A' }] };
  await send('PUT', 'Patient/1', { body: patient });

  const anyRequest = fc.record({
    method: fc.constantFrom('GET', 'GET', 'POST', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'),
    path: fc.oneof(
      fc.array(segment, { maxLength: 4 }).map((segments) => segments.join('/')),
      fc.constantFrom('', 'Patient', 'Observation', 'Patient/1', 'Patient/_search'),
    ),
    query: fc.oneof(fc.constant(''), query),
    headers,
    body: fc.oneof(json, query, fc.constant('')),
  });
  /** A resource or Bundle sent to where its kind belongs. */
  const likelyRequest = fc.record({ headers, body: json, query: fc.constant('') }).map((given) => {
    const type = /^\{"resourceType":"([A-Za-z]+)"/.exec(given.body)?.[1] ?? 'Patient';
    return { ...given, method: 'POST', path: type === 'Bundle' ? '' : type };
  });

  const seen = new Map<number, number>();
  const property = fc.asyncProperty(
    fc.oneof(anyRequest, likelyRequest),
    async ({ method, path, query, headers, body }) => {
      const url = query === '' ? path : `${path}?${query}`;
      const hasBody = method !== 'GET' && method !== 'HEAD';
      const answer = await send(method, url, { headers, ...(hasBody ? { body } : {}) });
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      if (answer.status >= 500) throw new Error(`${answer.status} ${answer.text}`);
      if (answer.status < 400 || method === 'HEAD') return;
      const { resourceType, issue } = answer.outcome;
      if (resourceType !== 'OperationOutcome' || issue.length === 0) throw new Error(answer.text);
      if (issue.some(({ diagnostics = '' }) => diagnostics.length < 5)) throw new Error(answer.text);
    },
  );
  await fc.assert(property, settings(t, 500));
  t.comment(JSON.stringify(Object.fromEntries([...seen].sort())));
  t.ok((seen.get(201) ?? 0) + (seen.get(200) ?? 0) > 0, 'some requests are right');
  t.equal((await send('GET', `${origin}/readyz`)).status, 200);
});
