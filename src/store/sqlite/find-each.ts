/** The first matches of many searches, by one message to a reading thread, where one for each would cost the most. */
import { FhirError } from '../../fhir/fhir-error.ts';
import type { Reference } from '../../fhir/reference.ts';
import type { SearchQuery } from '../../search/search-query.ts';
import type { Store } from '../store.ts';
import type { ReadRequest, ReadResult } from './reader.ts';

/** So many are searched by one message, which other searches wait for. */
const SEARCHES_A_MESSAGE = 100;

const isTooCostly = (error: unknown): boolean =>
  error instanceof FhirError && error.issues.some(({ code }) => code === 'too-costly');

export const createFindEach = (read: (request: ReadRequest) => Promise<ReadResult>): Store['findEach'] => {
  const find = async (queries: readonly SearchQuery[]) => (await read({ kind: 'find-each', queries })).found ?? [];

  const findPart = async (queries: readonly SearchQuery[]): Promise<readonly (readonly Reference[])[]> => {
    try {
      return await find(queries);
    } catch (error) {
      if (queries.length === 1 || !isTooCostly(error)) throw error;
    }
    // The limits are those of one search: what is over them together may be within them one by one.
    const results: (readonly Reference[])[] = [];
    for (const query of queries) results.push(...(await find([query])));
    return results;
  };

  return async (queries) => {
    const results: (readonly Reference[])[] = [];
    for (let at = 0; at < queries.length; at += SEARCHES_A_MESSAGE)
      results.push(...(await findPart(queries.slice(at, at + SEARCHES_A_MESSAGE))));
    return results;
  };
};
