import { test } from 'tap';
import { clausesOf, parse, refused } from './parsing.ts';

test('modifiers search what else is known of a token or reference', (t) => {
  t.same(clausesOf('Patient', 'gender:not=male,female'), [
    { kind: 'not', clause: { kind: 'token', param: 'gender', values: [{ code: 'male' }, { code: 'female' }] } },
  ]);
  t.match(clausesOf('Observation', 'code:text=Bl%C3%B6d'), [{ kind: 'string', param: 'code:text', values: ['blod'] }]);
  t.match(clausesOf('Observation', 'subject:identifier=urn:s%7C1'), [
    { kind: 'token', param: 'subject:identifier', values: [{ system: 'urn:s', code: '1' }] },
  ]);
  t.match(clausesOf('Patient', 'identifier:of-type=urn:t%7CMR%7C12'), [
    { kind: 'token', param: 'identifier:of-type', values: [{ system: 'urn:t', code: 'MR|12' }] },
  ]);
  t.throws(() => parse('Patient', 'identifier:of-type=MR'), refused(/^identifier:of-type: /));
  t.match(clausesOf('Observation', 'code:in=urn:vs'), [
    { kind: 'token', param: 'code', values: [{ system: 'urn:s', code: 'a' }] },
  ]);
  t.match(clausesOf('Observation', 'code:not-in=urn:vs'), [{ kind: 'not', clause: { kind: 'token' } }]);
  t.match(clausesOf('Observation', 'code:below=urn:s%7Ca'), [
    { values: [{ code: 'a' }, { system: 'urn:s', code: 'a.1' }] },
  ]);
  t.match(clausesOf('Observation', 'code:above=urn:s%7Ca'), [{ values: [{ code: 'a' }, { code: 'root' }] }]);
  for (const query of ['code:in=urn:unknown', 'code:below=urn:unknown%7Ca'])
    t.throws(() => parse('Observation', query), refused(/not known/, 'not-supported'), query);
  t.end();
});

test('uris are searched as they are, with all below, or with all above', (t) => {
  const uris = (modifier: string) => clausesOf('ValueSet', `url${modifier}=http://x/a/b`);
  t.same(uris(''), [{ kind: 'uri', param: 'url', match: 'exact', values: ['http://x/a/b'] }]);
  t.same(uris(':below'), [{ kind: 'uri', param: 'url', match: 'below', values: ['http://x/a/b'] }]);
  t.same(uris(':above'), [
    {
      kind: 'uri',
      param: 'url',
      match: 'exact',
      values: ['http://x/a/b', 'http://x/a/', 'http://x/a', 'http://x/', 'http://x'],
    },
  ]);
  t.end();
});

test(':missing asks whether there is any value, also one that only a modifier finds', (t) => {
  t.same(clausesOf('Patient', 'birthdate:missing=true'), [
    { kind: 'not', clause: { kind: 'missing', param: 'birthdate', entries: 'date', isMissing: false } },
  ]);
  t.same(clausesOf('Patient', 'birthdate:missing=false'), [
    { kind: 'missing', param: 'birthdate', entries: 'date', isMissing: false },
  ]);
  const [clause] = clausesOf('Observation', 'subject:missing=false');
  t.match(clause, { kind: 'any', clauses: [{ param: 'subject' }, {}, {}] });
  t.same(
    clausesOf('Observation', 'code-value-quantity:missing=false'),
    [{ kind: 'missing', param: 'code-value-quantity#0', entries: 'token', isMissing: false }],
    'only elements with all components have entries',
  );
  t.same(clausesOf('Location', 'near:missing=false'), [
    { kind: 'missing', param: 'near#0', entries: 'number', isMissing: false },
  ]);
  const nothing = { kind: 'id', values: [] };
  for (const name of ['_id', '_lastUpdated', '_content']) {
    t.same(clausesOf('Patient', `${name}:missing=true`), [nothing], `no resource is without ${name}`);
    t.same(clausesOf('Patient', `${name}:missing=false`), [{ kind: 'not', clause: nothing }]);
  }
  t.same(clausesOf('Patient', '_text:missing=false'), [
    { kind: 'missing', param: '_text:present', entries: 'token', isMissing: false },
  ]);
  t.match(clausesOf('Patient', '_list:missing=false'), [{ kind: 'has', type: 'List', param: 'item' }]);
  t.match(clausesOf('Patient', '_has:Observation:patient:code:missing=true'), [
    { kind: 'has', clause: { kind: 'not' } },
  ]);
  for (const value of ['x', 'TRUE', 'true,false'])
    t.throws(() => parse('Patient', `name:missing=${value}`), refused(/neither true nor false/), value);
  t.end();
});

