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
    { kind: 'uri', param: 'url', match: 'exact', values: ['http://x/a/b', 'http://x/a', 'http://x'] },
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
  t.throws(() => parse('Observation', 'subject:Practitioner.name=x'), refused(/never points to/));
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

test('words and places are clauses of their own', (t) => {
  t.same(clausesOf('Patient', '_content=a b,c'), [{ kind: 'text', param: '_content', values: ['a b', 'c'] }]);
  t.same(clausesOf('Patient', '_text=a'), [{ kind: 'text', param: '_text', values: ['a'] }]);
  t.same(clausesOf('Location', 'near=1%7C2%7C3%7Ckm'), [
    { kind: 'near', param: 'near', values: [{ latitude: 1, longitude: 2, kilometres: 3 }] },
  ]);
  t.end();
});
