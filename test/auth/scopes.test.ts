/** @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html */
import { test } from 'tap';
import { allowedPart, covers, parseScope, parseScopes, type ResourceScope } from '../../src/auth/scopes.ts';

const TYPES = ['Patient', 'Observation', 'Condition', 'Practitioner'];
const isType = (name: string): boolean => TYPES.includes(name);

const scopeOf = (text: string): ResourceScope => {
  const parsed = parseScope(text, isType);
  if (parsed.kind !== 'resource') throw new Error(`${text}: ${parsed.kind === 'none' ? parsed.reason : parsed.kind}`);
  return parsed.scope;
};

const lettersOf = (text: string): string => [...scopeOf(text).letters].join('');

const reasonOf = (text: string): string => {
  const parsed = parseScope(text, isType);
  return parsed.kind === 'none' ? parsed.reason : '';
};

test('a scope of version 2 has its level, type, letters and parameters', async (t) => {
  const text = 'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory';
  const { level, type, letters, parameters } = scopeOf(text);
  t.same([level, type, [...letters]], ['patient', 'Observation', ['r', 's']]);
  t.same(parameters, [['category', 'http://terminology.hl7.org/CodeSystem/observation-category|laboratory']]);
});

test('.read is rs, .write is cud and .* is cruds (REQ-S 126-128)', async (t) => {
  t.equal(lettersOf('patient/Patient.read'), 'rs');
  t.equal(lettersOf('user/*.write'), 'cud');
  t.equal(lettersOf('system/Observation.*'), 'cruds');
});

test('letters out of order, twice or unknown make no scope (REQ-S 129)', async (t) => {
  for (const letters of ['sr', 'x', 'rr', 'xyz', 'unknownAction', 'dc', 'readwrite', 'Read'])
    t.not(reasonOf(`patient/Patient.${letters}`), '', letters);
  for (const letters of ['c', 'r', 'u', 'd', 's', 'cr', 'cruds', 'cs', 'rs', 'ud'])
    t.equal(lettersOf(`patient/Patient.${letters}`), letters);
});

test('an unknown type, level, keyword or character makes no scope', async (t) => {
  const texts = [
    'system/UnknownResource.read',
    'group/Patient.rs',
    'patient/Patient',
    'patient/.rs',
    'patient/Patient.',
  ];
  const more = [
    'launch/unknown',
    'PATIENT/Patient.rs',
    '',
    'constructor',
    'patient/Patient.constructor',
    'patient/"x.rs',
  ];
  const injected = ['patient/Patient.rs\n', 'patient/Patient.r s', 'patient/Pati\u00e9nt.rs', 'patient/Patient.rs\0'];
  for (const text of [...texts, ...more, ...injected]) t.not(reasonOf(text), '', JSON.stringify(text));
});

test('parameters must be pairs that can be decoded, and go with version 2 alone', async (t) => {
  for (const query of ['?', '?category', '?category=', '?=x', '?category=%', '?category=%00', '?category=%0A'])
    t.not(reasonOf(`patient/Observation.rs${query}`), '', query);
  t.not(reasonOf('patient/Observation.read?category=laboratory'), '');
  t.same(scopeOf('user/Observation.rs?code=a%20b&date=ge2020').parameters, [
    ['code', 'a b'],
    ['date', 'ge2020'],
  ]);
});

test('the scopes of the launch, the user and the tokens are known', async (t) => {
  const names = [
    'launch',
    'launch/patient',
    'launch/encounter',
    'openid',
    'fhirUser',
    'offline_access',
    'online_access',
  ];
  for (const name of names) t.equal(parseScope(name, isType).kind, 'other', name);
});

test('a list is parted by spaces alone, and names each scope once', async (t) => {
  const texts = parseScopes('openid  patient/Patient.rs openid nonsense', isType, 100)?.map(({ text }) => text);
  t.same(texts, ['openid', 'patient/Patient.rs', 'nonsense']);
  t.same(parseScopes('', isType, 100), []);
});

test('a list with another white space, a control character or more than ASCII, or a long one, is refused', async (t) => {
  for (const sign of ['\n', '\r', '\t', '\0', '\u00a0', '\u2028', '\x7f', '\u00e9'])
    t.equal(parseScopes(`openid${sign}patient/Patient.rs`, isType, 100), undefined, `${sign.charCodeAt(0)}`);
  t.equal(parseScopes('a'.repeat(10_000), isType, 8192), undefined);
});

test('a scope covers those that permit no more, of either version', async (t) => {
  const yes = [
    ['system/*.rs', 'system/Patient.r'],
    ['system/*.read', 'system/Patient.rs'],
    ['system/*.rs', 'system/*.read'],
    ['patient/Observation.rs', 'patient/Observation.rs?category=laboratory'],
    ['patient/Observation.rs?category=laboratory', 'patient/Observation.s?status=final&category=laboratory'],
    ['user/Patient.cruds', 'user/Patient.*'],
  ];
  const no = [
    ['system/Patient.rs', 'system/*.rs'],
    ['system/*.rs', 'user/Patient.r'],
    ['system/*.rs', 'system/Patient.c'],
    ['patient/Observation.rs?category=laboratory', 'patient/Observation.rs'],
    ['patient/Observation.rs?category=laboratory', 'patient/Observation.rs?category=survey'],
    ['patient/Observation.rs', 'patient/Condition.rs'],
  ];
  for (const [by = '', asked = ''] of yes) t.ok(covers(scopeOf(by), scopeOf(asked)), `${by} covers ${asked}`);
  for (const [by = '', asked = ''] of no) t.notOk(covers(scopeOf(by), scopeOf(asked)), `${by} does not cover ${asked}`);
});

test('of an asked scope the allowed part is granted, in the style of the client', async (t) => {
  const cases: [asked: string, allowed: string, granted: string][] = [
    ['patient/Patient.read', 'patient/*.rs', 'patient/Patient.read'],
    ['patient/*.read', 'patient/Patient.cruds patient/Condition.s', 'patient/Patient.read patient/Condition.s'],
    ['system/*.*', 'system/*.rs', 'system/*.rs'],
    ['system/Patient.write', 'system/*.rs', ''],
    ['system/Patient.cruds', 'system/Patient.r system/Patient.s', 'system/Patient.rs'],
    ['patient/Observation.rs', 'patient/Observation.rs?category=a|b', 'patient/Observation.rs?category=a|b'],
    ['patient/Observation.rs?code=1', 'patient/*.rs', 'patient/Observation.rs?code=1'],
    [
      'patient/Observation.rs?code=1',
      'patient/Observation.r?status=x%20y',
      'patient/Observation.r?code=1&status=x%20y',
    ],
    ['user/Patient.rs', 'patient/*.cruds', ''],
    ['user/*.rs', 'user/Patient.rs user/*.r', 'user/Patient.rs user/*.r'],
    ['patient/Patient.read', 'patient/Patient.r patient/Patient.s', 'patient/Patient.read'],
  ];
  for (const [asked, allowed, granted] of cases) {
    const parts = allowedPart(scopeOf(asked), allowed.split(' ').map(scopeOf));
    t.equal(parts.map(({ text }) => text).join(' '), granted, `${asked} of ${allowed}`);
    for (const { text, letters, type, parameters } of parts) {
      const again = scopeOf(text);
      t.same([again.type, [...again.letters].sort(), again.parameters], [type, [...letters].sort(), parameters]);
    }
  }
});
