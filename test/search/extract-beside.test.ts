/** What search parameters have beside the values as written: without case, in base units, below what they say. */
import { test } from 'tap';
import { loadSearchParameters } from '../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createExtractor } from '../../src/search/extract.ts';

type Json = Record<string, unknown> & { resourceType: string };

const extract = createExtractor(loadStructures(), loadSearchParameters(), 'http://localhost:8080/fhir');

/** The entries of one parameter, without `kind` and `param`. */
const entriesOf = (param: string, resource: Json): Record<string, unknown>[] =>
  extract(resource)
    .filter((entry) => entry.param === param)
    .map(({ kind: _kind, param: _param, ...rest }) => rest);

test('tokens: strings and contact points without case, codes and identifiers with it', (t) => {
  const telecom = [{ system: 'email', value: 'Ann.Lee@Example.ORG' }];
  t.same(entriesOf('email', { resourceType: 'Patient', telecom }), [{ system: '', code: 'ann.lee@example.org' }]);
  t.same(entriesOf('version', { resourceType: 'ValueSet', version: '1.0-RC' }), [{ system: '', code: '1.0-rc' }]);
  const identifier = [{ system: 'urn:s', value: 'aB1' }];
  t.same(entriesOf('identifier', { resourceType: 'Patient', identifier }), [{ system: 'urn:s', code: 'aB1' }]);
  t.same(entriesOf('gender', { resourceType: 'Patient', gender: 'Male' }), [{ system: '', code: 'Male' }]);
  t.end();
});

test('tokens: a MIME type with parameters is below the one without', (t) => {
  const documents = (contentType: string) => ({
    resourceType: 'DocumentReference',
    content: [{ attachment: { contentType } }],
  });
  t.same(entriesOf('contenttype', documents('text/xml; charset=UTF-8')), [
    { system: '', code: 'text/xml; charset=UTF-8' },
  ]);
  t.same(entriesOf('contenttype:below', documents('text/xml; charset=UTF-8')), [{ system: '', code: 'text/xml' }]);
  t.same(entriesOf('contenttype:below', documents('text/xml')), []);
  t.end();
});

test('quantities: in base units of UCUM, too, also in the elements of composites', (t) => {
  const ucum = { system: 'http://unitsofmeasure.org' };
  const observed = (valueQuantity: object) => ({
    resourceType: 'Observation',
    code: { coding: [{ code: 'c' }] },
    valueQuantity,
  });
  const canonicalOf = (quantity: object) => entriesOf('value-quantity:canonical', observed(quantity));
  const grams = { system: '', code: 'g.m-3', unit: '' };
  t.same(canonicalOf({ value: 110, ...ucum, code: 'mg/dL', unit: 'mg/dl' }), [{ lo: 1100, hi: 1100, ...grams }]);
  t.same(canonicalOf({ value: 1.1, ...ucum, code: 'g/L', comparator: '>' }), [
    { lo: 1100.0000000000002, hi: Infinity, ...grams },
  ]);
  t.same(canonicalOf({ value: 37, ...ucum, code: 'Cel' }), [{ lo: 310.15, hi: 310.15, ...grams, code: 'K' }]);
  for (const other of [{ unit: 'mg' }, { code: 'mg' }, { ...ucum, code: 'nonsense' }, { system: 'urn:s', code: 'mg' }])
    t.same(canonicalOf({ value: 1, ...other }), [], JSON.stringify(other));
  t.same(entriesOf('code-value-quantity#1:canonical', observed({ value: 1, ...ucum, code: 'mg' })), [
    { lo: 0.001, hi: 0.001, system: '', code: 'g', unit: '', element: 0 },
  ]);
  const low = { value: 1, ...ucum, code: 'cm' };
  const range = { low, high: { ...low, value: 2 } };
  const context = { code: { code: 'age' }, valueRange: range };
  t.match(entriesOf('context-quantity:canonical', { resourceType: 'ValueSet', useContext: [context] }), [
    { lo: 0.01, hi: 0.02, code: 'm' },
  ]);
  t.end();
});

test('references: a canonical is below the first parts of its version', (t) => {
  const response = { resourceType: 'QuestionnaireResponse', questionnaire: 'http://example.org/q|1.0.2' };
  t.same(
    entriesOf('questionnaire', response).map(({ id }) => id),
    ['http://example.org/q|1.0.2', 'http://example.org/q'],
  );
  t.same(
    entriesOf('questionnaire:below', response),
    ['1', '1.0', '1.0.2'].map((code) => ({ system: 'http://example.org/q', code })),
  );
  t.same(entriesOf('questionnaire:below', { ...response, questionnaire: 'http://example.org/q' }), []);
  t.end();
});

test('dates, which have no zone, are of the zone of the server', (t) => {
  const eastern = createExtractor(loadStructures(), loadSearchParameters(), 'http://localhost:8080/fhir', 330);
  const dates = (resource: Json, param: string) =>
    eastern(resource).flatMap((entry) =>
      entry.kind === 'date' && entry.param === param ? [[entry.lo, entry.hi]] : [],
    );
  const midnight = Date.UTC(2024, 0, 9, 18, 30);
  const day = [midnight, midnight + 86_400_000];
  t.same(dates({ resourceType: 'Patient', birthDate: '2024-01-10' }, 'birthdate'), [day]);
  const encounter = { resourceType: 'Encounter', period: { start: '2024-01-10', end: '2024-01-10' } };
  t.same(dates(encounter, 'date'), [day]);
  const noon = Date.UTC(2024, 0, 10, 12);
  t.same(
    dates({ resourceType: 'Observation', effectiveDateTime: '2024-01-10T12:00:00Z' }, 'date'),
    [[noon, noon + 1000]],
    'a time has its own',
  );
  t.end();
});