test('a composite has a clause for each of its components', (t) => {
  t.same(clausesOf('Observation', 'code-value-quantity=urn:s%7Ca$gt5,b$7||mg'.replace('||', '%7C%7C')), [
    {
      kind: 'composite',
      values: [
        [
          { kind: 'token', param: 'code-value-quantity#0', values: [{ system: 'urn:s', code: 'a' }] },
          { kind: 'quantity', param: 'code-value-quantity#1', values: [{ prefix: 'gt', lo: 5, hi: 5 }] },
        ],
        [
          { kind: 'token', param: 'code-value-quantity#0', values: [{ code: 'b' }] },
          {
            kind: 'quantity',
            param: 'code-value-quantity#1',
            values: [{ prefix: 'eq', lo: 6.5, hi: 7.5, system: '', code: 'mg' }],
          },
        ],
      ],
    },
  ]);
  for (const value of ['a', 'a$1$2'])
    t.throws(() => parse('Observation', `code-value-quantity=${value}`), refused(/components/), value);
  t.throws(() => parse('Observation', 'code-value-quantity:exact=a$1'), refused(/modifier/, 'not-supported'));
  t.end();
});

test('a chain leaves out types that have no such reference', (t) => {
  const resourceTypes = ['Appointment', 'Consent', 'Organization'];
  for (const step of ['actor:Organization.name=x', 'actor:Organization=Organization/1']) {
    const { query } = parse('Observation', `focus.${step}`, { resourceTypes });
    t.match(query.searches[0]?.clauses, [{ kind: 'chain', type: 'Consent' }], 'the actor of an Appointment is another');
  }
  t.end();
});

test('a chain asks each type that the reference may lead to, or the one that is named', (t) => {
  const male = { kind: 'token', param: 'gender', values: [{ code: 'male' }] } as const;
  t.same(clausesOf('Observation', 'subject:Patient.gender=male'), [
    { kind: 'chain', param: 'subject', type: 'Patient', clause: male },
  ]);
  t.same(
    clausesOf('Observation', 'subject.gender=male'),
    [{ kind: 'chain', param: 'subject', type: 'Patient', clause: male }],
    'of its types only Patient has a gender',
  );
  t.match(clausesOf('Observation', 'subject:Patient.organization.name=x'), [
    {
      kind: 'chain',
      clause: { kind: 'chain', param: 'organization', type: 'Organization', clause: { param: 'name' } },
    },
  ]);
  t.match(clausesOf('Observation', 'subject.name:exact=x')[0], { kind: 'any' });
  t.throws(() => parse('Observation', 'subject:Practitioner.name=x'), refused(/never points to/, 'not-supported'));
  t.throws(() => parse('RequestGroup', 'instantiates-canonical:Foo._id=x'), refused(/no resource type 'Foo'/));
  t.throws(() => parse('Observation', 'code.name=x'), refused(/no reference/, 'not-supported'));
  t.throws(
    () => parse('Observation', 'subject:Patient.link:Patient.link:Patient.link:Patient.gender=male'),
    refused(/limit of a chain/),
  );
  t.end();
});

