import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { loadTerminology } from '../../src/definitions/terminology.ts';
import { createInvariantCompiler } from '../../src/fhirpath/invariant.ts';
import { createInvariantCheck } from '../../src/validation/invariants.ts';
import { MAXIMUM_ISSUES } from '../../src/validation/walk.ts';
import { absence, dataFiles } from '../data/shared-data.ts';

const LIMIT_MILLISECONDS = 10_000;
const structures = loadStructures();
const check = createInvariantCheck(structures, createInvariantCompiler(loadTerminology()), LIMIT_MILLISECONDS);

/** `error obs-6 Observation`: severity, key and place of each finding; not that resources should have a narrative. */
const findings = async (resource: object): Promise<string[]> =>
  (await check(resource as Record<string, unknown>))
    .map(({ severity, diagnostics, expression }) => `${severity} ${/\((\S+)\)$/.exec(diagnostics)?.[1]} ${expression}`)
    .filter((text) => !text.includes(' dom-6 '));

const NULL_FLAVOR = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason', code: 'unknown' }],
};
const CODE = { coding: [{ system: 'http://loinc.org', code: '718-7' }] };
const UCUM = 'http://unitsofmeasure.org';

const patient = (elements: object): object => ({ resourceType: 'Patient', ...elements });
const observation = (elements: object): object => ({
  resourceType: 'Observation',
  status: 'final',
  code: CODE,
  ...elements,
});
const bundle = (type: string, ...entry: object[]): object => ({ resourceType: 'Bundle', type, entry });
const questionnaire = (...item: object[]): object => ({ resourceType: 'Questionnaire', status: 'draft', item });
const extension = (value: object): object => patient({ extension: [{ url: 'http://example.org/a', ...value }] });
const request = (method: string): object => ({ request: { method, url: 'Patient/1' } });

