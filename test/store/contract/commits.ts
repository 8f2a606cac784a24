/** Many writes at once: all or nothing, conditions that must still hold, references, and commits side by side. */
import { type Test, test } from 'tap';
import type { Reference } from '../../../src/fhir/reference.ts';
import type { IndexEntry } from '../../../src/search/index-entry.ts';
import type { Clause } from '../../../src/search/search-query.ts';
import { type Expectation, RefusedWrite, StaleExpectation, type Store } from '../../../src/store/store.ts';
import { created, deleted, idsOf, resourceOf, searchOf, token, updated, withToken } from './resources.ts';

const observation = (id: string, content = '') => resourceOf('Observation', id, content);
const subject = (id: string): IndexEntry => ({ kind: 'reference', param: 'subject', type: 'Patient', id });
const withSubject = (id: string): Clause => ({
  kind: 'reference',
  param: 'subject',
  values: [{ type: 'Patient', id }],
});

const testAtomicity = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a commit with a refused write leaves nothing behind`, async (t) => {
    const store = await open(t);
    await store.commit([created(observation('there', '"content":1'), [token('code', 'old')])]);
    const entries = [token('code', 'new', 'urn:new-system'), subject('new'), token('new-param', 'x')];
    const writes = [
      created(observation('a'), entries),
      updated(observation('there', '"content":2'), entries),
      updated(resourceOf('NewType', 'n'), entries),
      deleted(observation('there')),
      created(observation('a')),
      created(observation('b'), entries),
    ];
    const error = await store.commit(writes).catch((thrown: unknown) => thrown);
    t.ok(error instanceof RefusedWrite);
    t.match(error, { status: 409, position: 4, issues: [{ severity: 'error' }] });
    for (const id of ['a', 'b']) t.equal(await store.read({ type: 'Observation', id }), undefined);
    t.equal(await store.read({ type: 'NewType', id: 'n' }), undefined);
    t.equal(await store.read({ type: 'Patient', id: 'new' }), undefined);
    t.match(await store.read({ type: 'Observation', id: 'there' }), { version: 1, isDeleted: false });
    t.same(await idsOf(store, 'Observation'), ['there']);
    t.same(await idsOf(store, 'Observation', withToken('code', 'old')), ['there']);
    t.same(await idsOf(store, 'Observation', withToken('code', 'new')), []);
    t.same(await idsOf(store, 'Observation', withSubject('new')), []);

    await store.commit(writes.filter((_, position) => position < 4));
    await store.commit([created(resourceOf('Patient', 'new'))]);
    t.same(await idsOf(store, 'Observation', withToken('code', 'new', 'urn:new-system')), ['a']);
    t.same(await idsOf(store, 'Observation', withSubject('new')), ['a']);
    t.same(await idsOf(store, 'NewType', withToken('new-param', 'x')), ['n']);
  });

  test(`${name}: several writes of one commit to one resource are made one after the other`, async (t) => {
    const store = await open(t);
    const written = await store.commit([
      created(observation('a', '"content":1'), [token('code', 'one')]),
      updated(observation('a', '"content":2'), [token('code', 'two')], { ifMatch: 1 }),
      deleted(observation('a')),
      updated(observation('a', '"content":3'), [token('code', 'three')]),
    ]);
    t.match(written, [
      { outcome: 'created', version: 1 },
      { outcome: 'updated', version: 2 },
      { outcome: 'deleted', version: 3 },
      { outcome: 'created', version: 4 },
    ]);
    t.same(await idsOf(store, 'Observation', withToken('code', 'three')), ['a']);
    for (const code of ['one', 'two']) t.same(await idsOf(store, 'Observation', withToken('code', code)), []);
    t.equal((await store.history({ type: 'Observation', id: 'a' }, { count: 9 })).items.length, 4);
  });
};

const testNeighbours = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a refused commit does not harm those that are committed beside it`, async (t) => {
    const store = await open(t);
    await store.commit([created(observation('there'))]);
    const results = await Promise.allSettled(
      Array.from({ length: 300 }, (_, at) => {
        // Neighbours share the names that they are the first to use: type, parameter, system, target.
        const near = Math.floor(at / 3);
        const entries = [token(`p${near}`, 'x', `urn:${near}`), subject(`s${near}`)];
        const good = created(resourceOf(`Type${near}`, `r${at}`), entries);
        return store.commit(at % 3 === 0 ? [good, created(observation('there'))] : [good]);
      }),
    );
    const isRight = results.every(({ status }, at) => status === (at % 3 === 0 ? 'rejected' : 'fulfilled'));
    t.ok(isRight, 'every third is refused');
    for (let near = 0; near < 100; near++) {
      const expected = [`r${near * 3 + 1}`, `r${near * 3 + 2}`].sort();
      const ids = await idsOf(store, `Type${near}`, withToken(`p${near}`, 'x', `urn:${near}`), withSubject(`s${near}`));
      if (ids.join() !== expected.join()) t.same(ids, expected);
    }
  });
};

