/** One resource over its life: versions, history, deletion, preconditions, and the text that is kept. */
import { type Test, test } from 'tap';
import { instantText } from '../../../src/fhir/date-time.ts';
import { resourceText } from '../../../src/fhir/resource-text.ts';
import type { PageKey } from '../../../src/search/search-query.ts';
import type { Store } from '../../../src/store/store.ts';
import { created, deleted, resourceOf, updated } from './resources.ts';

const PATIENT = { type: 'Patient', id: 'p' };
const patient = (content = '') => resourceOf('Patient', 'p', content);

const testReads = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: versions count from 1, and each stays readable`, async (t) => {
    const store = await open(t);
    t.equal(await store.read(PATIENT), undefined, 'nothing there yet');
    t.equal(await store.read(PATIENT, 1), undefined);
    const [first] = await store.commit([created(patient('"active":true'))]);
    t.match(first, { ...PATIENT, outcome: 'created', version: 1 });
    const [second] = await store.commit([updated(patient('"active":false'))]);
    t.match(second, { ...PATIENT, outcome: 'updated', version: 2 });
    const [third] = await store.commit([updated(patient('"active":true'))]);
    t.match(third, { outcome: 'updated', version: 3 }, 'the text of an older version is a new version');

    const current = await store.read(PATIENT);
    t.match(current, { ...PATIENT, version: 3, isDeleted: false, lastUpdated: third?.lastUpdated });
    t.match(await store.read(PATIENT, 3), { version: 3 });
    const old = await store.read(PATIENT, 1);
    t.match(old, { ...PATIENT, version: 1, isDeleted: false, lastUpdated: first?.lastUpdated });
    t.match(JSON.parse(String(old?.text)), { id: 'p', active: true, meta: { versionId: '1' } });
    t.match(JSON.parse(String((await store.read(PATIENT, 2))?.text)), { active: false, meta: { versionId: '2' } });
    for (const version of [0, 4, -1, 1.5]) t.equal(await store.read(PATIENT, version), undefined, `version ${version}`);
    t.equal(await store.read({ type: 'Group', id: 'p' }), undefined, 'the same id of another type');
  });

  test(`${name}: a delete keeps the older versions, and an update makes the resource anew`, async (t) => {
    const store = await open(t);
    await store.commit([created(patient('"active":true'))]);
    const [gone] = await store.commit([deleted(PATIENT)]);
    t.match(gone, { ...PATIENT, outcome: 'deleted', version: 2 });
    const tombstone = await store.read(PATIENT);
    t.match(tombstone, { ...PATIENT, version: 2, isDeleted: true });
    t.equal(tombstone?.text.length, 0);
    t.match(await store.read(PATIENT, 1), { version: 1, isDeleted: false });

    const [again] = await store.commit([deleted(PATIENT)]);
    t.match(again, { outcome: 'unchanged', version: 2, lastUpdated: gone?.lastUpdated }, 'deleted already');
    const [back] = await store.commit([updated(patient('"active":true'))]);
    t.match(back, { outcome: 'created', version: 3 });
    t.match(await store.read(PATIENT), { version: 3, isDeleted: false });
    t.match(await store.read(PATIENT, 2), { version: 2, isDeleted: true });
  });

  test(`${name}: what was never there is deleted without a trace`, async (t) => {
    const store = await open(t);
    t.match(await store.commit([deleted(PATIENT)]), [{ ...PATIENT, outcome: 'unchanged' }]);
    t.equal(await store.read(PATIENT), undefined);
    t.same((await store.history(PATIENT, { count: 10 })).items, []);
    t.match(await store.commit([created(patient())]), [{ outcome: 'created', version: 1 }]);
  });

  test(`${name}: an update with the stored text makes no version`, async (t) => {
    const store = await open(t);
    const [first] = await store.commit([updated(patient('"active":true'))]);
    t.match(first, { outcome: 'created', version: 1 }, 'an update as create');
    const [same] = await store.commit([updated(patient('"active":true'))]);
    t.match(same, { outcome: 'unchanged', version: 1, lastUpdated: first?.lastUpdated });
    const [other] = await store.commit([updated(patient('"active":true,"gender":"female"'))]);
    t.match(other, { outcome: 'updated', version: 2 });
    t.equal((await store.history(PATIENT, { count: 10 })).items.length, 2);
  });
};

const testHistory = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a history is newest first, without gaps, on pages of any size`, async (t) => {
    const store = await open(t);
    for (let version = 1; version <= 7; version++)
      await store.commit([version === 4 ? deleted(PATIENT) : updated(patient(`"content":${version}`))]);
    await store.commit([updated(resourceOf('Patient', 'q'))]);
    for (const count of [1, 2, 3, 6, 7, 8, 100]) {
      const versions: number[] = [];
      let after: PageKey | undefined;
      do {
        const page = await store.history(PATIENT, after === undefined ? { count } : { count, after });
        t.ok(page.items.length <= count && page.items.length > 0);
        for (const item of page.items) {
          versions.push(item.version);
          t.match(item, { ...PATIENT, isDeleted: item.version === 4 });
          if (!item.isDeleted) t.equal(JSON.parse(String(item.text)).content, item.version);
        }
        after = page.next;
      } while (after !== undefined);
      t.same(versions, [7, 6, 5, 4, 3, 2, 1], `pages of ${count}`);
    }
  });

  test(`${name}: a new version does not shift the next page of a history`, async (t) => {
    const store = await open(t);
    for (const version of [1, 2, 3]) await store.commit([updated(patient(`"content":${version}`))]);
    const first = await store.history(PATIENT, { count: 2 });
    await store.commit([updated(patient('"content":4'))]);
    const second = await store.history(PATIENT, { count: 2, after: first.next ?? [] });
    t.same(
      [...first.items, ...second.items].map(({ version }) => version),
      [3, 2, 1],
    );
    t.equal(second.next, undefined);
  });
};

