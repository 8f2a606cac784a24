/**
 * Resources of which small changes break the constraints that the official examples are far from: those of definitions, and
 * of codes that stand in few of them.
 */
type Json = Readonly<Record<string, unknown>>;

const TERMINOLOGY = 'http://terminology.hl7.org/CodeSystem';
const concept = (system: string, ...codes: readonly string[]): Json => ({
  coding: codes.map((code) => ({ system, code })),
});

const allergy = (verification: string, ...status: readonly string[]): Json => ({
  resourceType: 'AllergyIntolerance',
  verificationStatus: concept(`${TERMINOLOGY}/allergyintolerance-verification`, 'unconfirmed', verification),
  ...(status.length === 0 ? {} : { clinicalStatus: concept(`${TERMINOLOGY}/allergyintolerance-clinical`, ...status) }),
  patient: { display: 'A' },
});

const condition = (verification: string, ...status: readonly string[]): Json => ({
  resourceType: 'Condition',
  verificationStatus: concept(`${TERMINOLOGY}/condition-ver-status`, 'confirmed', verification),
  ...(status.length === 0 ? {} : { clinicalStatus: concept(`${TERMINOLOGY}/condition-clinical`, ...status) }),
  category: [{ text: 'a' }],
  abatementString: 'over',
  subject: { display: 'A' },
});

const consents = ['patient-privacy', 'research', 'adr', 'treatment'].map((code) => ({
  resourceType: 'Consent',
  status: 'active',
  scope: concept('something', code, 'other'),
  category: [{ text: 'a' }],
  patient: { display: 'A' },
}));

const capabilities: Json = {
  resourceType: 'CapabilityStatement',
  status: 'draft',
  date: '2020',
  kind: 'requirements',
  fhirVersion: '4.0.1',
  format: ['json'],
  document: [
    { profile: 'http://a', mode: 'producer' },
    { profile: 'http://a', mode: 'consumer' },
    { profile: 'http://b', mode: 'consumer' },
  ],
  rest: [
    {
      mode: 'server',
      resource: [
        {
          type: 'Patient',
          searchParam: [
            { name: 'a', type: 'string' },
            { name: 'b', type: 'string' },
          ],
        },
        { type: 'Observation' },
      ],
    },
  ],
};

const codeSystem: Json = {
  resourceType: 'CodeSystem',
  status: 'draft',
  content: 'complete',
  contained: [
    {
      resourceType: 'ValueSet',
      id: 'v',
      status: 'draft',
      compose: { include: [{ system: 'http://a', concept: [{ code: 'x' }, { code: 'y' }] }] },
    },
  ],
  valueSet: '#v',
  concept: [{ code: 'a', concept: [{ code: 'b', concept: [{ code: 'c' }] }, { code: 'd' }] }, { code: 'e' }],
};

const element = (path: string, more: object = {}): Json => ({
  id: path,
  path,
  definition: 'a',
  min: 0,
  max: '*',
  base: { path, min: 0, max: '*' },
  type: [{ code: 'code' }, { code: 'http://hl7.org/fhirpath/System.String' }],
  constraint: [
    { key: 'a-1', severity: 'error', human: 'a', expression: 'true' },
    { key: 'a-2', severity: 'error', human: 'a', expression: 'true' },
  ],
  ...more,
});

const structure = (more: object, ofElement: object = {}, ofRoot: object = {}): Json => ({
  resourceType: 'StructureDefinition',
  url: 'http://hl7.org/fhir/StructureDefinition/A',
  name: 'A',
  status: 'draft',
  kind: 'resource',
  abstract: false,
  type: 'A',
  derivation: 'specialization',
  snapshot: { element: [element('A', ofRoot), element('A.b', ofElement), element('A.c', ofElement)] },
  differential: { element: [element('A', ofRoot), element('A.b', ofElement), element('A.c', ofElement)] },
  ...more,
});

const structures: readonly Json[] = [
  structure({}),
  structure({ url: 'http://example.org/A', kind: 'logical' }, { defaultValueString: 'a', sliceName: 'a' }),
  structure({ derivation: 'constraint' }, { binding: { strength: 'required' }, slicing: { rules: 'open' } }),
  structure({ kind: 'complex-type' }, { defaultValueBoolean: true }, { label: 'a', sliceName: 's', requirements: 'r' }),
  structure({ type: 'B' }, {}, { slicing: { rules: 'open' }, code: [{ code: 'a' }] }),
];

const guide: Json = {
  resourceType: 'ImplementationGuide',
  url: 'http://example.org/guide',
  name: 'A',
  status: 'draft',
  packageId: 'a',
  fhirVersion: ['4.0.1', '4.0.0'],
  definition: {
    grouping: [
      { id: 'one', name: 'a' },
      { id: 'two', name: 'b' },
    ],
    resource: [
      { reference: { display: 'A' }, groupingId: 'one', fhirVersion: ['4.0.1'] },
      { reference: { display: 'B' }, groupingId: 'two', fhirVersion: ['4.0.0', '4.0.1'] },
    ],
  },
};

const naming: Json = {
  resourceType: 'NamingSystem',
  name: 'A',
  status: 'draft',
  kind: 'root',
  date: '2020',
  uniqueId: [
    { type: 'oid', value: '1', preferred: true },
    { type: 'uuid', value: '2', preferred: true },
    { type: 'uri', value: '3', preferred: false },
  ],
};

const measures: readonly Json[] = [
  {
    resourceType: 'Measure',
    status: 'draft',
    group: [{ stratifier: [{ description: 'a' }, { code: { text: 'b' } }, { component: [{ description: 'c' }] }] }],
  },
  {
    resourceType: 'MeasureReport',
    status: 'complete',
    type: 'summary',
    measure: 'http://a',
    period: { start: '2020' },
    group: [{ stratifier: [{ stratum: [{ value: { text: 'a' } }, { component: [{ code: { text: 'a' } }] }] }] }],
  },
];

const CODING = { system: 'http://loinc.org', code: '718-7' };

const observations: readonly Json[] = [
  {
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [CODING, { code: 'x', display: 'X' }] },
    valueInteger: 1,
    component: [{ code: { coding: [CODING] } }, { code: { coding: [{ display: 'X', code: 'x' }] } }],
  },
  {
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [CODING] },
    valueInteger: 1,
    component: [{ code: { coding: [{ ...CODING, display: 'other' }] } }],
  },
];

const terminologies: Json = {
  resourceType: 'TerminologyCapabilities',
  status: 'draft',
  date: '2020',
  kind: 'requirements',
  codeSystem: [{ version: [{ code: '1' }, { code: '2' }] }],
};

const timing = (when: readonly string[]): Json => ({
  resourceType: 'ServiceRequest',
  status: 'draft',
  intent: 'plan',
  subject: { display: 'A' },
  occurrenceTiming: { repeat: { offset: 5, when } },
});

export const INVARIANT_SEEDS: readonly Json[] = [
  ...[
    allergy('entered-in-error'),
    allergy('entered-in-error', 'active'),
    allergy('confirmed'),
    allergy('refuted', 'resolved'),
  ],
  ...[condition('entered-in-error'), condition('entered-in-error', 'resolved'), condition('refuted')],
  ...[condition('provisional', 'active'), condition('provisional', 'remission', 'inactive')],
  ...consents,
  ...[capabilities, codeSystem, ...structures, guide, ...measures, naming, ...observations, terminologies],
  ...[timing(['AC', 'PC']), timing(['AC', 'C'])],
];
