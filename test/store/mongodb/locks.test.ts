import { type ClientSession, type Collection, MongoServerError } from 'mongodb';
import { test } from 'tap';
import type { Clause, SearchQuery } from '../../../src/search/search-query.ts';
import type { LockDocument } from '../../../src/store/mongodb/collections.ts';
import { WriteConflict } from '../../../src/store/mongodb/faults.ts';
import { createTargetLocks, lockOf, takeLocks } from '../../../src/store/mongodb/locks.ts';
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

test('a lock that another transaction makes at the same time is a conflict, and no failure', async (t) => {
  // MongoDB may answer an upsert in a transaction so: https://www.mongodb.com/docs/manual/core/transactions/
  const bulkWrite = async (): Promise<never> => {
    throw new MongoServerError({ message: 'E11000 duplicate key', code: 11_000 });
  };
  const locks = { bulkWrite } as unknown as Collection<LockDocument>;
  await t.rejects(takeLocks(locks, ['a'], 0, {} as ClientSession), WriteConflict);
});