const testPreconditions = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: If-Match is refused with 412 unless it names the current version`, async (t) => {
    const store = await open(t);
    const refused = { name: 'FhirError', status: 412, position: 0 };
    await t.rejects(store.commit([updated(patient(), [], { ifMatch: 1 })]), refused, 'not there');
    await t.rejects(store.commit([deleted(PATIENT, 1)]), refused, 'nothing to delete');
    await store.commit([created(patient('"content":1'))]);
    await t.rejects(store.commit([updated(patient('"content":2'), [], { ifMatch: 2 })]), refused, 'a later version');
    t.match(await store.commit([updated(patient('"content":2'), [], { ifMatch: 1 })]), [{ version: 2 }]);
    await t.rejects(store.commit([updated(patient('"content":3'), [], { ifMatch: 1 })]), refused, 'a stale version');
    await t.rejects(
      store.commit([updated(patient('"content":2'), [], { ifMatch: 1 })]),
      refused,
      'also with this text',
    );
    await t.rejects(store.commit([deleted(PATIENT, 1)]), refused);
    t.match(await store.commit([deleted(PATIENT, 2)]), [{ outcome: 'deleted', version: 3 }]);
    await t.rejects(
      store.commit([updated(patient(), [], { ifMatch: 3 })]),
      refused,
      'a deletion is no version to match',
    );
    t.match(await store.read(PATIENT), { version: 3, isDeleted: true });
  });

  test(`${name}: If-Match * is refused with 412 unless there is a current version`, async (t) => {
    const store = await open(t);
    const refused = { name: 'FhirError', status: 412, position: 0 };
    await t.rejects(store.commit([updated(patient(), [], { ifMatch: '*' })]), refused, 'not there');
    await t.rejects(store.commit([deleted(PATIENT, '*')]), refused, 'nothing to delete');
    await store.commit([created(patient('"content":1'))]);
    t.match(await store.commit([updated(patient('"content":2'), [], { ifMatch: '*' })]), [{ version: 2 }]);
    t.match(await store.commit([deleted(PATIENT, '*')]), [{ outcome: 'deleted', version: 3 }]);
    await t.rejects(
      store.commit([updated(patient(), [], { ifMatch: '*' })]),
      refused,
      'a deletion is no version to match',
    );
  });

  test(`${name}: of parallel updates with one If-Match exactly one is made`, async (t) => {
    const store = await open(t);
    await store.commit([created(patient())]);
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, at) => store.commit([updated(patient(`"content":${at}`), [], { ifMatch: 1 })])),
    );
    t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    t.match(await store.read(PATIENT), { version: 2 });
  });

  test(`${name}: a create of what is there is refused with 409`, async (t) => {
    const store = await open(t);
    await store.commit([created(patient('"content":1'))]);
    const refused = { name: 'FhirError', status: 409, position: 1 };
    await t.rejects(store.commit([created(resourceOf('Patient', 'q')), created(patient('"content":2'))]), refused);
    t.match(await store.read(PATIENT), { version: 1 });
    t.equal(await store.read({ type: 'Patient', id: 'q' }), undefined);
  });
};

const testTexts = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: the text is kept to the byte, with version and time in meta`, async (t) => {
    const store = await open(t);
    const contents = [
      '"decimals":[1.10,1e3,-0.0,0.1e-5,100000000000000000000.000000000000001]',
      '"name":[{"family":"Müller-Łukasiewicz"}],"_birthDate":{"extension":[]}',
      '"text":"日本 😀 \u{1F468}\u200D\u{1F469} e\u0301 \\u0041 \\n \\"quoted\\""',
      `"data":"${'x'.repeat(300_000)}"`,
    ];
    for (const [at, content] of contents.entries()) {
      const resource = resourceOf('Basic', `b${at}`, content);
      const [written] = await store.commit([created(resource)]);
      const stamp = `"versionId":"1","lastUpdated":"${instantText(written?.lastUpdated ?? 0)}"`;
      const bytes = Buffer.from(`${resource.head}${stamp}${resource.tail}`);
      const stored = await store.read(resource);
      t.ok(stored?.text.equals(bytes), `current text of ${content.slice(0, 20)}`);
      await store.commit([deleted(resource)]);
      t.ok((await store.read(resource, 1))?.text.equals(bytes), `old text of ${content.slice(0, 20)}`);
    }
  });

  test(`${name}: what the client says of its version is replaced, and the rest of its meta stays`, async (t) => {
    const store = await open(t);
    const text = '{"resourceType":"Patient","meta":{"versionId":"9","tag":[{"code":"x"}]},"active":true}';
    const [written] = await store.commit([created(resourceText(text, 'Patient', 'p'))]);
    t.same(JSON.parse(String((await store.read(PATIENT))?.text)), {
      resourceType: 'Patient',
      id: 'p',
      meta: { versionId: '1', lastUpdated: instantText(written?.lastUpdated ?? 0), tag: [{ code: 'x' }] },
      active: true,
    });
  });

  test(`${name}: lastUpdated is now, and never goes back`, async (t) => {
    const store = await open(t);
    const before = Date.now();
    let last = before - 1;
    for (let at = 0; at < 50; at++) {
      const [written] = await store.commit([at % 7 === 6 ? deleted(PATIENT) : updated(patient(`"content":${at}`))]);
      t.ok((written?.lastUpdated ?? 0) >= last);
      last = written?.lastUpdated ?? 0;
    }
    t.ok(last <= Date.now());
    const { items } = await store.history(PATIENT, { count: 100 });
    t.ok(items.every(({ lastUpdated }, at) => at === 0 || lastUpdated <= (items[at - 1]?.lastUpdated ?? 0)));
  });
};

export const testVersions = (name: string, open: (t: Test) => Promise<Store>): void => {
  testReads(name, open);
  testHistory(name, open);
  testPreconditions(name, open);
  testTexts(name, open);
};
