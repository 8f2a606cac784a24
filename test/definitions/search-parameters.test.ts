import type { CapabilityStatement } from '@medplum/fhirtypes';
import { test } from 'tap';
import { readDefinitions } from '../../src/definitions/read-definitions.ts';
import { loadSearchParameters } from '../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../src/definitions/structures.ts';

const parameters = loadSearchParameters();
const { resourceTypes } = loadStructures();

/** https://hl7.org/fhir/R4/search.html#all and the registry's parameters of Resource. */
const OF_EVERY_RESOURCE = [
  ...['_content', '_filter', '_has', '_id', '_lastUpdated', '_list'],
  ...['_profile', '_query', '_security', '_source', '_tag', '_type'],
];

/** The specification's CapabilityStatement of a server that can do everything: a list made apart from the definitions. */
const base = readDefinitions('profiles-resources.json').find(
  (resource): resource is CapabilityStatement =>
    resource.resourceType === 'CapabilityStatement' && resource.id === 'base',
);
const listed = base?.rest?.[0]?.resource ?? [];

test('every type has the parameters that the CapabilityStatement base of R4 lists, and no others', (t) => {
  t.equal(listed.flatMap(({ searchParam }) => searchParam ?? []).length, 1697);
  for (const type of resourceTypes) {
    const expected = listed.find((resource) => resource.type === type)?.searchParam ?? [];
    const found = [...parameters.of(type).values()].filter(({ code }) => !code.startsWith('_'));
    t.same(
      found.map(({ code, type: kind, url }) => [code, kind, url]).sort(),
      expected.map(({ name, type: kind, definition }) => [name, kind, definition]).sort(),
      type,
    );
  }
  t.end();
});

test('every type has the parameters of Resource, and those with a narrative have _text', (t) => {
  const inherited = (type: string) => [...parameters.of(type).keys()].filter((code) => code.startsWith('_')).sort();
  t.same(inherited('Patient'), [...OF_EVERY_RESOURCE, '_text'].sort());
  for (const type of ['Resource', 'Binary', 'Bundle', 'Parameters']) t.same(inherited(type), OF_EVERY_RESOURCE, type);
  const withExpression = [...parameters.of('Resource').values()].filter(({ expression }) => expression !== '');
  t.same(
    withExpression.map(({ code, type, expression }) => [code, type, expression]),
    [
      ['_id', 'token', 'Resource.id'],
      ['_lastUpdated', 'date', 'Resource.meta.lastUpdated'],
      ['_profile', 'uri', 'Resource.meta.profile'],
      ['_security', 'token', 'Resource.meta.security'],
      ['_source', 'uri', 'Resource.meta.source'],
      ['_tag', 'token', 'Resource.meta.tag'],
    ],
  );
  t.end();
});

test('a reference parameter names its targets, all of R4', (t) => {
  t.same(parameters.of('Observation').get('patient')?.targets, ['Patient']);
  t.same(parameters.of('Encounter').get('participant')?.targets, ['Practitioner', 'PractitionerRole', 'RelatedPerson']);
  const types = new Set(resourceTypes);
  for (const type of resourceTypes) {
    const targets = [...parameters.of(type).values()].flatMap((parameter) => parameter.targets);
    t.same(
      targets.filter((target) => !types.has(target)),
      [],
      type,
    );
  }
  t.end();
});

test('a composite parameter names its components, with the misprints of R4 corrected', (t) => {
  const url = (id: string) => `http://hl7.org/fhir/SearchParameter/${id}`;
  t.same(parameters.of('Observation').get('component-code-value-quantity')?.components, [
    { url: url('Observation-component-code'), expression: 'code' },
    { url: url('Observation-component-value-quantity'), expression: 'value.ofType(Quantity)' },
  ]);
  t.same(parameters.of('DocumentReference').get('relationship')?.components, [
    { url: url('DocumentReference-relatesto'), expression: 'target' },
    { url: url('DocumentReference-relation'), expression: 'code' },
  ]);
  t.match(parameters.of('Observation').get('code-value-date')?.components[1], {
    expression: 'value.ofType(dateTime) | value.ofType(Period)',
  });
  t.end();
});
