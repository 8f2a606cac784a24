/** The collections of one database, with what every command on them has in common. */
import {
  type Collection,
  type Db,
  type DbOptions,
  type MongoClient,
  ReadConcern,
  ReadPreference,
  WriteConcern,
} from 'mongodb';
import type { HistoryDocument, ResourceDocument } from './document.ts';
import type { RecordDocument } from './records.ts';

/** What parallel transactions write of which only one may go on: see locks.ts. Or a number that is kept for a copy. */
export interface LockDocument {
  readonly _id: string;
  readonly count: number;
  /** Whose number it is. */
  readonly resource?: string;
  readonly expires: Date;
}

export interface Collections {
  readonly client: MongoClient;
  readonly database: Db;
  readonly resources: Collection<ResourceDocument>;
  readonly history: Collection<HistoryDocument>;
  readonly records: Collection<RecordDocument>;
  /** The numbers that instances have leased; apart from the records, as a copy takes those. */
  readonly instances: Collection<RecordDocument>;
  readonly locks: Collection<LockDocument>;
}

/** What a majority has, and what a majority has on its disks: so nothing that was seen or answered is ever rolled back. */
const CONCERNS: DbOptions = {
  readConcern: new ReadConcern('majority'),
  writeConcern: new WriteConcern('majority', undefined, true),
  readPreference: ReadPreference.primary,
};

export const openCollections = (client: MongoClient, name: string): Collections => {
  const database = client.db(name, CONCERNS);
  return {
    client,
    database,
    resources: database.collection('resources'),
    history: database.collection('history'),
    records: database.collection('records'),
    instances: database.collection('instances'),
    locks: database.collection('locks'),
  };
};
