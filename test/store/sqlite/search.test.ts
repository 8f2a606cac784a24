import { testStoreSearch } from '../search-contract.ts';
import { openTemporaryStore } from './temporary-store.ts';

testStoreSearch('SQLite', openTemporaryStore);