test('_has asks for resources that point here, also nested and behind a chain', (t) => {
  t.same(clausesOf('Patient', '_has:Observation:patient:status=final'), [
    {
      kind: 'has',
      type: 'Observation',
      param: 'patient',
      clause: { kind: 'token', param: 'status', values: [{ code: 'final' }] },
    },
  ]);
  t.match(clausesOf('Practitioner', '_has:Patient:general-practitioner:_has:Observation:patient:status=final'), [
    { kind: 'has', type: 'Patient', clause: { kind: 'has', type: 'Observation', param: 'patient' } },
  ]);
  t.match(clausesOf('Observation', 'subject:Patient._has:Group:member:code=x'), [
    { kind: 'chain', type: 'Patient', clause: { kind: 'has', type: 'Group', param: 'member' } },
  ]);
  for (const name of ['_has:Nothing:patient:code', '_has:Observation:patient', '_has:Observation:code:status'])
    t.throws(() => parse('Patient', `${name}=x`), { name: 'FhirError', status: 400 }, name);
  t.match(clausesOf('Patient', '_list=42'), [{ kind: 'has', type: 'List', param: 'item', clause: { kind: 'id' } }]);
  t.end();
});

const UCUM = 'http://unitsofmeasure.org';

test('a quantity with a unit of UCUM is asked for in base units, any other as it is written', (t) => {
  const canonical = (lo: number, hi: number, code: string, param = 'value-quantity:canonical') => ({
    kind: 'quantity',
    param,
    values: [{ prefix: 'eq', lo, hi, system: '', code }],
  });
  t.same(clausesOf('Observation', `value-quantity=5.4|${UCUM}|mg`), [canonical(0.00535, 0.00545, 'g')]);
  t.same(clausesOf('Observation', `value-quantity=37|${UCUM}|Cel`), [canonical(309.65, 310.65, 'K')]);
  for (const value of ['5.4', '5.4||mg', `5.4|${UCUM}|`, `5.4|${UCUM}|nonsense`, '5.4|urn:s|mg'])
    t.match(
      clausesOf('Observation', `value-quantity=${value}`),
      [{ kind: 'quantity', param: 'value-quantity' }],
      value,
    );
  t.match(clausesOf('Observation', `value-quantity=1|${UCUM}|mg,2,lt3|${UCUM}|g`), [
    {
      kind: 'any',
      clauses: [
        { param: 'value-quantity', values: [{ lo: 1.5 }] },
        { param: 'value-quantity:canonical', values: [{ code: 'g' }, { prefix: 'lt', lo: 3, hi: 3 }] },
      ],
    },
  ]);
  t.match(clausesOf('Observation', `code-value-quantity=a$5.4|${UCUM}|mg,b$5.4`), [
    {
      kind: 'composite',
      values: [
        [{ kind: 'token' }, canonical(0.00535, 0.00545, 'g', 'code-value-quantity#1:canonical')],
        [{ kind: 'token' }, { kind: 'quantity', param: 'code-value-quantity#1' }],
      ],
    },
  ]);
  t.match(clausesOf('DiagnosticReport', `result.value-quantity=5.4|${UCUM}|mg`), [
    { kind: 'chain', clause: { param: 'value-quantity:canonical' } },
  ]);
  t.match(clausesOf('Patient', `_has:Observation:patient:value-quantity=5.4|${UCUM}|mg`), [
    { kind: 'has', clause: { param: 'value-quantity:canonical' } },
  ]);
  t.end();
});

test('a canonical is found by its version, by the first parts of it, or by all of them', (t) => {
  const asked = (query: string) => clausesOf('QuestionnaireResponse', query);
  const url = 'http://example.org/q';
  const reference = (id: string) => [{ kind: 'reference', param: 'questionnaire', values: [{ type: '', id }] }];
  t.same(asked(`questionnaire=${url}`), reference(url), 'every version has an entry without it');
  t.same(asked(`questionnaire=${url}|1.0`), reference(`${url}|1.0`));
  t.same(asked(`questionnaire:below=${url}`), reference(url));
  t.same(asked(`questionnaire:below=${url}|1`), [
    { kind: 'token', param: 'questionnaire:below', values: [{ system: url, code: '1' }] },
  ]);
  t.throws(() => asked(`questionnaire:above=${url}|1`), refused(/':above' is not possible/, 'not-supported'));
  t.same(clausesOf('ValueSet', `url=${url}|1.0`), [
    {
      kind: 'any',
      clauses: [
        { kind: 'uri', match: 'exact', param: 'url', values: [`${url}|1.0`] },
        { kind: 'uri', match: 'exact', param: 'url:version', values: [`${url}|1.0`] },
      ],
    },
  ]);
  t.end();
});

