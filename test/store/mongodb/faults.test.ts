/**
 * Random faults under load. With CONSILIUM_TEST_FAIL_POINTS=1 they are made by the server's own fail points and
 * step-downs, and else by a proxy.
 */
import tap, { type Test, test } from 'tap';
import { FhirError } from '../../../src/fhir/fhir-error.ts';
import { RefusedWrite, StaleExpectation, type Store, type Version, type Written } from '../../../src/store/store.ts';
import { created, deleted, idsOf, resourceOf, searchOf, token, updated, withToken } from '../contract/resources.ts';
import { settings } from '../contract/run-settings.ts';
import { useFailPoints } from './fail-points.ts';
import { type Fault, type Faults, startFaultProxy } from './fault-proxy.ts';
import { openInstance, temporaryDatabase, WITHOUT_MONGODB } from './temporary-store.ts';

/** The long form of the properties has more runs than faults would take time for. */
const MOST_FAULTS = 1000;

type Random = (below: number) => number;

/** @see https://en.wikipedia.org/wiki/Linear_congruential_generator */
const randomFrom = (seed: number): Random => {
  let state = BigInt(seed) + 1n;
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number((state >> 33n) % BigInt(below));
  };
};

const pick = <T>(from: readonly T[], random: Random): T => from[random(from.length)] as T;

const COMMANDS = ['find', 'insert', 'update', 'commitTransaction'];

/** Errors of servers, and what a server says with them in a transaction. */
const ERRORS = [
  { code: 10_107, labels: [] },
  { code: 91, labels: [] },
  { code: 11_602, labels: [] },
  { code: 112, labels: ['TransientTransactionError'] },
  { code: 251, labels: ['TransientTransactionError'] },
];

const randomFault = (random: Random): Fault => {
  const command = pick(COMMANDS, random);
  const fault = { commands: [command], times: 1 + random(4), isLost: random(2) === 0 };
  if (random(2) === 0) return fault;
  // A conflict is no answer to what has taken effect.
  const error = pick(fault.isLost ? ERRORS.slice(0, 3) : ERRORS, random);
  if (command !== 'commitTransaction') return { ...fault, error };
  const label = fault.isLost || error.code !== 112 ? 'UnknownTransactionCommitResult' : 'TransientTransactionError';
  return { ...fault, error: { code: error.code, labels: [label] } };
};

/** One commit: what it was to write, and what became of it. */
interface Attempt {
  /** `Patient/p1` and the number that its content has, for each resource. */
  readonly contents: readonly { readonly id: string; readonly content: number }[];
  written?: readonly Written[];
  error?: unknown;
}

interface Load {
  readonly attempts: Attempt[];
  readonly random: Random;
  content: number;
}

const patient = (id: string, content: number) => resourceOf('Patient', id, `"content":${content}`);
const entries = (content: number) => [token('code', `c${content}`)];
const SHARED = ['a', 'b', 'c', 'd', 'e', 'f'];

const attempted = async (attempt: Attempt, commit: () => Promise<readonly Written[]>, load: Load): Promise<void> => {
  load.attempts.push(attempt);
  try {
    attempt.written = await commit();
  } catch (error) {
    attempt.error = error;
  }
};

const next = (load: Load, id: string) => ({ id, content: ++load.content });
const update = ({ id, content }: { id: string; content: number }) => updated(patient(id, content), entries(content));

const single = (store: Store, load: Load): Promise<void> => {
  const one = next(load, pick(SHARED, load.random));
  return attempted({ contents: [one] }, () => store.commit([update(one)]), load);
};

const creation = (store: Store, load: Load): Promise<void> => {
  const one = next(load, `new${load.content}`);
  const write = created(patient(one.id, one.content), entries(one.content));
  return attempted({ contents: [one] }, () => store.commit([write]), load);
};

const deletion = (store: Store, load: Load): Promise<void> => {
  const id = pick(SHARED, load.random);
  return attempted({ contents: [] }, () => store.commit([deleted({ type: 'Patient', id })]), load);
};

const transaction = (store: Store, load: Load): Promise<void> => {
  const start = load.random(SHARED.length);
  const ids = [0, 1, 2].map((step) => SHARED[(start + step) % SHARED.length] as string);
  const contents = [...ids, `tx${load.content}`].map((id) => next(load, id));
  return attempted({ contents }, () => store.commit(contents.map(update)), load);
};

/** Creates that all expect to be the first; every one resolves its condition again when that is stale. */
const conditional = (store: Store, load: Load): Promise<void> => {
  const number = load.random(4) + 4 * Math.floor(load.content / 40);
  const identifier = token('identifier', `i${number}`);
  const query = searchOf('Basic', [withToken('identifier', `i${number}`)], 2);
  const one = next(load, `basic${load.content}`);
  const write = created(resourceOf('Basic', one.id, `"content":${one.content}`), [identifier]);
  return attempted({ contents: [] }, () => store.commit([write], [{ query, found: [] }]), load);
};

const KINDS = [single, single, creation, deletion, transaction, transaction, conditional];

