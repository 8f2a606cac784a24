/** What every store must do. A store's own test runs this with a function that opens an empty store for one test. */
import type { Test } from 'tap';
import type { Store } from '../../src/store/store.ts';
import { testBytes } from './contract/bytes.ts';
import { testCommits } from './contract/commits.ts';
import { testExplain } from './contract/explain.ts';
import { testFindEach } from './contract/find-each.ts';
import { testHistories } from './contract/histories.ts';
import { testRecords } from './contract/records.ts';
import { testRelated } from './contract/related.ts';
import { testSources } from './contract/sources.ts';
import { testTransfer } from './contract/transfer.ts';
import { testVersions } from './contract/versions.ts';

export const testStoreContract = (name: string, open: (t: Test) => Promise<Store>): void => {
  testVersions(name, open);
  testCommits(name, open);
  testFindEach(name, open);
  testHistories(name, open);
  testRelated(name, open);
  testBytes(name, open);
  testExplain(name, open);
  testRecords(name, open);
  testSources(name, open);
  testTransfer(name, open);
};
