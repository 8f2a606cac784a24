/** What searches mean, through HTTP: units, hierarchies, versions of canonicals, missing values, case, refusals. */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const UCUM = 'http://unitsofmeasure.org';
const TEXT = { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Words</div>' } as const;
const QUESTIONNAIRE = 'http://example.org/q';

const observation = (id: string, valueQuantity: object | undefined, more: object = {}): Resource =>
  ({
    resourceType: 'Observation',
    id,
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '8302-2' }] },
    subject: { reference: 'Patient/p' },
    ...(valueQuantity === undefined ? {} : { valueQuantity }),
    ...more,
  }) as Resource;

const location = (id: string, parent?: string, more: object = {}): Resource => ({
  resourceType: 'Location',
  id,
  ...(parent === undefined ? {} : { partOf: { reference: `Location/${parent}` } }),
  ...more,
});

const procedure = (id: string, at: string): Resource => ({
  resourceType: 'Procedure',
  id,
  status: 'completed',
  subject: { reference: 'Patient/p' },
  location: { reference: `Location/${at}` },
});

const answers = (id: string, version: string): Resource => ({
  resourceType: 'QuestionnaireResponse',
  id,
  status: 'completed',
  questionnaire: `${QUESTIONNAIRE}${version}`,
});

const RESOURCES: readonly Resource[] = [
  { resourceType: 'Patient', id: 'p', text: TEXT, telecom: [{ system: 'email', value: 'Ann.Lee@Example.org' }] },
  { resourceType: 'Patient', id: 'bare', identifier: [{ system: 'urn:s', value: 'aB' }] },
  observation('tall', { value: 1.8, system: UCUM, code: 'm', unit: 'm' }),
  observation('taller', { value: 190, system: UCUM, code: 'cm', unit: 'cm' }),
  observation('warm', { value: 98.6, system: UCUM, code: '[degF]' }),
  observation('unitless', { value: 180, unit: 'cm' }),
  observation('none', undefined),
  {
    resourceType: 'DiagnosticReport',
    id: 'report',
    status: 'final',
    code: { text: 'x' },
    result: [{ reference: 'Observation/tall' }],
  },
  location('house', undefined, { position: { latitude: 40, longitude: -3 } }),
  location('floor', 'house'),
  location('room', 'floor'),
  location('elsewhere'),
  procedure('in-house', 'house'),
  procedure('in-room', 'room'),
  procedure('away', 'elsewhere'),
  answers('any', ''),
  answers('one', '|1.0'),
  answers('one-one', '|1.1'),
  answers('ten', '|10.0'),
  { resourceType: 'ValueSet', id: 'v1', url: 'http://example.org/v', version: '1.0-RC', status: 'draft' },
  { resourceType: 'ValueSet', id: 'v2', url: 'http://example.org/v', version: '2.0', status: 'draft' },
  { resourceType: 'List', id: 'l', status: 'current', mode: 'working', entry: [{ item: { reference: 'Patient/p' } }] },
];

const EXAMPLES: readonly (readonly [group: string, query: string, found: string])[] = [
  ['units', `Observation?value-quantity=180|${UCUM}|cm`, 'tall'],
  ['units', `Observation?value-quantity=1.80|${UCUM}|m`, 'tall'],
  ['units', `Observation?value-quantity=ge70|${UCUM}|[in_i]`, 'tall taller'],
  ['units', `Observation?value-quantity=37|${UCUM}|Cel`, 'warm'],
  ['units', `Observation?value-quantity=37|${UCUM}|Cel,180||cm`, 'unitless warm'],
  ['units', 'Observation?value-quantity=180', 'unitless'],
  ['units', `Observation?value-quantity=180|${UCUM}|mg`, ''],
  ['units', `Observation?code-value-quantity=8302-2$gt1850|${UCUM}|mm`, 'taller'],
  ['units', `DiagnosticReport?result.value-quantity=180|${UCUM}|cm`, 'report'],
  ['units', `Patient?_has:Observation:patient:value-quantity=180|${UCUM}|cm`, 'p'],
  ['hierarchies', 'Procedure?location:below=house', 'in-house in-room'],
  ['hierarchies', 'Procedure?location:below=Location/floor', 'in-room'],
  ['hierarchies', 'Procedure?location:above=Location/room', 'in-house in-room'],
  ['hierarchies', 'Procedure?location:below=floor,elsewhere', 'away in-room'],
  ['hierarchies', 'Location?partof:below=house', 'floor room'],
  ['hierarchies', 'Procedure?location:below=nowhere', ''],
  ['versions', `QuestionnaireResponse?questionnaire=${QUESTIONNAIRE}`, 'any one one-one ten'],
  ['versions', `QuestionnaireResponse?questionnaire=${QUESTIONNAIRE}|1.0`, 'one'],
  ['versions', `QuestionnaireResponse?questionnaire:below=${QUESTIONNAIRE}`, 'any one one-one ten'],
  ['versions', `QuestionnaireResponse?questionnaire:below=${QUESTIONNAIRE}|1`, 'one one-one'],
  ['versions', 'ValueSet?url=http://example.org/v', 'v1 v2'],
  ['versions', 'ValueSet?url=http://example.org/v|2.0', 'v2'],
  ['versions', 'ValueSet?url=http://example.org/v|3.0', ''],
  ['case', 'Patient?email=ANN.lee@example.ORG', 'p'],
  ['case', 'ValueSet?version=1.0-rc', 'v1'],
  ['case', 'Patient?identifier=urn:s|aB', 'bare'],
  ['case', 'Patient?identifier=urn:s|ab', ''],
  ['case', 'Patient?_id=P', ''],
  ['missing', 'Observation?code-value-quantity:missing=true', 'none'],
  ['missing', 'Observation?value-quantity:missing=true', 'none'],
  ['missing', 'Location?near:missing=false', 'house'],
  ['missing', 'Location?near:missing=true', 'elsewhere floor room'],
  ['missing', 'Location?partof:missing=true', 'elsewhere house'],
  ['missing', 'Patient?_text:missing=true', 'bare'],
  ['missing', 'Patient?_text:missing=false', 'p'],
  ['missing', 'Patient?_content:missing=true', ''],
  ['missing', 'Patient?_id:missing=true', ''],
  ['missing', 'Patient?_lastUpdated:missing=false', 'bare p'],
  ['missing', 'Patient?_list:missing=true', 'bare'],
  ['missing', 'Patient?_list:missing=false', 'p'],
  ['missing', 'Patient?_profile:missing=true', 'bare p'],
  ['missing', 'Patient?_tag:missing=false', ''],
  ['times', 'Patient?_lastUpdated=gt2020&_lastUpdated=ge2020&_lastUpdated=sa2020&_lastUpdated=ne2020', 'bare p'],
  ['times', 'Patient?_lastUpdated=lt2200&_lastUpdated=le2200&_lastUpdated=eb2200', 'bare p'],
  ['times', 'Patient?_lastUpdated=2020', ''],
  ['times', `Patient?_lastUpdated=ap${new Date().toISOString().slice(0, 10)}`, 'bare p'],
  ['times', 'Patient?_lastUpdated=ap2020', ''],
];

