/** What the invariants of large resources cost, and that other work gets its turns meanwhile. */
import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { loadTerminology } from '../../src/definitions/terminology.ts';
import { createInvariantCompiler } from '../../src/fhirpath/invariant.ts';
import { createInvariantCheck } from '../../src/validation/invariants.ts';

type Json = Record<string, unknown>;

const structures = loadStructures();
const compile = createInvariantCompiler(loadTerminology());
const check = createInvariantCheck(structures, compile, 60_000);

const many = <T>(count: number, item: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => item(at));

const element = (at: number): Json => ({ id: `A.x${at}`, path: `A.x${at}`, definition: 'a', min: 0, max: '1' });

/** By name: a resource of so many elements, whose invariants compare each with each, or look at all of them. */
const LARGE: Readonly<Record<string, (count: number) => Json>> = {
  'references to contained resources': (count) => ({
    resourceType: 'Patient',
    contained: many(count, (at) => ({ resourceType: 'Organization', id: `o${at}`, name: 'A' })),
    generalPractitioner: many(count, (at) => ({ reference: `#o${at}` })),
  }),
  'items of a Questionnaire': (count) => ({
    resourceType: 'Questionnaire',
    status: 'draft',
    item: many(count, (at) => ({ linkId: `q${at}`, type: 'string' })),
  }),
  'entries of a Bundle': (count) => ({
    resourceType: 'Bundle',
    type: 'collection',
    entry: many(count, (at) => ({ fullUrl: `urn:uuid:${at}`, resource: { resourceType: 'Patient' } })),
  }),
  'elements of a StructureDefinition': (count) => ({
    resourceType: 'StructureDefinition',
    kind: 'resource',
    type: 'A',
    snapshot: { element: many(count, element) },
    differential: { element: many(count, element) },
  }),
  'types of an ElementDefinition': (count) => ({
    resourceType: 'StructureDefinition',
    snapshot: { element: [{ ...element(0), type: many(count, (at) => ({ code: `c${at}` })) }] },
  }),
  'concepts of a CodeSystem': (count) => ({
    resourceType: 'CodeSystem',
    concept: many(count, (at) => ({ code: `c${at}` })),
  }),
  'resources of a CapabilityStatement': (count) => ({
    resourceType: 'CapabilityStatement',
    rest: [{ resource: many(count, (at) => ({ type: `T${at}`, searchParam: [{ name: 'a' }] })) }],
  }),
  'components and codes of an Observation': (count) => ({
    resourceType: 'Observation',
    valueInteger: 1,
    code: { coding: many(count, (at) => ({ code: `a${at}` })) },
    component: many(count, (at) => ({ code: { coding: [{ code: `b${at}` }] } })),
  }),
  'pages of an ImplementationGuide': (count) => ({
    resourceType: 'ImplementationGuide',
    fhirVersion: many(count, () => '4.0.0'),
    definition: {
      grouping: many(count, (at) => ({ id: `g${at}` })),
      resource: many(count, (at) => ({ groupingId: `g${at}`, fhirVersion: ['4.0.0'] })),
    },
  }),
};

/** Of this thread, as the machine may be busy with something else. */
const processorMilliseconds = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

/** The fastest of three. */
const milliseconds = async (resource: Json): Promise<number> => {
  let least = Number.POSITIVE_INFINITY;
  for (let left = 3; left > 0; left--) {
    const began = processorMilliseconds();
    await check(resource);
    least = Math.min(least, processorMilliseconds() - began);
  }
  return least;
};

for (const [name, make] of Object.entries(LARGE))
  test(`four times as many ${name} take about four times as long`, async (t) => {
    await milliseconds(make(100));
    const few = await milliseconds(make(500));
    const more = await milliseconds(make(2000));
    t.ok(more < 9 * Math.max(few, 2), `${few.toFixed(1)} ms, then ${more.toFixed(1)} ms`);
  });

/** The longest processor time in milliseconds for which nothing else has its turn, until `work` is done. */
const longestBlock = async (work: Promise<unknown>): Promise<number> => {
  let longest = 0;
  let last = processorMilliseconds();
  const look = (): void => {
    const now = processorMilliseconds();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  await work.catch(() => undefined);
  look();
  clearInterval(timer);
  return longest;
};

test('a large resource leaves turns to others, also beside more of its kind', async (t) => {
  const large = LARGE['items of a Questionnaire']?.(2000) as Json;
  await check(large);
  let alone = Number.POSITIVE_INFINITY;
  let several = Number.POSITIVE_INFINITY;
  for (let left = 3; left > 0; left--) {
    alone = Math.min(alone, await longestBlock(check(large)));
    several = Math.min(several, await longestBlock(Promise.all(many(6, () => check(large)))));
  }
  t.ok(alone < 100, `alone ${alone.toFixed(0)} ms`);
  t.ok(several < 100, `six at a time ${several.toFixed(0)} ms`);
});

test('a check that works too long is refused as too costly, with the name of the limit', async (t) => {
  const limited = createInvariantCheck(structures, compile, 30);
  const refusal = await limited(LARGE['items of a Questionnaire']?.(4000) as Json).catch((error: unknown) => error);
  t.match(refusal, {
    status: 422,
    issues: [{ severity: 'error', code: 'too-costly', diagnostics: /CONSILIUM_VALIDATE_SECONDS/ }],
  });
  t.ok((await limited({ resourceType: 'Patient' })).length > 0, 'the next is not');
});

test('what others take meanwhile does not count', async (t) => {
  const limited = createInvariantCheck(structures, compile, 600);
  const resource = LARGE['items of a Questionnaire']?.(1500) as Json;
  await check(resource);
  let turns = 0;
  const busy = setInterval(() => {
    turns++;
    const until = performance.now() + 300;
    while (performance.now() < until);
  }, 0);
  const found = await limited(resource);
  clearInterval(busy);
  t.ok(found.length > 0);
  t.ok(turns > 2, `others took ${turns} times 0.3 s`);
});
