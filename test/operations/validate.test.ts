import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OperationDefinition, OperationOutcome, Parameters, Patient, Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { OPERATIONS } from '../../src/operations/operations.ts';
import { startTestServer } from '../http/test-server.ts';

const PROFILES = join(import.meta.dirname, '..', '..', 'profiles');
const STRUCTURE = 'http://hl7.org/fhir/StructureDefinition';

const text = { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">A</div>' } as const;
const VALID: Patient = { resourceType: 'Patient', id: 'p', text, gender: 'female' };
const parametersOf = (resource: unknown, more: Parameters['parameter'] = []) => ({
  resourceType: 'Parameters',
  parameter: [{ name: 'resource', resource }, ...more],
});

test('$validate', async (t) => {
  const { send } = await startTestServer(t, { CONSILIUM_REFERENCES: 'refuse' });
  await send('PUT', 'Patient/p', { body: VALID });
  const outcomeOf = async (path: string, body: unknown): Promise<OperationOutcome> => {
    const answer = await send('POST', path, { body });
    t.equal(answer.status, 200, answer.text);
    t.equal(answer.outcome.resourceType, 'OperationOutcome');
    return answer.outcome;
  };
  const errorsOf = ({ issue }: OperationOutcome) => issue.filter(({ severity }) => severity === 'error');
  const ALL_OK = [{ severity: 'information', code: 'informational', diagnostics: 'All OK' }];

  t.test('on the type answers 200 and all ok for a valid resource, and stores nothing', async (t) => {
    const { id: _id, ...resource } = VALID;
    t.same((await outcomeOf('Patient/$validate', resource)).issue, ALL_OK);
    t.equal((await send('GET', 'Patient?_summary=count')).json<{ resourceType: 'Bundle'; total: number }>().total, 1);
  });

  t.test('takes the resource in Parameters, on type and instance', async (t) => {
    t.same((await outcomeOf('Patient/$validate', parametersOf(VALID))).issue, ALL_OK);
    t.same((await outcomeOf('Patient/p/$validate', parametersOf(VALID))).issue, ALL_OK);
    t.same(errorsOf(await outcomeOf('Patient/$validate', parametersOf({ ...VALID, gender: 'x' }))), [
      { ...errorsOf(await outcomeOf('Patient/$validate', { ...VALID, gender: 'x' }))[0] },
    ]);
  });

  t.test('answers 200 and issues with expressions for an invalid resource', async (t) => {
    const outcome = await outcomeOf('Patient/$validate', { resourceType: 'Patient', birthDate: '1980-13-01', foo: 1 });
    t.match(errorsOf(outcome), [{ expression: [/^Patient\.(birthDate|foo)$/] }, { expression: [/^Patient/] }]);
  });

  t.test('checks the invariants of R4, with their keys', async (t) => {
    const outcome = await outcomeOf('Patient/$validate', { ...VALID, contact: [{ gender: 'female' }] });
    t.match(errorsOf(outcome), [{ code: 'invariant', expression: ['Patient.contact[0]'], diagnostics: /pat-1/ }]);
    const bare = await outcomeOf('Patient/$validate', { resourceType: 'Patient' });
    t.match(bare.issue, [ALL_OK[0], { severity: 'warning', diagnostics: /dom-6/ }], 'a warning is no fault');
  });

  t.test('sees an integer that was written as a decimal, also inside of Parameters', async (t) => {
    const body = JSON.stringify(parametersOf({ ...VALID, multipleBirthInteger: 77 })).replace('77', '7.0');
    const headers = { 'content-type': 'application/fhir+json' };
    const { outcome, status } = await send('POST', 'Patient/$validate', { body, headers });
    t.equal(status, 200);
    t.match(errorsOf(outcome), [{ expression: ['Patient.multipleBirth'] }]);
  });

  t.test('knows the profiles of R4, and answers an error for one that it does not know', async (t) => {
    for (const profile of [`${STRUCTURE}/Patient`, `${STRUCTURE}/Patient|4.0.1`, `${STRUCTURE}/DomainResource`]) {
      t.same((await outcomeOf(`Patient/$validate?profile=${profile}`, VALID)).issue, ALL_OK, profile);
      const body = parametersOf(VALID, [{ name: 'profile', valueUri: profile }]);
      t.same((await outcomeOf('Patient/$validate', body)).issue, ALL_OK, profile);
    }
    for (const profile of [`${STRUCTURE}/none`, 'http://example.org/p', `${STRUCTURE}/Observation`])
      t.match(errorsOf(await outcomeOf(`Patient/$validate?profile=${profile}`, VALID)), [
        { diagnostics: new RegExp(profile.replace(/\//g, '\\/')) },
      ]);
    const claimed = { ...VALID, meta: { profile: ['http://example.org/p'] } };
    t.match((await outcomeOf('Patient/$validate', claimed)).issue[1], { severity: 'warning' });
  });

  t.test('with mode=create or update says whether references lead somewhere, and ids agree', async (t) => {
    const referring = { ...VALID, managingOrganization: { reference: 'Organization/none' } };
    t.match(errorsOf(await outcomeOf('Patient/$validate?mode=create', referring)), [{ code: 'not-found' }]);
    t.same(errorsOf(await outcomeOf('Patient/$validate', referring)), []);
    t.same(errorsOf(await outcomeOf('Patient/p/$validate?mode=update', VALID)), []);
    const other = { ...VALID, id: 'q' };
    t.match(errorsOf(await outcomeOf('Patient/p/$validate?mode=update', other)), [{ expression: ['Patient.id'] }]);
    t.same((await outcomeOf('Patient/p/$validate?mode=delete', undefined)).issue, ALL_OK);
  });

  t.test('of an instance that is not there is 404, of one that is deleted 410', async (t) => {
    t.equal((await send('POST', 'Patient/none/$validate', { body: VALID })).status, 404);
    t.equal((await send('GET', 'Patient/none/$validate')).status, 404);
    await send('PUT', 'Patient/gone', { body: { resourceType: 'Patient', id: 'gone' } });
    await send('DELETE', 'Patient/gone');
    t.equal((await send('GET', 'Patient/gone/$validate')).status, 410);
  });

  t.test('by GET of an instance validates what is stored', async (t) => {
    t.same((await send('GET', 'Patient/p/$validate')).outcome.issue, ALL_OK);
  });

  t.test('answers an issue for a resource of another type than that of the url', async (t) => {
    t.match(errorsOf(await outcomeOf('Observation/$validate', VALID)), [{ expression: ['Observation.resourceType'] }]);
  });

  t.test('is 400 only for a request that cannot be used', async (t) => {
    const refused: [string, unknown][] = [
      ['Patient/$validate', undefined],
      ['Patient/$validate', { resourceType: 'Parameters' }],
      ['Patient/$validate', '{"resourceType":'],
      ['Patient/$validate?mode=foo', VALID],
      ['Patient/$validate?mode=update', VALID],
      ['Patient/p/$validate?mode=create', VALID],
      ['Patient/$validate?foo=1', VALID],
      ['Patient/$validate', parametersOf(VALID, [{ name: 'foo', valueBoolean: true }])],
      ['Patient/$validate', { resourceType: 'Parameters', parameter: [{ name: 'mode' }] }],
      ['Patient/$validate', { resourceType: 'Parameters', parameter: 'x' }],
    ];
    for (const [path, body] of refused) {
      const answer = await send('POST', path, { body, headers: { 'content-type': 'application/fhir+json' } });
      t.equal(answer.status, 400, `${path} ${JSON.stringify(body)}`);
    }
  });

  t.test('validates Parameters themselves at their own type', async (t) => {
    const body: Parameters = { resourceType: 'Parameters', parameter: [{ name: 'a', valueBoolean: true }] };
    t.same((await outcomeOf('Parameters/$validate', body)).issue, ALL_OK);
  });

  t.test('finds the OperationDefinition of every operation valid, and at the levels where it is', async (t) => {
    const files = readdirSync(PROFILES).filter((file) => file.startsWith('OperationDefinition-'));
    const definitions = files.map(
      (file) => JSON.parse(readFileSync(join(PROFILES, file), 'utf8')) as Resource as OperationDefinition,
    );
    t.same(definitions.map(({ code }) => code).sort(), OPERATIONS.map(({ name }) => name).sort());
    for (const definition of definitions) {
      const { code } = definition;
      t.same(errorsOf(await outcomeOf('OperationDefinition/$validate', definition)), [], code);
      const operation = OPERATIONS.find(({ name }) => name === code);
      t.same(definition.resource, operation?.types ?? ['Resource'], code);
      for (const level of ['system', 'type', 'instance'] as const)
        t.equal(definition[level], operation?.levels.includes(level), `${code} ${level}`);
    }
  });
});

test('$validate of a large resource has a time limit, and others are answered meanwhile', async (t) => {
  const { send } = await startTestServer(t, { CONSILIUM_VALIDATE_SECONDS: '1' });
  const item = Array.from({ length: 48_000 }, (_, at) => ({ linkId: `q${at}`, type: 'string' as const }));
  const large = { resourceType: 'Questionnaire', status: 'draft', item };
  let isAnswered = false;
  const validated = send('POST', 'Questionnaire/$validate', { body: large }).finally(() => {
    isAnswered = true;
  });
  let reads = 0;
  while (!isAnswered) {
    t.equal((await send('GET', 'Patient/none')).status, 404);
    reads++;
  }
  const { status, outcome } = await validated;
  t.equal(status, 422);
  t.match(outcome.issue, [{ severity: 'error', code: 'too-costly', diagnostics: /CONSILIUM_VALIDATE_SECONDS/ }]);
  t.ok(reads > 3, `${reads} reads were answered meanwhile`);
});
