import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createValidator } from '../../src/validation/validate.ts';

const validate = createValidator(loadStructures());
const NONE: ReadonlySet<string> = new Set();

const diagnostics = (resource: unknown, integralDecimals = NONE): string[] =>
  validate(resource, { integralDecimals }).map((each) => each.diagnostics);

const patient = (elements: object): object => ({ resourceType: 'Patient', ...elements });

const observation = (elements: object): object => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'haemoglobin' },
  ...elements,
});

const EXTENSION = { url: 'http://example.org/reason', valueCode: 'unknown' };

/** By rule: resources, and the exact sentences about each; none if it is valid. */
type Table = readonly (readonly [object, ...string[]])[];

const TABLES: Readonly<Record<string, Table>> = {
  'unknown elements are named, with the one that was meant': [
    [patient({ nmae: [] }), "Patient.nmae: R4 has no such element in Patient (did you mean 'name'?)"],
    [
      patient({ BirthDate: '1980' }),
      "Patient.BirthDate: R4 has no such element in Patient (did you mean 'birthDate'?)",
    ],
    [
      observation({ value: 1 }),
      "Observation.value: R4 has no such element in Observation (the name carries its type, as in 'valueQuantity')",
    ],
    [patient({ fhir_comments: ['a'] }), 'Patient.fhir_comments: R4 has no such element in Patient'],
    [
      patient({ contact: [{ nickname: 'A' }] }),
      'Patient.contact[0].nickname: R4 has no such element in Patient.contact',
    ],
    [
      patient({ name: [{ resourceType: 'HumanName', text: 'A' }] }),
      'Patient.name[0].resourceType: R4 has no such element in HumanName',
    ],
    [patient({ 'two words': 1 }), 'Patient.`two words`: R4 has no such element in Patient'],
    [
      patient({ _id: { extension: [EXTENSION] } }),
      "Patient._id: R4 has no such element in Patient (did you mean 'id'?)",
    ],
  ],
  'keys of the prototype are unknown elements': [
    [
      JSON.parse('{"resourceType":"Patient","__proto__":{"active":true}}'),
      'Patient.__proto__: R4 has no such element in Patient',
    ],
    [patient({ constructor: 'a' }), 'Patient.constructor: R4 has no such element in Patient'],
    [patient({ name: [{ toString: 'a' }] }), 'Patient.name[0].toString: R4 has no such element in HumanName'],
    [patient({ hasOwnProperty: 1 }), 'Patient.hasOwnProperty: R4 has no such element in Patient'],
  ],
  'elements of other products and releases are unknown': [
    [patient({ meta: { project: 'a' } }), 'Patient.meta.project: R4 has no such element in Meta'],
    [
      patient({ managingOrganization: { resource: {} } }),
      'Patient.managingOrganization.resource: R4 has no such element in Reference',
    ],
    [{ resourceType: 'Binary', contentType: 'text/plain', url: 'a' }, 'Binary.url: R4 has no such element in Binary'],
  ],
  'the JSON type must be right': [
    [patient({ active: 'true' }), "Patient.active: must be true or false, not 'true'"],
    [patient({ birthDate: 1980 }), 'Patient.birthDate: must be a string (date), not 1980'],
    [patient({ name: { text: 'A' } }), "Patient.name: 'name' must be an array, also for one value, not an object"],
    [patient({ gender: ['male'] }), "Patient.gender: 'gender' must be a single value, not an array"],
    [patient({ maritalStatus: 'M' }), "Patient.maritalStatus: must be an object, not 'M'"],
    [patient({ name: ['A'] }), "Patient.name[0]: must be an object, not 'A'"],
    [patient({ name: [{ given: [['A']] }] }), 'Patient.name[0].given[0]: must be a string (string), not an array'],
    [patient({ multipleBirthInteger: '2' }), "Patient.multipleBirth: must be a number (integer), not '2'"],
  ],
  'nothing is empty or null': [
    [patient({ name: [] }), "Patient.name: 'name' must not be an empty array; leave it out"],
    [patient({ name: [{}] }), 'Patient.name[0]: must not be an empty object; leave it out'],
    [patient({ name: [null] }), 'Patient.name[0]: null is not possible here; leave it out'],
    [patient({ name: [{ id: 'a' }] }), 'Patient.name[0]: must have more than an id'],
    [patient({ birthDate: '' }), 'Patient.birthDate: must not be an empty string; leave the element out'],
    [patient({ birthDate: null }), 'Patient.birthDate: null is not possible here; leave the element out'],
    [patient({ _birthDate: null }), 'Patient.birthDate: null is not possible here; leave the element out'],
    [patient({ name: null }), 'Patient.name: null is not possible here; leave the element out'],
    [patient({ maritalStatus: {} }), 'Patient.maritalStatus: must not be an empty object; leave it out'],
    [patient({})],
  ],
  'required elements are there, by value or by twin': [
    [{ resourceType: 'Observation', code: { text: 'a' } }, 'Observation.status: required, and missing'],
    [{ resourceType: 'Observation', code: { text: 'a' }, _status: { extension: [EXTENSION] } }],
    [{ resourceType: 'Observation', status: 'final' }, 'Observation.code: required, and missing'],
    [patient({ communication: [{ preferred: true }] }), 'Patient.communication[0].language: required, and missing'],
    [
      { resourceType: 'MedicationRequest', status: 'active', intent: 'order', subject: { reference: 'Patient/1' } },
      'MedicationRequest.medication: required, and missing (one of medicationCodeableConcept, medicationReference)',
    ],
    [{ resourceType: 'EvidenceVariable', status: 'draft' }, 'EvidenceVariable.characteristic: required, and missing'],
  ],
  'a choice has one value': [
    [
      observation({ valueString: 'a', valueInteger: 1 }),
      'Observation.value: only one value is possible in value[x], and valueString and valueInteger are given',
    ],
    [
      observation({ valueString: 'a', _valueInteger: { extension: [EXTENSION] } }),
      'Observation.value: only one value is possible in value[x], and valueString and valueInteger are given',
    ],
    [observation({ valueString: 'a', _valueString: { extension: [EXTENSION] } })],
    [observation({ valueQuantity: { value: 'a' } }), "Observation.value.value: must be a number (decimal), not 'a'"],
    [observation({ valueQuantity: { value: 1.5 }, effectiveDateTime: '2024' })],
  ],
  'arrays of primitives and of their twins are in step': [
    [patient({ name: [{ given: ['A', null], _given: [null, { extension: [EXTENSION] }] }] })],
    [patient({ name: [{ given: ['A', 'B'], _given: [null, { id: 'b' }] }] })],
    [patient({ name: [{ _given: [{ extension: [EXTENSION] }] }] })],
    [
      patient({ name: [{ given: ['A', null] }] }),
      "Patient.name[0].given[1]: null is possible only where '_given' has an extension in its place",
    ],
    [
      patient({ name: [{ given: [null], _given: [null] }] }),
      "Patient.name[0].given[0]: null is possible only where '_given' has an extension in its place",
    ],
    [
      patient({ name: [{ _given: [null, { extension: [EXTENSION] }] }] }),
      "Patient.name[0].given[0]: null without a value in 'given'",
    ],
    [
      patient({ name: [{ given: ['A', 'B'], _given: [{ extension: [EXTENSION] }] }] }),
      "Patient.name[0].given: 'given' and '_given' must have the same number of items, filled up with null",
    ],
    [
      patient({ name: [{ given: [null], _given: [{ id: 'a' }] }] }),
      'Patient.name[0].given[0]: must have more than an id',
    ],
    [
      patient({ name: [{ given: ['A'], _given: { id: 'a' } }] }),
      "Patient.name[0].given: '_given' must be an array, also for one value, not an object",
    ],
  ],
  'a twin has an id and extensions': [
    [patient({ birthDate: '1980', _birthDate: { id: 'a', extension: [EXTENSION] } })],
    [patient({ birthDate: '1980', _birthDate: { id: 'a' } })],
    [patient({ _birthDate: { extension: [EXTENSION] } })],
    [patient({ _birthDate: { id: 'a' } }), 'Patient.birthDate: must have more than an id'],
    [patient({ birthDate: '1980', _birthDate: {} }), 'Patient.birthDate: must not be an empty object; leave it out'],
    [
      patient({ birthDate: '1980', _birthDate: 'a' }),
      "Patient.birthDate: '_birthDate' must be an object with the id and extensions of the value, not 'a'",
    ],
    [
      patient({ birthDate: '1980', _birthDate: { value: 'a' } }),
      'Patient.birthDate.value: R4 has no such element in Element',
    ],
    [
      patient({ _maritalStatus: { id: 'a' } }),
      "Patient._maritalStatus: R4 has no such element in Patient (did you mean 'maritalStatus'?)",
    ],
  ],
  'dates are real': [
    [patient({ birthDate: '1980-13-01' }), "Patient.birthDate: '1980-13-01' is not a date"],
    [patient({ birthDate: '2023-02-29' }), "Patient.birthDate: '2023-02-29' is not a date"],
    [
      patient({ deceasedDateTime: '2024-02-29T10:00:00' }),
      "Patient.deceased: '2024-02-29T10:00:00' is not a dateTime: a time needs seconds and a time zone, as in 2024-02-29T10:00:00Z",
    ],
  ],
  'codes are those that R4 allows': [
    [
      patient({ gender: 'femal' }),
      "Patient.gender: 'femal' is none of the codes that R4 allows here: male, female, other, unknown",
    ],
    [patient({ gender: 'female' })],
    [
      patient({ name: [{ use: 'usual ' }] }),
      "Patient.name[0].use: 'usual ' is not a code: it must have no white space but single spaces inside",
    ],
    [
      { resourceType: 'Questionnaire', status: 'draft', item: [{ linkId: '1', type: 'text box' }] },
      "Questionnaire.item[0].type: 'text box' is none of the 16 codes that R4 allows here",
    ],
    // The binding of Expression.language is extensible.
    [
      {
        resourceType: 'Library',
        status: 'draft',
        type: { text: 'a' },
        extension: [{ url: 'a', valueExpression: { language: 'text/x' } }],
      },
    ],
  ],
  'references are literal references to a possible type': [
    [observation({ subject: { reference: 'Patient/1/_history/2' } })],
    [observation({ subject: { reference: 'urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7' } })],
    [observation({ subject: { reference: 'https://example.org/fhir/Patient/1' } })],
    [observation({ subject: { reference: 'https://example.org/other' } })],
    [observation({ subject: { reference: 'Patient?identifier=a|b' } })],
    [observation({ subject: { display: 'somebody' } })],
    [
      observation({ subject: { reference: 'Patient' } }),
      "Observation.subject.reference: 'Patient' is not a reference, such as Patient/1, #contained or an absolute url",
    ],
    [
      observation({ subject: { reference: 'Foo/1' } }),
      "Observation.subject.reference: 'Foo/1': R4 has no resource type 'Foo'",
    ],
    [
      observation({ encounter: { reference: 'Patient/1' } }),
      "Observation.encounter.reference: 'Patient/1' is a reference to Patient; possible here: Encounter",
    ],
    [
      observation({ encounter: { reference: 'https://example.org/fhir/Patient/1' } }),
      "Observation.encounter.reference: 'https://example.org/fhir/Patient/1' is a reference to Patient; possible here: Encounter",
    ],
    [
      observation({ encounter: { reference: 'Patient?a=b' } }),
      "Observation.encounter.reference: 'Patient?a=b' is a reference to Patient; possible here: Encounter",
    ],
    [observation({ focus: [{ reference: 'Slot/1' }] })],
  ],
  'a # reference names a contained resource': [
    [observation({ contained: [{ resourceType: 'Patient', id: 'p' }], subject: { reference: '#p' } })],
    [
      observation({
        contained: [
          { resourceType: 'Encounter', id: 'e', partOf: { reference: '#e2' } },
          { resourceType: 'Encounter', id: 'e2', status: 'planned', class: { code: 'a' } },
        ],
      }),
      'Observation.contained[0].status: required, and missing',
      'Observation.contained[0].class: required, and missing',
    ],
    [
      observation({
        contained: [
          {
            resourceType: 'Provenance',
            id: 'p',
            target: [{ reference: '#' }],
            recorded: '2024-02-29T10:00:00Z',
            agent: [{ who: { display: 'a' } }],
          },
        ],
      }),
    ],
    [
      observation({ subject: { reference: '#p' } }),
      "Observation.subject.reference: '#p': no contained resource has this id",
    ],
    [
      observation({ contained: [{ resourceType: 'Patient', id: 'p' }], encounter: { reference: '#p' } }),
      "Observation.encounter.reference: '#p' is a reference to Patient; possible here: Encounter",
    ],
    [
      {
        resourceType: 'Bundle',
        type: 'collection',
        entry: [
          { resource: patient({ contained: [{ resourceType: 'Organization', id: 'o', name: 'A' }] }) },
          { resource: patient({ managingOrganization: { reference: '#o' } }) },
        ],
      },
      "Bundle.entry[1].resource.managingOrganization.reference: '#o': no contained resource has this id",
    ],
  ],
  'contained resources have an id, and no life of their own': [
    [
      patient({ contained: [{ resourceType: 'Organization', name: 'A' }] }),
      'Patient.contained[0].id: required in a contained resource, and missing',
    ],
    [
      patient({
        contained: [{ resourceType: 'Organization', id: 'o', contained: [{ resourceType: 'Patient', id: 'p' }] }],
      }),
      'Patient.contained[0].contained: a contained resource must not contain others',
    ],
    [
      patient({
        contained: [
          { resourceType: 'Organization', id: 'o', meta: { versionId: '1', lastUpdated: '2024-02-29T10:00:00Z' } },
        ],
      }),
      'Patient.contained[0].meta.versionId: not possible in a contained resource',
      'Patient.contained[0].meta.lastUpdated: not possible in a contained resource',
    ],
    [patient({ contained: [{ id: 'o' }] }), 'Patient.contained[0].resourceType: required, and missing'],
    [
      patient({ contained: [{ resourceType: 'Foo', id: 'o' }] }),
      "Patient.contained[0].resourceType: R4 has no resource type 'Foo'",
    ],
    [
      patient({ contained: [{ resourceType: 'Organization', id: 'o', nmae: 'A' }] }),
      "Patient.contained[0].nmae: R4 has no such element in Organization (did you mean 'name'?)",
    ],
  ],
  'resources in Bundles and Parameters are checked by their own type': [
    [
      { resourceType: 'Bundle', type: 'collection', entry: [{ resource: patient({ active: 1 }) }] },
      'Bundle.entry[0].resource.active: must be true or false, not 1',
    ],
    [
      { resourceType: 'Parameters', parameter: [{ name: 'a', resource: patient({ active: 1 }) }] },
      'Parameters.parameter[0].resource.active: must be true or false, not 1',
    ],
    [
      { resourceType: 'Bundle', type: 'collection', entry: [{ resource: {} }] },
      'Bundle.entry[0].resource.resourceType: required, and missing',
    ],
    [
      {
        resourceType: 'Bundle',
        type: 'batch-response',
        entry: [{ response: { status: '200', outcome: patient({}) } }],
      },
    ],
  ],
  'an extension has a url, and a value or extensions': [
    [patient({ extension: [EXTENSION, { url: 'a', extension: [EXTENSION] }] })],
    [patient({ extension: [{ valueCode: 'a' }] }), 'Patient.extension[0].url: required, and missing'],
    [patient({ extension: [{ url: 'a' }] }), 'Patient.extension[0]: must have a value[x] or extensions'],
    [
      patient({ extension: [{ url: 'a', valueCode: 'a', extension: [EXTENSION] }] }),
      'Patient.extension[0]: must have a value or extensions, not both',
    ],
    [patient({ extension: [{ url: 'a', _valueCode: { extension: [EXTENSION] } }] })],
    [
      patient({ extension: [{ url: 'a', _url: { id: 'a' }, valueCode: 'a' }] }),
      "Patient.extension[0]._url: R4 has no such element in Extension (did you mean 'url'?)",
    ],
    [
      patient({ modifierExtension: [{ url: 'a' }] }),
      'Patient.modifierExtension[0]: must have a value[x] or extensions',
    ],
  ],
  'narratives are a div element': [
    [patient({ text: { status: 'generated', div: '<div>a</div>' } })],
    [patient({ text: { status: 'generated' } }), 'Patient.text.div: required, and missing'],
    [
      patient({ text: { status: 'generated', div: 'a' } }),
      "Patient.text.div: 'a' is not an xhtml: it must be a <div> element, from its start tag to its end tag",
    ],
  ],
  'ids are ids': [
    [patient({ id: 'a_b' }), "Patient.id: 'a_b' is not an id: it must be 1 to 64 of A-Z, a-z, 0-9, - and ."],
    [patient({ name: [{ id: 'any:text', text: 'A' }] })],
    [
      patient({ name: [{ id: 'a b', text: 'A' }] }),
      "Patient.name[0].id: 'a b' is not an id of an element: it must have no white space",
    ],
  ],
};

for (const [title, table] of Object.entries(TABLES)) {
  test(title, async (t) => {
    for (const [resource, ...expected] of table) {
      t.strictSame(diagnostics(resource), expected, JSON.stringify(resource).slice(0, 160));
    }
  });
}