/** All versions of a resource, oldest first. */
const versionsOf = async (store: Store, type: string, id: string): Promise<Version[]> => {
  const current = await store.read({ type, id });
  const versions: Version[] = [];
  for (let version = 1; version <= (current?.version ?? 0); version++) {
    const found = await store.read({ type, id }, version);
    if (found !== undefined) versions.push(found);
  }
  return versions;
};

const contentOf = ({ isDeleted, text }: Version): number | undefined =>
  isDeleted ? undefined : (JSON.parse(String(text)) as { content: number }).content;

const isExpected = (error: unknown): boolean =>
  error instanceof StaleExpectation || (error instanceof FhirError && error.status === 503);

const check = async (t: Test, store: Store, { attempts }: Load): Promise<void> => {
  const ids = [...new Set(attempts.flatMap(({ contents }) => contents.map(({ id }) => id)))];
  const histories = new Map<string, Version[]>();
  const gaps: string[] = [];
  for (const id of ids) {
    const versions = await versionsOf(store, 'Patient', id);
    const isWhole = versions.every(
      ({ version, lastUpdated }, at) => version === at + 1 && lastUpdated >= (versions[at - 1]?.lastUpdated ?? 0),
    );
    const current = (await store.read({ type: 'Patient', id }))?.version ?? 0;
    if (!isWhole || versions.length !== current) gaps.push(id);
    histories.set(id, versions);
  }
  t.same(gaps, [], 'no history has a gap, and no time goes back');

  const times = ({ id, content }: { id: string; content: number }): number =>
    (histories.get(id) ?? []).filter((version) => contentOf(version) === content).length;
  const isLost = ({ written, contents }: Attempt): boolean =>
    written !== undefined && contents.some((one) => times(one) === 0);
  t.same(attempts.filter(isLost), [], 'no acknowledged write is lost');
  t.same(
    attempts.filter(({ contents }) => contents.some((one) => times(one) > 1)),
    [],
    'none is doubled',
  );
  const isHalf = ({ contents }: Attempt): boolean => new Set(contents.map(times)).size > 1;
  t.same(attempts.filter(isHalf), [], 'no transaction is half there');
  const isUntrue = ({ written, contents }: Attempt): boolean =>
    written?.some(({ version }, at) => {
      const one = contents[at];
      const found = one === undefined ? undefined : histories.get(one.id)?.[version - 1];
      return one !== undefined && (found === undefined || contentOf(found) !== one.content);
    }) ?? false;
  t.same(attempts.filter(isUntrue), [], 'each was answered with its own version');
  t.same(
    attempts.flatMap(({ error }) => (error === undefined || isExpected(error) ? [] : [String(error)])),
    [],
    'what fails says that the database cannot be used just now',
  );
  t.notOk(
    attempts.some(({ error }) => error instanceof RefusedWrite),
    'no write is refused because of an attempt of its own',
  );

  const unlike: string[] = [];
  for (const [id, versions] of histories)
    for (const [at, version] of versions.entries()) {
      const content = contentOf(version);
      if (content === undefined) continue;
      const found = await idsOf(store, 'Patient', withToken('code', `c${content}`));
      if (found.join() !== (at === versions.length - 1 ? id : '')) unlike.push(`${id} ${content}: ${found.join()}`);
    }
  t.same(unlike, [], 'the index is as the bodies are');
};

const checkConditional = async (t: Test, store: Store, content: number): Promise<void> => {
  const several: string[] = [];
  for (let number = 0; number <= content / 10 + 4; number++)
    if ((await idsOf(store, 'Basic', withToken('identifier', `i${number}`))).length > 1) several.push(`i${number}`);
  t.same(several, [], 'no condition was met twice');
};

const faultsFor = (t: Test, url: string): Promise<Faults> | Faults =>
  process.env['CONSILIUM_TEST_FAIL_POINTS'] === '1' ? useFailPoints(t, url) : startFaultProxy(t, url);

// A fault costs up to half a second, in which the driver looks for a primary.
tap.setTimeout(3_600_000);

test('MongoDB: under random faults no acknowledged write is lost, none is doubled, and no transaction is half there', {
  skip: WITHOUT_MONGODB,
  timeout: 3_600_000,
}, async (t) => {
  const { numRuns, seed } = settings(t, 40);
  const count = Math.min(numRuns, MOST_FAULTS);
  const random = randomFrom(seed);
  const { url, database } = temporaryDatabase(t);
  const faults = await faultsFor(t, url);
  const stores = [
    await openInstance(t, { url: faults.url, database }, { deadlineMilliseconds: 20_000 }),
    await openInstance(t, { url: faults.url, database }, { deadlineMilliseconds: 20_000 }),
  ];
  const load: Load = { attempts: [], random, content: 0 };
  for (let run = 0; run < count; run++) {
    if (random(10) === 0) await faults.stepDown(100 + random(300));
    else await faults.inject(randomFault(random));
    await Promise.all(Array.from({ length: 6 }, (_, at) => pick(KINDS, random)(stores[at % 2] as Store, load)));
    await faults.clear();
  }
  const failed = load.attempts.filter(({ error }) => error !== undefined).length;
  t.comment(`${load.attempts.length} commits, ${failed} failed`);
  t.ok(failed < load.attempts.length / 2, 'most commits go well');
  await check(t, stores[0] as Store, load);
  await checkConditional(t, stores[0] as Store, load.content);
});
