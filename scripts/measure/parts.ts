/** Where the time of a write goes: the server's own functions, one after the other, on the same resources. */
import { join } from 'node:path';
import { createFhirServer } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { type JsonText, parseJson } from '../../src/fhir/json-text.ts';
import { type ResourceText, resourceText } from '../../src/fhir/resource-text.ts';
import type { IndexEntry } from '../../src/search/index-entry.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import type { Write } from '../../src/store/store.ts';
import { mapInFlight } from '../child-server/fhir-exchange.ts';
import { createRandom, laboratoryResult } from './resources.ts';

/** Microseconds a resource. */
export interface Parts {
  /** To text and values: syntax, duplicate keys, digits. */
  readonly parse: number;
  readonly validate: number;
  /** Cutting the text for its id and version. */
  readonly cut: number;
  /** Search parameters to index entries. */
  readonly extract: number;
  /** Single commits, 16 in flight, so that they share syncs; on the writer's thread. */
  readonly commitAlone: number;
  /** Commits of 100 resources, 4 in flight, as transactions make them; on the writer's thread. */
  readonly commitTogether: number;
}

const BASE = 'http://127.0.0.1/fhir';
const TOGETHER = 100;

/** Microseconds of one of `count`: the median of several rounds. */
const microseconds = (count: number, rounds: number, action: () => void): number => {
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now();
    action();
    return ((performance.now() - start) * 1000) / count;
  });
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)]!;
};

const inGroups = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));

/** `folder` is for a store that is thrown away. */
export const measuredParts = async (folder: string, count: number): Promise<Parts> => {
  const config = readConfig({ CONSILIUM_DATA: folder, CONSILIUM_STORE_KEY: 'ab'.repeat(32), CONSILIUM_ACCESS: 'open' });
  const store = await openSqliteStore({
    path: join(folder, 'parts.db'),
    key: config.storeKey,
    checkBytes: 0,
    readCacheBytes: 0,
    searchPool: { quickThreads: 1, slowThreads: 1, quickMilliseconds: 25, queue: 1000 },
    searchLimits: { milliseconds: config.searchMilliseconds, rows: config.searchRows },
  });
  const server = createFhirServer(config, store, BASE);
  const random = createRandom(6);
  const texts = Array.from({ length: count }, (_, at) =>
    JSON.stringify(laboratoryResult(`Patient/${at % 50}`, random)),
  );
  let parsed: JsonText[] = [];
  let cut: ResourceText[] = [];
  let entries: IndexEntry[][] = [];
  const facts = { expectedType: 'Observation' };
  const rounds = 5;
  const parse = microseconds(count, rounds, () => {
    parsed = texts.map((text) => parseJson(text, config.jsonDepth));
  });
  const validate = microseconds(count, rounds, () => {
    for (const { value, integralDecimals } of parsed) server.validate(value, { ...facts, integralDecimals });
  });
  const cutting = microseconds(count, rounds, () => {
    cut = parsed.map(({ text }) => resourceText(text, 'Observation', server.newId()));
  });
  const extract = microseconds(count, rounds, () => {
    entries = parsed.map(({ value }) => server.indexEntries(value as { resourceType: string }));
  });
  const writesOf = (series: string): Write[] =>
    cut.map((resource, at) => ({
      kind: 'create',
      resource: resourceText(parsed[at]!.text, 'Observation', `${series}-${resource.id}`),
      entries: entries[at]!,
    }));
  const committed = async (groups: readonly Write[][], inFlight: number): Promise<number> => {
    const start = performance.now();
    await mapInFlight(groups, inFlight, (writes) => store.commit(writes));
    return ((performance.now() - start) * 1000) / count;
  };
  await committed([writesOf('warm')], 1);
  const commitAlone = await committed(inGroups(writesOf('alone'), 1), 16);
  const commitTogether = await committed(inGroups(writesOf('together'), TOGETHER), 4);
  await store.close();
  return { parse, validate, cut: cutting, extract, commitAlone, commitTogether };
};
