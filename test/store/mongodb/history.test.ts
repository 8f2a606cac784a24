import { type Test, test } from 'tap';
import { type Ran, startCommands } from '../../../src/store/mongodb/commands.ts';
import { commandPlan } from '../../../src/store/mongodb/explain-command.ts';
import { historyCount, historyPage } from '../../../src/store/mongodb/history.ts';
import type { HistoryScope, HistoryTimes } from '../../../src/store/store.ts';
import { created, deleted, resourceOf, updated } from '../contract/resources.ts';
import { openTemporarySearches } from './temporary-searches.ts';
import { WITHOUT_MONGODB } from './temporary-store.ts';

const options = { skip: WITHOUT_MONGODB };
const a = resourceOf('Patient', 'a', '"content":1');

const openVersions = async (t: Test) => {
  const open = await openTemporarySearches(t);
  await open.store.commit([created(a), created(resourceOf('Patient', 'b'))]);
  const start = (await open.store.read(a))?.lastUpdated ?? 0;
  await open.store.commit([updated(resourceOf('Patient', 'a', '"content":2'))]);
  await open.store.commit([deleted(a)]);
  return { ...open, start };
};

test('MongoDB: a version that a lost write left behind is told once', options, async (t) => {
  const { store, searches, context, start } = await openVersions(t);
  const scopes: HistoryScope[] = [{ type: 'Patient', id: 'a' }, { type: 'Patient' }, {}];
  const periods: HistoryTimes[] = [
    {},
    { since: start },
    { at: { lo: start - 1, hi: start + 1_000_000 } },
    { at: { lo: start + 1_000_000, hi: start + 1_000_001 } },
  ];
  const asked = scopes.flatMap((scope) => periods.map((times) => [scope, times] as const));
  const namesOf = async (): Promise<string[]> =>
    Promise.all(
      asked.map(async ([scope, times]) => {
        const { items } = await searches.history(scope, { ...times, count: 10 });
        t.equal(await searches.countHistory(scope, times), items.length, `${JSON.stringify(times)}`);
        return items.map(({ id, version }) => `${id}/${version}`).join();
      }),
    );
  const before = await namesOf();
  t.same(before.slice(0, 4), ['a/3,a/2,a/1', 'a/3,a/2,a/1', 'a/3,a/2,a/1', 'a/3']);
  t.match(before[11], /^(a\/3,b\/1|b\/1,a\/3)$/);
  for (const document of await context.resources.find({}).toArray())
    await context.history.insertOne({ ...document, _id: `${document._id}/${document.version}` });
  t.same(await namesOf(), before);
  await store.commit([updated(resourceOf('Patient', 'a', '"content":4'))]);
  const { items } = await searches.history({ type: 'Patient', id: 'a' }, { count: 2 });
  t.same(
    items.map(({ version }) => version),
    [4, 3],
  );
});

test('MongoDB: the history of sources reads their index, and costs no more commands', options, async (t) => {
  const { store, searches, context, commandsOf } = await openTemporarySearches(t);
  const sources = ['Organization/a', 'Organization/b'];
  for (const type of ['Patient', 'Group'])
    for (const content of ['1', '2', '3'])
      await store.commit(
        sources.map((source, at) => updated(resourceOf(type, `p${at}`, `"content":${content}`), [], { source })),
      );
  for (const scope of [{ type: 'Patient', sources }, { sources }, { sources: sources.slice(0, 1) }]) {
    const ran: Ran[] = [];
    const commands = startCommands(context, (each) => ran.push(each));
    const { items } = await historyPage(scope, { count: 3 }, context, commands);
    t.equal(items.length, 3);
    t.ok(items.every(({ type, source = '' }) => scope.sources.includes(source) && type === (scope.type ?? type)));
    t.equal(await historyCount(scope, {}, commands), (scope.type === undefined ? 12 : 6) * (scope.sources.length / 2));
    t.same(
      ran.map(({ command }) => command.hint),
      ['source_1', 'history_source_1', 'source_1'],
    );
    for (const each of ran) t.notMatch((await commandPlan(each, context)).lines.join(), /COLLSCAN/);
    t.same(await commandsOf(() => searches.history(scope, { count: 2 })), ['find', 'find']);
  }
});

test('MongoDB: a page of a history costs two commands', options, async (t) => {
  const { searches, commandsOf } = await openVersions(t);
  for (const scope of [{ type: 'Patient', id: 'a' }, { type: 'Patient' }, {}]) {
    t.same(await commandsOf(() => searches.history(scope, { count: 2 })), ['find', 'find']);
    t.equal((await commandsOf(() => searches.countHistory(scope, {}))).length, 1);
  }
});
