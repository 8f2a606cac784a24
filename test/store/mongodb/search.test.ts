import { test } from 'tap';
import { testStoreSearch } from '../search-contract.ts';
import { openTemporaryMongoStore, WITHOUT_MONGODB } from './temporary-store.ts';

/** A database behind a network answers some hundred searches in the time in which the embedded one answers thousands. */
const RUNS = 60;

if (WITHOUT_MONGODB === false) testStoreSearch('MongoDB', openTemporaryMongoStore, RUNS);
else test('MongoDB: the contract of searches', { skip: WITHOUT_MONGODB }, async () => undefined);