/** By constraint: what keeps it, and what breaks it with the findings. */
const CASES: Readonly<Record<string, readonly (readonly [object, ...string[]])[]>> = {
  'obs-6': [
    [observation({ dataAbsentReason: NULL_FLAVOR })],
    [observation({ valueString: 'a', dataAbsentReason: NULL_FLAVOR }), 'error obs-6 Observation'],
  ],
  'obs-7': [
    [observation({ valueInteger: 1, component: [{ code: { text: 'other' }, valueInteger: 1 }] })],
    [observation({ component: [{ code: CODE, valueInteger: 1 }] })],
    [observation({ valueInteger: 1, component: [{ code: CODE, valueInteger: 1 }] }), 'error obs-7 Observation'],
  ],
  'obs-3': [
    [observation({ referenceRange: [{ text: 'a' }, { low: { value: 1 } }] })],
    [
      observation({ referenceRange: [{ text: 'a' }, { type: { text: 'normal' } }] }),
      'error obs-3 Observation.referenceRange[1]',
    ],
    [
      observation({ component: [{ code: CODE, referenceRange: [{ type: { text: 'normal' } }] }] }),
      'error obs-3 Observation.component[0].referenceRange[0]',
    ],
  ],
  'pat-1': [
    [patient({ contact: [{ name: { text: 'A' } }, { organization: { display: 'B' } }] })],
    [patient({ contact: [{ name: { text: 'A' } }, { gender: 'female' }] }), 'error pat-1 Patient.contact[1]'],
  ],
  'ele-1': [
    [patient({ name: [{ id: 'a', text: 'A' }], _birthDate: { id: 'b' }, birthDate: '1980' })],
    [patient({ name: [{ id: 'a' }] }), 'error ele-1 Patient.name[0]'],
  ],
  'ext-1': [
    [extension({ valueString: 'a' })],
    [extension({ extension: [{ url: 'b', valueString: 'a' }] })],
    [extension({}), 'error ext-1 Patient.extension[0]'],
    [extension({ valueString: 'a', extension: [{ url: 'b', valueString: 'a' }] }), 'error ext-1 Patient.extension[0]'],
    [patient({ _birthDate: { extension: [{ url: 'a' }] } }), 'error ext-1 Patient.birthDate.extension[0]'],
  ],
  'dom-2': [
    [
      patient({
        generalPractitioner: [{ reference: '#o' }],
        contained: [
          { resourceType: 'Organization', id: 'o', name: 'A', contained: [{ resourceType: 'Patient', id: 'p' }] },
        ],
        link: [{ type: 'refer', other: { reference: '#p' } }],
      }),
      'error ref-1 Patient.link[0].other',
      'error dom-2 Patient',
      'error dom-3 Patient.contained[0]',
    ],
  ],
  'dom-3': [
    [
      patient({
        contained: [{ resourceType: 'Organization', id: 'o', name: 'A' }],
        managingOrganization: { reference: '#o' },
      }),
    ],
    [
      patient({
        contained: [{ resourceType: 'List', id: 'l', status: 'current', mode: 'working', subject: { reference: '#' } }],
      }),
    ],
    [
      patient({ contained: [{ resourceType: 'Organization', id: 'o', name: 'A' }], maritalStatus: { text: '#o' } }),
      'error dom-3 Patient',
    ],
    // A canonical, uri or url refers as well; any other text does not.
    [
      patient({
        contained: [{ resourceType: 'Organization', id: 'o', name: 'A' }],
        extension: [{ url: 'http://example.org/a', valueUri: '#o' }],
      }),
    ],
  ],
  'dom-4 and dom-5': [
    [
      patient({
        contained: [{ resourceType: 'Organization', id: 'o', name: 'A', meta: { versionId: '1' } }],
        managingOrganization: { reference: '#o' },
      }),
      'error dom-4 Patient',
    ],
    [
      patient({
        contained: [{ resourceType: 'Organization', id: 'o', name: 'A', meta: { security: [{ code: 'R' }] } }],
        managingOrganization: { reference: '#o' },
      }),
      'error dom-5 Patient',
    ],
  ],
  'ref-1': [
    [patient({ managingOrganization: { reference: 'Organization/1' } })],
    [patient({ managingOrganization: { identifier: { value: '1' } } })],
    [patient({ managingOrganization: { reference: '#o' } }), 'error ref-1 Patient.managingOrganization'],
  ],
  'per-1': [
    [patient({ name: [{ text: 'A', period: { start: '2020', end: '2020' } }] })],
    [patient({ name: [{ text: 'A', period: { start: '2020-05-01', end: '2020' } }] })],
    [patient({ name: [{ text: 'A', period: { start: '2021', end: '2020' } }] }), 'error per-1 Patient.name[0].period'],
  ],
  'qty-3': [
    [observation({ valueQuantity: { value: 1, unit: 'mg' } })],
    [observation({ valueQuantity: { value: 1, system: UCUM, code: 'mg' } })],
    [observation({ valueQuantity: { value: 1, code: 'mg' } }), 'error qty-3 Observation.value'],
  ],
  'rng-2': [
    [observation({ valueRange: { low: { value: 1 }, high: { value: 2 } } })],
    [observation({ valueRange: { low: { value: 3 }, high: { value: 2 } } }), 'error rng-2 Observation.value'],
    [
      observation({
        valueRange: { low: { value: 3, system: UCUM, code: 'g' }, high: { value: 500, system: UCUM, code: 'mg' } },
      }),
      'error rng-2 Observation.value',
    ],
    [
      observation({
        valueRange: { low: { value: 3, system: UCUM, code: 'mg' }, high: { value: 1, system: UCUM, code: 'g' } },
      }),
    ],
  ],
  'cpt-2': [[patient({ telecom: [{ value: '1' }] }), 'error cpt-2 Patient.telecom[0]']],
  'tim-1': [
    [
      {
        resourceType: 'ServiceRequest',
        status: 'draft',
        intent: 'plan',
        subject: { display: 'A' },
        occurrenceTiming: { repeat: { duration: 1, period: 1, periodUnit: 'd' } },
      },
      'error tim-1 ServiceRequest.occurrence.repeat',
    ],
  ],
  'con-3, which is a warning, and con-4': [
    [{ resourceType: 'Condition', subject: { display: 'A' }, abatementDateTime: '2020' }, 'error con-4 Condition'],
    [
      {
        resourceType: 'Condition',
        subject: { display: 'A' },
        category: [
          {
            coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-category', code: 'problem-list-item' }],
          },
        ],
      },
      'warning con-3 Condition',
    ],
  ],
  'bdl-7': [
    [bundle('collection', { fullUrl: 'urn:a', resource: patient({}) }, { fullUrl: 'urn:b', resource: patient({}) })],
    [
      bundle('collection', { fullUrl: 'urn:a', resource: patient({}) }, { fullUrl: 'urn:a', resource: patient({}) }),
      'error bdl-7 Bundle',
    ],
    [
      bundle(
        'history',
        {
          fullUrl: 'urn:a',
          resource: patient({ meta: { versionId: '1' } }),
          ...request('PUT'),
          response: { status: '200' },
        },
        {
          fullUrl: 'urn:a',
          resource: patient({ meta: { versionId: '2' } }),
          ...request('PUT'),
          response: { status: '200' },
        },
      ),
    ],
  ],
  'bdl-1, bdl-3, bdl-5, bdl-8': [
    [{ ...bundle('collection', { fullUrl: 'urn:a', resource: patient({}) }), total: 1 }, 'error bdl-1 Bundle'],
    [bundle('collection', { fullUrl: 'urn:a', resource: patient({}), ...request('GET') }), 'error bdl-3 Bundle'],
    [bundle('collection', { fullUrl: 'urn:a' }), 'error bdl-5 Bundle.entry[0]'],
    [
      bundle('collection', { fullUrl: 'http://example.org/Patient/1/_history/2', resource: patient({}) }),
      'error bdl-8 Bundle.entry[0]',
    ],
  ],
  'constraints of resources in a Bundle': [
    [
      bundle('collection', { fullUrl: 'urn:a', resource: patient({ contact: [{ gender: 'male' }] }) }),
      'error pat-1 Bundle.entry[0].resource.contact[0]',
    ],
  ],
  'ctm-1, by the type that a reference names': [
    [
      {
        resourceType: 'CareTeam',
        participant: [{ member: { reference: 'Practitioner/1' }, onBehalfOf: { reference: 'Organization/1' } }],
      },
    ],
    [
      {
        resourceType: 'CareTeam',
        contained: [{ resourceType: 'Practitioner', id: 'p' }],
        participant: [{ member: { reference: '#p' }, onBehalfOf: { reference: 'Organization/1' } }],
      },
    ],
    [
      {
        resourceType: 'CareTeam',
        participant: [{ member: { reference: 'Patient/1' }, onBehalfOf: { reference: 'Organization/1' } }],
      },
      'error ctm-1 CareTeam.participant[0]',
    ],
  ],
  'constraints of nested items, whose definition stands elsewhere': [
    [
      questionnaire({ linkId: '1', type: 'group', item: [{ linkId: '2', type: 'group' }] }),
      'error que-1 Questionnaire.item[0].item[0]',
    ],
    [questionnaire({ linkId: '1', type: 'string' }, { linkId: '1', type: 'string' }), 'error que-2 Questionnaire'],
  ],
  'que-7': [
    [
      questionnaire({
        linkId: '1',
        type: 'string',
        enableWhen: [{ question: '0', operator: 'exists', answerBoolean: true }],
      }),
    ],
    [
      questionnaire({
        linkId: '1',
        type: 'string',
        enableWhen: [{ question: '0', operator: 'exists', answerInteger: 1 }],
      }),
      'error que-7 Questionnaire.item[0].enableWhen[0]',
    ],
  ],
  'ras-1 and ras-2': [
    [
      {
        resourceType: 'RiskAssessment',
        status: 'final',
        subject: { display: 'A' },
        prediction: [{ probabilityDecimal: 0.5 }],
      },
    ],
    [
      {
        resourceType: 'RiskAssessment',
        status: 'final',
        subject: { display: 'A' },
        prediction: [{ probabilityRange: { low: { value: 1, code: '%', system: UCUM } } }],
      },
    ],
    [
      {
        resourceType: 'RiskAssessment',
        status: 'final',
        subject: { display: 'A' },
        prediction: [
          { probabilityRange: { low: { value: 1, code: 'mg', system: UCUM } } },
          { probabilityDecimal: 101 },
        ],
      },
      'error ras-1 RiskAssessment.prediction[0].probability',
      'error ras-2 RiskAssessment.prediction[1]',
    ],
  ],
  'txt-1 and txt-2': [
    [patient({ text: { status: 'generated', div: '<div>a</div>' } })],
    [patient({ text: { status: 'generated', div: '<div><script/></div>' } }), 'error txt-1 Patient.text.div'],
    [patient({ text: { status: 'generated', div: '<div> </div>' } }), 'error txt-2 Patient.text.div'],
  ],
  'age-1': [
    [
      { resourceType: 'Condition', subject: { display: 'A' }, onsetAge: { value: -1, system: UCUM, code: 'a' } },
      'error age-1 Condition.onset',
    ],
  ],
};