test('a reference leads above or below resources in a strict hierarchy', (t) => {
  const below = (values: object[], param = 'location') => [
    { kind: 'hierarchy', param, type: 'Location', parent: 'partof', direction: 'below', values },
  ];
  const location = { type: 'Location', id: '42' };
  t.same(clausesOf('Procedure', 'location:below=42'), below([location]));
  t.same(clausesOf('Procedure', 'location:below=http://localhost/fhir/Location/42'), below([location]));
  t.same(clausesOf('Observation', 'subject:below=Location/42'), below([location], 'subject'));
  t.same(clausesOf('Observation', 'subject:below=42'), below([location], 'subject'), 'no other of its types has one');
  t.same(clausesOf('Location', 'partof:below=42,43'), below([location, { type: 'Location', id: '43' }], 'partof'));
  t.match(clausesOf('MedicationAdministration', 'context:above=Encounter/21'), [
    { kind: 'hierarchy', type: 'Encounter', parent: 'part-of', direction: 'above' },
  ]);
  for (const [type, query] of [
    ['Observation', 'patient:below=1'],
    ['Observation', 'subject:above=Patient/1'],
    ['Procedure', 'location:below=http://example.org/fhir/Location/42'],
    ['Observation', 'part-of:below=Procedure/1'],
  ] as const)
    t.throws(() => parse(type, query), refused(/hierarchy|not on this server/, 'not-supported'), `${type}?${query}`);
  t.throws(() => parse('Procedure', 'location:below=x y'), refused(/is not a reference/));
  t.end();
});

test('tokens keep their case, but for strings and contact points', (t) => {
  const codes = (type: string, query: string) =>
    clausesOf(type, query).flatMap((clause) => (clause.kind === 'token' ? clause.values : []));
  t.same(codes('Patient', 'email=Ann@Example.ORG'), [{ code: 'ann@example.org' }]);
  t.same(codes('ValueSet', 'version=1.0-RC'), [{ code: '1.0-rc' }]);
  t.same(codes('Patient', 'gender=Male'), [{ code: 'Male' }]);
  t.same(codes('Patient', 'identifier=urn:s|aB'), [{ system: 'urn:s', code: 'aB' }]);
  t.same(clausesOf('Patient', '_id=aB'), [{ kind: 'id', values: ['aB'] }]);
  t.end();
});

test('a MIME type is asked for with what is below it', (t) => {
  t.same(clausesOf('DocumentReference', 'contenttype:below=text/xml'), [
    {
      kind: 'any',
      clauses: [
        { kind: 'token', param: 'contenttype', values: [{ code: 'text/xml' }] },
        { kind: 'token', param: 'contenttype:below', values: [{ code: 'text/xml' }] },
      ],
    },
  ]);
  t.throws(() => parse('DocumentReference', 'contenttype:above=text/xml'), refused(/is not \[system\]/));
  t.throws(() => parse('DocumentReference', 'type:below=text/xml'), refused(/is not \[system\]/));
  t.end();
});

test('functional lists are refused, unless the client is lenient', (t) => {
  t.throws(() => parse('AllergyIntolerance', '_list=$current-allergies'), refused(/functional lists/, 'not-supported'));
  const { query, warnings } = parse('AllergyIntolerance', '_list=$current-allergies', { isLenient: true });
  t.same(query.searches, [{ type: 'AllergyIntolerance', clauses: [] }]);
  t.match(warnings, [{ diagnostics: /functional lists/ }]);
  t.end();
});

test('words and places are clauses of their own', (t) => {
  t.same(clausesOf('Patient', '_content=a b,c'), [{ kind: 'text', param: '_content', values: ['a b', 'c'] }]);
  t.same(clausesOf('Patient', '_text=a'), [{ kind: 'text', param: '_text', values: ['a'] }]);
  t.same(clausesOf('Location', 'near=1%7C2%7C3%7Ckm'), [
    { kind: 'near', param: 'near', values: [{ latitude: 1, longitude: 2, kilometres: 3 }] },
  ]);
  t.end();
});
