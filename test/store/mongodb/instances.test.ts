/** Several servers on one database. */
import { type Test, test } from 'tap';
import { FhirError } from '../../../src/fhir/fhir-error.ts';
import { type Expectation, StaleExpectation, type Store, type Version } from '../../../src/store/store.ts';
import { created, deleted, resourceOf, searchOf, token, updated, withToken } from '../contract/resources.ts';
import { openInstance, temporaryDatabase, WITHOUT_MONGODB } from './temporary-store.ts';

const openInstances = async (t: Test, clocks: readonly (() => number)[]): Promise<Store[]> => {
  const place = temporaryDatabase(t);
  const stores: Store[] = [];
  for (const now of clocks) stores.push(await openInstance(t, place, { now }));
  return stores;
};

const four = [Date.now, Date.now, Date.now, Date.now];
const patient = (id: string, content = 0) => resourceOf('Patient', id, `"content":${content}`);
const at = <T>(all: readonly T[], position: number): T => all[position % all.length] as T;

test('1,000 parallel conditional creates through 4 instances leave one resource', {
  skip: WITHOUT_MONGODB,
  timeout: 300_000,
}, async (t) => {
  const stores = await openInstances(t, four);
  const query = searchOf('Patient', [withToken('identifier', '1', 'urn:lab')], 2);
  const expected: Expectation[] = [{ query, found: [] }];
  const results = await Promise.allSettled(
    Array.from({ length: 1000 }, (_, number) =>
      at(stores, number).commit([created(patient(`p${number}`), [token('identifier', '1', 'urn:lab')])], expected),
    ),
  );
  const failures = results.filter((result) => result.status === 'rejected');
  t.equal(failures.length, 999);
  t.same([...new Set(failures.map(({ reason }) => String(reason?.name)))], ['StaleExpectation']);
  for (const store of stores) t.equal(await store.count(query), 1);
});

test('criteria in another order are the same condition', { skip: WITHOUT_MONGODB, timeout: 300_000 }, async (t) => {
  const stores = await openInstances(t, four);
  const clauses = [withToken('identifier', '1', 'urn:lab'), withToken('active', 'true')];
  const entries = [token('identifier', '1', 'urn:lab'), token('active', 'true')];
  const results = await Promise.allSettled(
    Array.from({ length: 40 }, (_, number) => {
      const query = searchOf('Patient', number % 2 === 0 ? clauses : [...clauses].reverse());
      return at(stores, number).commit([created(patient(`p${number}`), entries)], [{ query, found: [] }]);
    }),
  );
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
});

/** All versions, oldest first. */
const versionsOf = async (store: Store, id: string): Promise<Version[]> => {
  const count = (await store.read({ type: 'Patient', id }))?.version ?? 0;
  const found = await Promise.all(
    Array.from({ length: count }, (_, version) => store.read({ type: 'Patient', id }, version + 1)),
  );
  return found.filter((version) => version !== undefined);
};

test('of parallel updates through 4 instances with one If-Match exactly one is made', {
  skip: WITHOUT_MONGODB,
}, async (t) => {
  const stores = await openInstances(t, four);
  await at(stores, 0).commit([created(patient('a'))]);
  const results = await Promise.allSettled(
    Array.from({ length: 80 }, (_, number) =>
      at(stores, number).commit([updated(patient('a', number + 1), [], { ifMatch: 1 })]),
    ),
  );
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  t.ok(
    results.every(
      (result) => result.status === 'fulfilled' || (result.reason instanceof FhirError && result.reason.status === 412),
    ),
  );
  t.equal((await versionsOf(at(stores, 1), 'a')).length, 2);
});

test('with clocks a minute apart versions have no gap, and lastUpdated never goes back', {
  skip: WITHOUT_MONGODB,
  timeout: 300_000,
}, async (t) => {
  const clocks = [Date.now, () => Date.now() + 60_000, () => Date.now() - 60_000, Date.now];
  const stores = await openInstances(t, clocks);
  const ids = ['a', 'b', 'c'];
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, number) => {
      const store = at(stores, number);
      const writes = ids.map((id) => updated(patient(id, number)));
      if (number % 3 === 0) return store.commit(writes);
      return store.commit([number % 7 === 0 ? deleted(patient(at(ids, number))) : at(writes, number)]);
    }),
  );
  const made = answers.flat().filter(({ outcome }) => outcome !== 'unchanged');
  for (const id of ids) {
    const versions = await versionsOf(at(stores, 0), id);
    t.same(
      versions.map(({ version }) => version),
      versions.map((_, position) => position + 1),
    );
    t.equal(made.filter((written) => written.id === id).length, versions.length, 'each was answered once');
    t.ok(
      versions.every(
        ({ lastUpdated }, position) => position === 0 || lastUpdated >= (versions[position - 1]?.lastUpdated ?? 0),
      ),
    );
  }
});

