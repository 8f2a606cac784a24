import type { CapabilityStatement } from '@medplum/fhirtypes';
import { Validator } from '@seriousme/openapi-schema-validator';
import { test } from 'tap';
import { ROUTES } from '../../src/interactions/route.ts';
import { OPERATIONS } from '../../src/operations/operations.ts';
import { startTestServer } from '../http/test-server.ts';

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly $ref?: string; readonly name?: string; readonly in?: string }[];
  readonly responses: Readonly<Record<string, { readonly $ref: string }>>;
}

interface OpenApi {
  readonly openapi: string;
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const EXAMPLES: Readonly<Record<string, string>> = {
  type: 'Basic',
  id: 'no-such-id',
  version: '1',
  compartment: 'Patient',
  member: 'Observation',
};
const exampleOf = (path: string): string => path.replace(/\{(\w+)\}/g, (_, name: string) => EXAMPLES[name] ?? '');

/** What a 404 says if there is no such path, and not only no such resource. */
const NO_ROUTE = /There is nothing|has no resource type|There is no operation|is not an id/;

test('/openapi.json is true', async (t) => {
  const { origin, baseUrl, send } = await startTestServer(t);
  const answer = await send('GET', `${origin}/openapi.json`);
  const document = answer.json<OpenApi>();
  const paths = Object.entries(document.paths);
  const statement = (await send('GET', 'metadata')).json<CapabilityStatement>();
  const types = (statement.rest?.[0]?.resource ?? []).map(({ type }) => type as string);

  t.test('it is valid OpenAPI 3.1, not too large, and the CapabilityStatement leads to it', async (t) => {
    t.equal(answer.status, 200);
    t.match(answer.headers.get('content-type'), /^application\/json/);
    t.match(document.openapi, /^3\.1\./);
    t.ok(answer.text.length < 2_000_000, `${answer.text.length} characters`);
    const { valid, errors } = await new Validator().validate(JSON.parse(answer.text));
    t.ok(valid, JSON.stringify(errors ?? ''));
    t.same(document.servers, [{ url: origin }]);
    t.match(statement.rest?.[0]?.documentation, `${origin}/openapi.json`);
  });

  t.test('all that it refers to is there, and each call has a name of its own', async (t) => {
    const root = JSON.parse(answer.text) as Record<string, unknown>;
    const at = (ref: string): unknown =>
      ref
        .slice(2)
        .split('/')
        .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], root);
    const refs = new Set([...answer.text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref = '']) => ref));
    t.same(
      [...refs].filter((ref) => !ref.startsWith('#/') || at(ref) === undefined),
      [],
    );
    const ids = paths.flatMap(([, item]) => Object.values(item).map(({ operationId }) => operationId));
    t.equal(new Set(ids).size, ids.length);
  });

  t.test('each parameter of a path is described', async (t) => {
    for (const [path, item] of paths)
      for (const { operationId, parameters = [] } of Object.values(item)) {
        const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => `#/components/parameters/${name}`);
        const given = parameters.map(({ $ref }) => $ref);
        t.same(
          wanted.filter((ref) => !given.includes(ref)),
          [],
          operationId,
        );
        t.same(new Set(parameters.map((parameter) => JSON.stringify(parameter))).size, parameters.length, operationId);
      }
  });

  t.test('every path and method in it is answered', async (t) => {
    const calls = paths.flatMap(([path, item]) => Object.keys(item).map((method) => ({ path, method })));
    t.ok(calls.length > 800, `${calls.length} calls`);
    for (const { path, method } of calls) {
      const { status, text } = await send(method.toUpperCase(), `${origin}${exampleOf(path)}`);
      t.ok(status < 500 && status !== 405, `${method} ${path}: ${status}`);
      t.notOk(status === 404 && NO_ROUTE.test(text), `${method} ${path}: ${text}`);
    }
  });

  t.test('every method that it does not name is refused', async (t) => {
    const ofType = new RegExp(`^/fhir/(${types.filter((type) => type !== 'Patient').join('|')})\\b`);
    for (const [path, item] of paths.filter(([path]) => !ofType.test(path)))
      for (const method of METHODS.filter((name) => !(name in item))) {
        const { status, text } = await send(method.toUpperCase(), `${origin}${exampleOf(path)}`);
        const isRefused = status === 405 || (status === 404 && NO_ROUTE.test(text));
        t.ok(isRefused, `${method} ${path}: ${status}`);
      }
  });

  t.test('it names every route of the dispatch, for every type', async (t) => {
    for (const { path, methods } of ROUTES) {
      const isOfType = path === '{type}' || path === '{type}/_search';
      const places = isOfType ? types.map((type) => path.replace('{type}', type)) : [path];
      for (const place of places) {
        const item = document.paths[place === '' ? '/fhir' : `/fhir/${place}`] ?? {};
        t.same(Object.keys(item).sort(), methods.map((method) => method.toLowerCase()).sort(), place);
      }
    }
  });

  t.test('it names every operation, at each of its levels', async (t) => {
    for (const { name, levels, types: owners = ['{type}'], methods } of OPERATIONS)
      for (const level of levels)
        for (const owner of owners) {
          const prefix = { system: '', type: `${owner}/`, instance: `${owner}/{id}/` }[level];
          const item = document.paths[`/fhir/${prefix}$${name}`] ?? {};
          t.same(Object.keys(item).sort(), methods.map((method) => method.toLowerCase()).sort(), `${prefix}$${name}`);
        }
  });

  t.test('a search of a type has the parameters that the CapabilityStatement lists', async (t) => {
    for (const { type = '', searchParam = [] } of statement.rest?.[0]?.resource ?? []) {
      const parameters = document.paths[`/fhir/${type}`]?.['get']?.parameters ?? [];
      // `_has` always has a type and a parameter in its name.
      const expected = searchParam.map(({ name }) => name).filter((name) => name !== '_has');
      t.same(
        parameters.flatMap(({ name }) => (name === undefined ? [] : [name])).sort(),
        expected.sort(),
        type as string,
      );
    }
  });

  t.test('what it says of errors holds: an OperationOutcome', async (t) => {
    for (const [method, path] of [
      ['GET', 'Patient?colour=red'],
      ['GET', 'Patient/no-such-id'],
      ['POST', 'Patient'],
    ] as const)
      t.equal((await send(method, path)).outcome.resourceType, 'OperationOutcome', path);
    t.equal((await send('POST', `${origin}/openapi.json`)).status, 404);
    t.equal(baseUrl, `${document.servers[0]?.url}/fhir`);
  });
});

test('/openapi.json names the server as the client of a trusted proxy knows it', async (t) => {
  const { origin, send } = await startTestServer(t, { CONSILIUM_TRUSTED_PROXIES: '127.0.0.1' });
  const headers = { forwarded: 'proto=https;host=fhir.example.org', 'x-forwarded-prefix': '/second-opinion' };
  const { servers } = (await send('GET', `${origin}/openapi.json`, { headers })).json<OpenApi>();
  t.same(servers, [{ url: 'https://fhir.example.org/second-opinion' }]);
});
