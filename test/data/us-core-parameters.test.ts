/** Every search parameter of US Core on Synthea data, compared with its expression as the fhirpath package reads it. */
import { createRequire } from 'node:module';
import type { Bundle, CapabilityStatement, Resource, SearchParameter } from '@medplum/fhirtypes';
import type { compile } from 'fhirpath';
import { test } from 'tap';
import { loadPackages } from '../../src/definitions/packages/load-packages.ts';
import { startTestServer, type TestServer } from '../http/test-server.ts';
import { absence, dataFiles, dataFolder } from './shared-data.ts';

const require = createRequire(import.meta.url);
const fhirpath: { compile: typeof compile } = require('fhirpath');
const model = require('fhirpath/fhir-context/r4');

const US_CORE = 'http://hl7.org/fhir/us/core/StructureDefinition';
/** Records of patients; more would only take longer. */
const RECORDS = 4;

/** What Synthea has not: an assertion's date, and a gender identity. */
const ADDED: readonly Resource[] = [
  {
    resourceType: 'Patient',
    id: 'identity',
    extension: [
      {
        url: `${US_CORE}/us-core-genderIdentity`,
        valueCodeableConcept: { coding: [{ system: 'http://snomed.info/sct', code: '446141000124107' }] },
      },
    ],
  },
  {
    resourceType: 'Condition',
    id: 'asserted',
    subject: { reference: 'Patient/identity' },
    extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/condition-assertedDate', valueDateTime: '2024-05-06' }],
  },
  {
    resourceType: 'Goal',
    id: 'goal',
    lifecycleStatus: 'active',
    description: { coding: [{ system: 'http://snomed.info/sct', code: '387712008' }], text: 'x' },
    subject: { reference: 'Patient/identity' },
  },
];

const parameters = (): SearchParameter[] => {
  const packages = loadPackages(dataFolder('packages').pathname, { packageBytes: 200e6, packageFiles: 20_000 });
  return packages.flatMap(({ resources }) => [...resources('SearchParameter')].map(({ resource }) => resource));
};

/** The values of a parameter's expression. All subjects in the data are Patients. */
const valuesOf = ({ expression = '', base }: SearchParameter): ((resource: Resource) => unknown[]) =>
  fhirpath.compile(
    { base: base[0] as string, expression: expression.replace('.where(resolve() is Patient)', '') },
    model,
    {
      resolveInternalTypes: false,
      async: false,
    },
  ) as (resource: Resource) => unknown[];

interface Concept {
  readonly coding?: readonly { code?: string }[];
  readonly code?: string;
}

/** The codes of a token value of whatever type. */
const codesOf = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return [String(value)];
  const { coding, code } = value as Concept;
  return [...(coding ?? []).map((each) => each.code), code].filter((each) => each !== undefined);
};

const allOf = async ({ send }: TestServer, search: string): Promise<Resource[]> => {
  const found: Resource[] = [];
  for (let url: string | undefined = search; url !== undefined; ) {
    const answer = await send('GET', url);
    if (answer.status !== 200) throw new Error(`${url}: ${answer.text}`);
    const { entry = [], link = [] }: Bundle = answer.json<Bundle>();
    found.push(...entry.flatMap(({ resource }) => (resource === undefined ? [] : [resource])));
    url = link.find(({ relation }) => relation === 'next')?.url;
  }
  return found;
};

const idsOf = (resources: readonly Resource[]): string[] => resources.map(({ id = '' }) => id).sort();

test('US Core on Synthea data', { skip: absence('packages') || absence('synthea') }, async (t) => {
  const server = await startTestServer(t, { CONSILIUM_PACKAGES: dataFolder('packages').pathname });
  const { send } = server;
  const records = dataFiles('synthea').sort((one, other) => one.text.length - other.text.length);
  const shared = records.filter(({ name }) => /^(hospital|practitioner)/i.test(name));
  for (const { name, text } of [...shared, ...records.filter((each) => !shared.includes(each)).slice(0, RECORDS)]) {
    const answer = await send('POST', '', { body: text, headers: { 'content-type': 'application/fhir+json' } });
    t.equal(answer.status, 200, name);
  }
  for (const resource of ADDED) await send('PUT', `${resource.resourceType}/${resource.id}`, { body: resource });
  const { rest } = (await send('GET', 'metadata')).json<CapabilityStatement>();
  const listed = (type: string): string[] =>
    (rest?.[0]?.resource?.find((each) => each.type === type)?.searchParam ?? []).map(({ name }) => name as string);

  const stored = new Map<string, Resource[]>();
  let compared = 0;
  for (const parameter of parameters()) {
    const { code, type: kind } = parameter;
    const type = parameter.base[0] as string;
    const name = `${type}?${code}`;
    t.ok(listed(type).includes(code), `${name} is active`);
    if (code === '_id') continue;
    const resources = stored.get(type) ?? (await allOf(server, `${type}?_count=1000`));
    stored.set(type, resources);
    const values = valuesOf(parameter);
    const withValue = resources.filter((resource) => values(resource).length > 0);
    t.same(idsOf(await allOf(server, `${name}:missing=false&_count=1000`)), idsOf(withValue), `${name}:missing`);
    if (withValue.length > 0) compared++;
    if (kind !== 'token') continue;
    const codes = new Set(withValue.flatMap((resource) => values(resource).flatMap(codesOf)));
    for (const value of [...codes].slice(0, 3)) {
      const expected = withValue.filter((resource) => values(resource).flatMap(codesOf).includes(value));
      t.same(idsOf(await allOf(server, `${name}=${value}&_count=1000`)), idsOf(expected), `${name}=${value}`);
    }
  }
  t.ok(compared > 50, `${compared} parameters had values`);
  t.equal((await allOf(server, 'Condition?asserted-date=ge2024-05&asserted-date=lt2024-06')).length, 1);
  t.ok((await allOf(server, 'Patient?race=2106-3')).length > 0);
});
