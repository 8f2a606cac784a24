import { MongoServerError } from 'mongodb';
import { test } from 'tap';
import { answerOf, isTransient } from '../../../src/store/mongodb/faults.ts';

const serverError = (code: number, codeName: string) => new MongoServerError({ message: 'failed', code, codeName });

test('a transaction that does not fit into the memory of the database is refused as too large', async (t) => {
  // Since MongoDB 6.2: https://www.mongodb.com/docs/manual/core/transactions-in-applications/
  for (const [code, name] of [
    [257, 'TransactionTooLarge'],
    [313, 'TransactionTooLargeForCache'],
  ] as const)
    t.match(answerOf(serverError(code, name)), { name: 'FhirError', status: 413 }, name);
});

test('a cursor that a restarted server has lost is opened again', async (t) => {
  t.ok(isTransient(serverError(43, 'CursorNotFound')));
  t.notOk(isTransient(serverError(2, 'BadValue')));
});
