import { testStoreContract } from '../store-contract.ts';
import { openTemporaryStore } from './temporary-store.ts';

testStoreContract('SQLite', openTemporaryStore);