for (const [key, cases] of Object.entries(CASES))
  test(`finds violations of ${key}, and only those`, async (t) => {
    for (const [resource, ...expected] of cases)
      t.strictSame((await findings(resource)).sort(), [...expected].sort(), JSON.stringify(resource).slice(0, 200));
  });

test('a finding has the text of R4, the key and the place', async (t) => {
  t.strictSame(
    await check(
      patient({ text: { status: 'generated', div: '<div>a</div>' }, contact: [{ gender: 'male' }] }) as never,
    ),
    [
      {
        severity: 'error',
        code: 'invariant',
        diagnostics:
          "Patient.contact[0]: SHALL at least contain a contact's details or a reference to an organization (pat-1)",
        expression: 'Patient.contact[0]',
      },
    ],
  );
  t.match(await check(patient({}) as never), [{ severity: 'warning', diagnostics: /robust management \(dom-6\)/ }]);
});

test('errors come before warnings, and each are limited', async (t) => {
  const contact = Array.from({ length: 30 }, () => ({ gender: 'male' }));
  const entry = Array.from({ length: 30 }, (_, index) => ({ fullUrl: `urn:${index}`, resource: patient({}) }));
  const found = await check(
    bundle('collection', ...entry, { fullUrl: 'urn:x', resource: patient({ contact }) }) as never,
  );
  t.strictSame(
    found.map(({ severity }) => severity),
    [...Array(MAXIMUM_ISSUES).fill('error'), ...Array(MAXIMUM_ISSUES).fill('warning')],
  );
});