const testExpectations = (name: string, open: (t: Test) => Promise<Store>): void => {
  const query = searchOf('Observation', [withToken('identifier', '1', 'urn:lab')], 2);
  const expecting = (...found: Reference[]): Expectation[] => [{ query, found }];
  const identified = (id: string, content = '') =>
    created(observation(id, content), [token('identifier', '1', 'urn:lab')]);
  const a = { type: 'Observation', id: 'a' };
  const b = { type: 'Observation', id: 'b' };

  test(`${name}: a commit is refused as stale if a condition finds something else than before`, async (t) => {
    const store = await open(t);
    await t.rejects(store.commit([identified('b')], expecting(a)), StaleExpectation, 'it is not there');
    await store.commit([identified('a')], expecting());
    await t.rejects(store.commit([identified('b')], expecting()), StaleExpectation, 'it has come');
    await t.rejects(store.commit([identified('b')], expecting(b)), StaleExpectation, 'it is another');
    await t.rejects(store.commit([identified('b')], expecting(a, b)), StaleExpectation, 'it is one only');
    t.equal(await store.read(b), undefined);
    await store.commit([identified('b')], expecting(a));
    await store.commit([updated(observation('c'))], expecting(b, a));
    await t.rejects(store.commit([updated(observation('d'))], expecting(a)), StaleExpectation, 'another has come');
    await store.commit([deleted(a)]);
    await store.commit([updated(observation('d'))], expecting(b));
    await store.commit([updated(observation('b', '"content":2'), [])]);
    await store.commit([updated(observation('e'))], expecting());
  });

  test(`${name}: the conditions of a commit are those before its own writes`, async (t) => {
    const store = await open(t);
    await store.commit([identified('a'), identified('b')], expecting());
    t.same(await idsOf(store, 'Observation'), ['a', 'b']);
  });

  test(`${name}: of 1,000 parallel commits that all found nothing exactly one is made`, async (t) => {
    const store = await open(t);
    const results = await Promise.allSettled(
      Array.from({ length: 1000 }, (_, at) => store.commit([identified(`o${at}`)], expecting())),
    );
    const failures = results.filter((result) => result.status === 'rejected');
    t.equal(failures.length, 999);
    t.ok(failures.every(({ reason }) => reason instanceof StaleExpectation));
    t.equal(await store.count(query), 1);
    t.equal(await store.count(searchOf('Observation', [])), 1);
  });
};

