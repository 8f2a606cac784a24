import { test } from 'tap';
import type { Clause, SearchQuery } from '../../../src/search/search-query.ts';
import { createTargetLocks, lockOf } from '../../../src/store/mongodb/locks.ts';
import { withToken } from '../contract/resources.ts';

const lockOfClauses = (type: string, clauses: readonly Clause[], more: Partial<SearchQuery> = {}): string =>
  lockOf({ query: { searches: [{ type, clauses }], sort: [], count: 2, ...more }, found: [] });

test('the same criteria have the same lock, in whatever order they are written', async (t) => {
  const one = withToken('identifier', '1', 'urn:lab');
  const other = withToken('active', 'true');
  const lock = lockOfClauses('Patient', [one, other]);
  t.equal(lockOfClauses('Patient', [other, one]), lock);
  t.equal(lockOfClauses('Patient', [one, other], { count: 7 }), lock, 'how many are asked for says nothing');
  const values = [{ code: 'a' }, { code: 'b', system: '' }];
  const reversed = [{ system: '', code: 'b' }, { code: 'a' }];
  t.equal(
    lockOfClauses('Patient', [{ kind: 'token', param: 'p', values }]),
    lockOfClauses('Patient', [{ param: 'p', values: reversed, kind: 'token' }]),
  );
});

test('other criteria have another lock', async (t) => {
  const criteria: [string, Clause[]][] = [
    ['Patient', []],
    ['Group', []],
    ['Patient', [withToken('identifier', '1')]],
    ['Patient', [withToken('identifier', '2')]],
    ['Patient', [withToken('identifier', '1', '')]],
    ['Patient', [withToken('identifier:of-type', '1')]],
    ['Patient', [{ kind: 'not', clause: withToken('identifier', '1') }]],
    ['Patient', [withToken('identifier', '1'), withToken('identifier', '2')]],
    ['Patient', [{ kind: 'token', param: 'identifier', values: [{ code: '1' }, { code: '2' }] }]],
    ['Patient', [{ kind: 'string', param: 'identifier', match: 'exact', values: ['1'] }]],
    ['Patient', [{ kind: 'date', param: 'identifier', values: [{ prefix: 'eq', lo: 1, hi: 2 }] }]],
    ['Patient', [{ kind: 'date', param: 'identifier', values: [{ prefix: 'eq', lo: 2, hi: 1 }] }]],
  ];
  t.equal(new Set(criteria.map(([type, clauses]) => lockOfClauses(type, clauses))).size, criteria.length);
});

test('a deletion takes each lock that whoever relies on the target may take', async (t) => {
  const { relying, deleting } = createTargetLocks();
  const target = { type: 'Patient', id: 'a' };
  const all = new Set(deleting(target));
  const taken = Array.from({ length: 100 }, () => relying(target));
  t.ok(taken.every((name) => all.has(name)));
  t.ok(
    taken.every((name, at) => at === 0 || name !== taken[at - 1]),
    'neighbours do not spoil each other',
  );
  t.notOk(deleting({ type: 'Patient', id: 'b' }).some((name) => all.has(name)));
});