const REFUSED: readonly (readonly [query: string, reason: RegExp])[] = [
  ['Patient?_filter=name eq "x"', /filter expressions are not supported/],
  ['Patient?_query=current', /named queries are not supported/],
  ['Patient?_contained=true', /contained resources are not searched/],
  ['Patient?_containedType=container', /contained resources are not searched/],
  ['Patient?_list=$current-problems', /functional lists/],
  ['Observation?code:not-in=http://example.org/unknown', /is not known/],
  ['Observation?code-value-quantity:exact=a$1', /modifier ':exact'/],
  ['Observation?patient:below=Patient/p', /Patient has no hierarchy/],
  ['QuestionnaireResponse?questionnaire:above=http://example.org/q', /':above' is not possible/],
];

const encoded = (query: string): string => {
  const [path = '', search = ''] = query.split('?');
  return `${path}?${search
    .split('&')
    .map((pair) => pair.replace(/^([^=]*)=(.*)$/, (_, name, value) => `${name}=${encodeURIComponent(value)}`))
    .join('&')}`;
};

test('A search', async (t) => {
  const { send } = await startTestServer(t);
  for (const resource of RESOURCES) {
    const { status, text } = await send('PUT', `${resource.resourceType}/${resource.id}`, { body: resource });
    t.equal(status, 201, text);
  }
  const find = async (query: string): Promise<string> => {
    const { status, text, json } = await send('GET', encoded(query));
    if (status !== 200) return text;
    return (json<Bundle>().entry ?? [])
      .map(({ resource }) => resource?.id)
      .sort()
      .join(' ');
  };
  for (const group of new Set(EXAMPLES.map(([name]) => name)))
    t.test(`finds by ${group} what R4 says`, async (t) => {
      for (const [name, query, found] of EXAMPLES) if (name === group) t.equal(await find(query), found, query);
    });

  t.test('refuses what it does not support, and ignores it for a lenient client, with a warning', async (t) => {
    for (const [query, reason] of REFUSED) {
      const strict = await send('GET', encoded(query));
      t.equal(strict.status, 400, query);
      t.match(strict.diagnostics, reason);
      const lenient = await send('GET', encoded(query), { headers: { prefer: 'handling=lenient' } });
      t.equal(lenient.status, 200, `lenient: ${query}`);
      const { entry = [], link = [] } = lenient.json<Bundle>();
      t.match(
        entry.filter(({ search }) => search?.mode === 'outcome'),
        [{ resource: { issue: [{ severity: 'warning', diagnostics: reason }] } }],
      );
      t.notMatch(link.find(({ relation }) => relation === 'self')?.url, /\?./, 'the self link shows what was used');
    }
  });

  t.test('refuses an hour without minutes, also of a lenient client', async (t) => {
    for (const headers of [{}, { prefer: 'handling=lenient' }]) {
      const { status, diagnostics } = await send('GET', 'Patient?_lastUpdated=ge2024-05-01T10', { headers });
      t.equal(status, 400);
      t.match(diagnostics, /'2024-05-01T10' is not a date/);
    }
    t.equal((await send('GET', 'Patient?_lastUpdated=ge2024-05-01T10:30')).status, 200, 'minutes are enough');
  });
});