const testReferences = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a reference may lead to what is not there, and is found before and after it comes`, async (t) => {
    const store = await open(t);
    await store.commit([created(observation('o'), [subject('p')])]);
    const target = { type: 'Patient', id: 'p' };
    t.equal(await store.read(target), undefined, 'a referenced id is no resource');
    t.equal(await store.read(target, 0), undefined);
    t.same((await store.history(target, { count: 5 })).items, []);
    t.same(await idsOf(store, 'Patient'), []);
    t.equal(await store.count(searchOf('Patient', [{ kind: 'id', values: ['p'] }])), 0);
    t.match(await store.commit([deleted(target)]), [{ outcome: 'unchanged' }]);
    t.same(await idsOf(store, 'Observation', withSubject('p')), ['o']);
    t.match(await store.commit([created(resourceOf('Patient', 'p'))]), [{ outcome: 'created', version: 1 }]);
    t.same(await idsOf(store, 'Patient'), ['p']);
    t.same(await idsOf(store, 'Observation', withSubject('p')), ['o']);
    await store.commit([deleted(target)]);
    t.same(await idsOf(store, 'Observation', withSubject('p')), ['o']);
  });

  test(`${name}: a required target that is not there when the commit ends is refused with 422`, async (t) => {
    const store = await open(t);
    const target = { type: 'Patient', id: 'p' };
    const write = updated(observation('o'), [subject('p')], { requires: [target] });
    const refused = { name: 'FhirError', status: 422, position: 1 };
    await t.rejects(store.commit([created(observation('x')), write]), refused);
    t.equal(await store.read({ type: 'Observation', id: 'x' }), undefined);
    await t.rejects(store.commit([deleted(target), write]), refused, 'never there');
    await store.commit([write, created(resourceOf('Patient', 'p'))]);
    await store.commit([updated(observation('o', '"content":2'), [subject('p')], { requires: [target] })]);
    await t.rejects(
      store.commit([deleted(target), updated(observation('o', '"content":3'), [], { requires: [target] })]),
      refused,
      'deleted by the same commit',
    );
    t.match(await store.read(target), { isDeleted: false });
  });
};

const testReplacedEntries = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: what an update or a delete takes away is found no more`, async (t) => {
    const store = await open(t);
    const entries = (mark: string): IndexEntry[] => [
      token('code', mark, `urn:${mark}`),
      { kind: 'string', param: 'name', value: mark, exact: mark },
      { kind: 'date', param: 'date', lo: mark.length, hi: mark.length + 1 },
      { kind: 'number', param: 'number', lo: mark.length, hi: mark.length },
      { kind: 'quantity', param: 'value', lo: mark.length, hi: mark.length, system: '', code: '', unit: '' },
      { kind: 'uri', param: 'url', value: mark },
      subject(mark),
    ];
    const clauses = (mark: string): Clause[] => {
      const range = { prefix: 'eq', lo: mark.length, hi: mark.length + 1 } as const;
      return [
        withToken('code', mark),
        withToken('code', mark, `urn:${mark}`),
        { kind: 'string', param: 'name', match: 'exact', values: [mark] },
        { kind: 'date', param: 'date', values: [range] },
        { kind: 'number', param: 'number', values: [range] },
        { kind: 'quantity', param: 'value', values: [range] },
        { kind: 'uri', param: 'url', match: 'exact', values: [mark] },
        withSubject(mark),
      ];
    };
    await store.commit([created(observation('o', '"content":1'), [...entries('old'), token('kept', 'k')])]);
    for (const clause of clauses('old')) t.same(await idsOf(store, 'Observation', clause), ['o']);
    await store.commit([updated(observation('o', '"content":2'), [token('kept', 'k'), ...entries('newer')])]);
    for (const clause of clauses('old')) t.same(await idsOf(store, 'Observation', clause), [], `old ${clause.kind}`);
    for (const clause of clauses('newer'))
      t.same(await idsOf(store, 'Observation', clause), ['o'], `new ${clause.kind}`);
    t.same(await idsOf(store, 'Observation', withToken('kept', 'k')), ['o']);
    await store.commit([deleted(observation('o'))]);
    const kept = [withToken('kept', 'k'), { kind: 'id', values: ['o'] } as const];
    for (const clause of [...clauses('newer'), ...kept])
      t.same(await idsOf(store, 'Observation', clause), [], `deleted ${clause.kind}`);
    t.same(await idsOf(store, 'Observation'), []);
  });
};

const testConcurrency = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: 1,000 parallel commits are all made, each answered with its own resource`, async (t) => {
    const store = await open(t);
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, at) =>
        store.commit([created(observation(`o${at}`), [token('code', `c${at % 10}`)])]),
      ),
    );
    t.ok(answers.every(([written], at) => written?.id === `o${at}` && written.version === 1));
    t.equal(await store.count(searchOf('Observation', [])), 1000);
    t.equal(await store.count(searchOf('Observation', [withToken('code', 'c3')])), 100);
  });

  test(`${name}: parallel updates of one resource make versions without gaps`, async (t) => {
    const store = await open(t);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, at) => store.commit([updated(observation('o', `"content":${at}`))])),
    );
    const versions = answers.map(([written]) => written?.version ?? 0).sort((one, other) => one - other);
    t.same(
      versions,
      Array.from({ length: 200 }, (_, at) => at + 1),
    );
  });

  test(`${name}: what was answered is read and found at once`, async (t) => {
    const store = await open(t);
    for (let at = 0; at < 20; at++) {
      await store.commit([created(observation(`o${at}`), [token('code', `c${at}`)])]);
      t.match(await store.read({ type: 'Observation', id: `o${at}` }), { version: 1 });
      t.same(await idsOf(store, 'Observation', withToken('code', `c${at}`)), [`o${at}`]);
    }
  });

  test(`${name}: close answers the commits that are under way, and later ones are refused`, async (t) => {
    const store = await open(t);
    const commits = Array.from({ length: 300 }, (_, at) => store.commit([created(observation(`o${at}`))]));
    const closed = store.close();
    const results = await Promise.allSettled(commits);
    t.ok(results.every(({ status }) => status === 'fulfilled'));
    await closed;
    await t.rejects(store.commit([created(observation('late'))]));
    await store.close();
  });
};

export const testCommits = (name: string, open: (t: Test) => Promise<Store>): void => {
  testAtomicity(name, open);
  testNeighbours(name, open);
  testExpectations(name, open);
  testReferences(name, open);
  testReplacedEntries(name, open);
  testConcurrency(name, open);
};
