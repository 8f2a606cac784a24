import { test } from 'tap';
import { testStoreContract } from '../store-contract.ts';
import { openTemporaryMongoStore, WITHOUT_MONGODB } from './temporary-store.ts';

if (WITHOUT_MONGODB === false) testStoreContract('MongoDB', openTemporaryMongoStore);
else test('MongoDB: the contract of stores', { skip: WITHOUT_MONGODB }, async () => undefined);