test('what cannot be evaluated is said, and nothing is refused for it', async (t) => {
  const compile = () => () => {
    throw new Error('no such function');
  };
  const failing = createInvariantCheck(structures, compile, LIMIT_MILLISECONDS);
  const found = await failing(patient({}) as never);
  t.ok(found.length > 0);
  for (const each of found)
    t.match(each, {
      severity: 'information',
      diagnostics: /^Patient: dom-\d could not be evaluated: no such function$/,
    });
});

test('a resource that is no valid R4 is checked as far as it can be', async (t) => {
  for (const resource of [
    {},
    { resourceType: 1 },
    { resourceType: 'Unheard' },
    patient({
      name: 'A',
      contact: null,
      link: [null, 1, 'a', {}],
      contained: [{}, 1],
      unheard: [{}],
      text: { div: 1 },
    }),
    bundle('collection', { resource: 1 }, { resource: {} }),
  ])
    await t.resolves(check(resource as never));
});

/** The errors in official examples, each right by R4: a narrative must not be blank. */
const ERRORS: Readonly<Record<string, readonly string[]>> = {
  'ActivityDefinition-heart-valve-replacement.json': ['error txt-2 ActivityDefinition.text.div'],
  'EventDefinition-example.json': ['error txt-2 EventDefinition.text.div'],
};

for (const folder of ['r4-examples', 'synthea'])
  test(`finds no errors in ${folder} but those that R4 forbids`, { skip: absence(folder) }, async (t) => {
    const found: [string, string[]][] = [];
    for (const { name, text } of dataFiles(folder)) {
      const all = (await findings(JSON.parse(text))).filter((each) => !each.startsWith('warning'));
      if (all.length > 0) found.push([name, all]);
    }
    t.strictSame(Object.fromEntries(found), folder === 'synthea' ? {} : ERRORS);
  });