test('the instant that a history tells is a safe next since, with clocks a minute apart and commits that take long', {
  skip: WITHOUT_MONGODB,
}, async (t) => {
  const minute = 60_000;
  for (const deadlineMilliseconds of [30_000, 600_000]) {
    const place = temporaryDatabase(t);
    const ahead = await openInstance(t, place, { deadlineMilliseconds });
    // Its clock is a minute behind, and what it commits was begun as long ago as a commit may take.
    const now = () => Date.now() - minute - deadlineMilliseconds;
    const behind = await openInstance(t, place, { deadlineMilliseconds, now });
    await ahead.commit([created(patient('a'))]);
    const scopes = [{}, { type: 'Patient' }, { type: 'Patient', id: 'b' }];
    for (const [content, scope] of scopes.entries()) {
      const { asOf } = await ahead.history(scope, { count: 10 });
      const [written] = await behind.commit([updated(patient('b', content))]);
      const { items } = await ahead.history(scope, { count: 10, ...(asOf === undefined ? {} : { since: asOf }) });
      t.ok(
        items.some(({ id, version }) => id === 'b' && version === written?.version),
        `${JSON.stringify(scope)}, ${deadlineMilliseconds} ms`,
      );
    }
  }
});

test('what one instance has answered, every other one reads at once', { skip: WITHOUT_MONGODB }, async (t) => {
  const stores = await openInstances(t, four.slice(0, 2));
  for (let number = 0; number < 20; number++) {
    const [written] = await at(stores, number).commit([updated(patient('a', number))]);
    t.equal((await at(stores, number + 1).read(patient('a')))?.version, written?.version);
  }
  const stale = at(stores, 0).commit([created(patient('b'))], [{ query: searchOf('Patient', []), found: [] }]);
  await t.rejects(stale, StaleExpectation);
});

test('a lock that has expired, and may be gone at any moment, is made anew', { skip: WITHOUT_MONGODB }, async (t) => {
  const twoDaysAgo = (): number => Date.now() - 2 * 86_400_000;
  const stores = await openInstances(t, [twoDaysAgo, Date.now]);
  for (let number = 0; number < 4; number++) {
    const query = searchOf('Patient', [withToken('identifier', '1')]);
    const write = created(patient(`p${number}`), [token('identifier', '1')]);
    const commit = at(stores, number).commit([write], [{ query, found: [] }]);
    if (number === 0) await commit;
    else await t.rejects(commit, StaleExpectation);
  }
});

test('of a deletion that expects no referrer and a reference that requires its target, at most one is made', {
  skip: WITHOUT_MONGODB,
  timeout: 300_000,
}, async (t) => {
  const stores = await openInstances(t, four);
  const dangling: string[] = [];
  const outcomes = { deleted: 0, referred: 0 };
  for (let round = 0; round < 40; round++) {
    const target = { type: 'Patient', id: `p${round}` };
    await at(stores, round).commit([created(patient(target.id))]);
    const query = searchOf('Observation', [{ kind: 'reference', param: 'subject', values: [target] }], 2);
    const observation = resourceOf('Observation', `o${round}`);
    const entries = [{ kind: 'reference', param: 'subject', ...target }] as const;
    const [deletion, reference] = await Promise.allSettled([
      at(stores, round).commit([deleted(target)], [{ query, found: [] }]),
      at(stores, round + 1).commit([updated(observation, entries, { requires: [target] })]),
    ]);
    const isThere = (await at(stores, round + 2).read(target))?.isDeleted === false;
    const isReferred = (await at(stores, round + 3).read(observation)) !== undefined;
    if (isReferred && !isThere) dangling.push(target.id);
    t.equal(deletion.status === 'fulfilled', !isThere);
    t.equal(reference.status === 'fulfilled', isReferred);
    if (!isThere) outcomes.deleted++;
    if (isReferred) outcomes.referred++;
  }
  t.same(dangling, []);
  t.equal(outcomes.deleted + outcomes.referred, 40, 'and one always is');
});
