/** On whose behalf a resource is pushed: its first source stays, every version has it, and searches and histories ask for it. */
import { type Test, test } from 'tap';
import type { Reference } from '../../../src/fhir/reference.ts';
import type { Clause } from '../../../src/search/search-query.ts';
import type { Store, Write } from '../../../src/store/store.ts';
import { created, deleted, idsOf, resourceOf, searchOf, token, updated, withToken } from './resources.ts';

const A = 'Organization/a';
const B = 'Organization/b';
const PATIENT = { type: 'Patient', id: 'p' };
const patient = (content = '') => resourceOf('Patient', 'p', content);

const by = (source: string, write: Write): Write =>
  write.kind === 'create' || write.kind === 'update' ? { ...write, source } : write;

const from = (...values: string[]): Clause => ({ kind: 'source', values });

/** Of all versions, the oldest first. */
const sourcesOf = async (store: Store, reference: Reference): Promise<(string | undefined)[]> => {
  const { items } = await store.history(reference, { count: 100 });
  const read = await Promise.all(items.map(({ version }) => store.read(reference, version)));
  for (const [at, item] of items.entries())
    if (read[at]?.source !== item.source) throw new Error(`Version ${item.version} is read otherwise`);
  return items.map(({ source }) => source).reverse();
};

const testLife = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: the source of a resource stays through updates, deletion and a new creation by others`, async (t) => {
    const store = await open(t);
    await store.commit([by(A, created(patient()))]);
    await store.commit([by(B, updated(patient('"content":2')))]);
    await store.commit([updated(patient('"content":3'))]);
    await store.commit([deleted(PATIENT)]);
    t.match(await store.read(PATIENT), { isDeleted: true, source: A });
    t.same(await idsOf(store, 'Patient', from(A)), []);
    await store.commit([by(B, updated(patient('"content":5')))]);
    t.same(await sourcesOf(store, PATIENT), [A, A, A, A, A]);
    t.same(await idsOf(store, 'Patient', from(A)), ['p']);
    t.same(await idsOf(store, 'Patient', from(B)), []);
    t.notMatch(String((await store.read(PATIENT))?.text), /Organization/);
  });

  test(`${name}: a resource without source takes that of the next version, and its older ones stay without`, async (t) => {
    const store = await open(t);
    await store.commit([created(patient())]);
    t.equal((await store.read(PATIENT))?.source, undefined);
    t.match(await store.commit([by(A, updated(patient()))]), [{ outcome: 'unchanged' }]);
    t.equal((await store.read(PATIENT))?.source, undefined, 'no version was made');
    await store.commit([deleted(PATIENT)]);
    await store.commit([by(A, updated(patient('"content":3')))]);
    await store.commit([by(B, updated(patient('"content":4')))]);
    t.same(await sourcesOf(store, PATIENT), [undefined, undefined, A, A]);
    for (const [version, sources, isFound] of [
      [undefined, [A], true],
      [undefined, [B, A], true],
      [undefined, [B], false],
      [undefined, [], false],
      [3, [A], true],
      [3, [B], false],
      [2, [A], false],
      [1, [A, ''], false],
      [9, [A], false],
    ] as const)
      t.equal((await store.read(PATIENT, version, sources)) !== undefined, isFound, `${version} ${sources}`);
    for (const [scope, versions] of [
      [{ ...PATIENT, sources: [A, B] }, [4, 3]],
      [{ type: 'Patient', sources: [A] }, [4, 3]],
      [{ sources: [A] }, [4, 3]],
      [{ ...PATIENT, sources: [B] }, []],
      [{ ...PATIENT, sources: [] }, []],
      [{ sources: [] }, []],
    ] as const) {
      const { items } = await store.history(scope, { count: 10 });
      t.same(
        items.map(({ version }) => version),
        versions,
        JSON.stringify(scope),
      );
      t.equal(await store.countHistory(scope, {}), versions.length);
    }
  });

  test(`${name}: within one commit the first source of a resource stays, and a refused commit leaves none`, async (t) => {
    const store = await open(t);
    const stale = updated(resourceOf('Group', 'g'), [], { ifMatch: 4 });
    await t.rejects(store.commit([by(B, created(patient())), stale]), { name: 'FhirError', status: 412 });
    await store.commit([by(A, created(patient())), by(B, updated(patient('"content":2')))]);
    t.same(await sourcesOf(store, PATIENT), [A, A]);
    t.same(await idsOf(store, 'Patient', from(B)), []);
  });

  test(`${name}: what was only referenced before, and what has a large text, has the source of who creates it`, async (t) => {
    const store = await open(t);
    const link = { kind: 'reference', param: 'subject', ...PATIENT } as const;
    await store.commit([by(B, created(resourceOf('Observation', 'o'), [link]))]);
    const large = `"content":"${'x'.repeat(1_200_000)}"`;
    await store.commit([by(A, created(patient(large)))]);
    await store.commit([updated(patient('"content":2'))]);
    t.same(await sourcesOf(store, PATIENT), [A, A]);
    const { items } = await store.search(searchOf('Observation', []));
    t.match(items, [{ source: B }]);
    const include = { type: 'Observation', param: 'subject', target: undefined, iterates: false } as const;
    t.match((await store.related(items, [{ ...include, direction: 'forward' }], 9)).items, [{ ...PATIENT, source: A }]);
  });

  test(`${name}: new index entries leave the source`, async (t) => {
    const store = await open(t);
    await store.commit([by(A, created(patient(), [token('gender', 'male')]))]);
    const entries = [token('gender', 'female')];
    await store.commit([{ kind: 'index', reference: PATIENT, version: 1, entries }]);
    t.same(await sourcesOf(store, PATIENT), [A]);
    t.same(await idsOf(store, 'Patient', from(A), withToken('gender', 'female')), ['p']);
  });
};

const testClause = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: the clause of a source limits what is found, alone and within other clauses`, async (t) => {
    const store = await open(t);
    const link = (id: string) => ({ kind: 'reference', param: 'subject', type: 'Patient', id }) as const;
    await store.commit([
      by(A, created(resourceOf('Patient', 'a'))),
      by(B, created(resourceOf('Patient', 'b'))),
      created(resourceOf('Patient', 'c')),
      by(A, created(resourceOf('Observation', 'ab'), [link('b'), token('code', 'x')])),
      by(B, created(resourceOf('Observation', 'ba'), [link('a'), token('code', 'x')])),
      created(resourceOf('Observation', 'ca'), [link('a')]),
    ]);
    const found = (type: string, ...clauses: Clause[]): Promise<string[]> => idsOf(store, type, ...clauses);
    t.same(await found('Patient', from(A)), ['a']);
    t.same(await found('Patient', from(A, B, A, 'Organization/absent')), ['a', 'b']);
    t.same(await found('Patient', from()), []);
    t.same(await found('Patient', from('Organization/absent')), []);
    t.same(await found('Patient', { kind: 'not', clause: from(A) }), ['b', 'c']);
    t.same(await found('Observation', withToken('code', 'x'), from(B)), ['ba']);
    t.same(await found('Observation', { kind: 'any', clauses: [from(B), withToken('code', 'x')] }), ['ab', 'ba']);
    t.same(await found('Observation', { kind: 'chain', param: 'subject', type: 'Patient', clause: from(A) }), [
      'ba',
      'ca',
    ]);
    t.same(await found('Patient', { kind: 'has', param: 'subject', type: 'Observation', clause: from(A) }), ['b']);
    t.equal(await store.count(searchOf('Patient', [from(A, B)])), 2);
    const { searches } = await store.explain(searchOf('Patient', [from(A)]));
    t.match(searches, [{ clauses: [{ text: "it was pushed by 'Organization/a'", role: 'leads' }] }]);
  });
};

export const testSources = (name: string, open: (t: Test) => Promise<Store>): void => {
  testLife(name, open);
  testClause(name, open);
};
