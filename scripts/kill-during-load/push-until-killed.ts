/** Pushes creates, updates and transactions at the same time until the server is gone, and keeps a journal of them. */
import { randomUUID } from 'node:crypto';
import type { Observation, Patient } from '@medplum/fhirtypes';
import type { Answer, FhirExchange } from '../child-server/fhir-exchange.ts';
import { countedPatient, markedObservation, transactionBundle } from './resources.ts';

/** A single create. */
export interface Created {
  readonly sent: Observation;
  /** Finds it by its tag. */
  readonly mark: string;
  /** Undefined: the server was killed before it answered. */
  readonly answer: Answer | undefined;
}

/** The writes of one Patient that only one connection writes: the first makes version 1, and so on. */
export interface Series {
  readonly id: string;
  readonly writes: readonly { readonly sent: Patient; readonly answer: Answer | undefined }[];
}

export interface Transaction {
  readonly mark: string;
  readonly answer: Answer | undefined;
}

export interface Journal {
  readonly creates: readonly Created[];
  readonly updates: readonly Series[];
  readonly transactions: readonly Transaction[];
  /** The Patients that the transactions update: one version a transaction. */
  readonly ledgers: readonly Series[];
}

const CREATING_CONNECTIONS = 4;
const UPDATING_CONNECTIONS = 3;
const TRANSACTION_CONNECTIONS = 3;
const REPRESENTATION = { prefer: 'return=representation' };

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

const times = <T>(count: number, action: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => action(i));

/** The answer, or undefined when the server is gone. */
const answered = (exchange: FhirExchange, method: string, path: string, body: object): Promise<Answer | undefined> =>
  exchange.send(method, path, JSON.stringify(body), REPRESENTATION).catch(() => undefined);

/** Pushes until the connections break; each connection sends its next request when the last is answered. */
export const pushUntilKilled = async (exchange: FhirExchange): Promise<Journal> => {
  const journal: Mutable<Journal> = { creates: [], updates: [], transactions: [], ledgers: [] };

  const create = async (): Promise<void> => {
    for (let count = 0, isAlive = true; isAlive; count++) {
      const mark = randomUUID();
      const sent = markedObservation(mark, 'Patient/somewhere', count);
      const answer = await answered(exchange, 'POST', 'Observation', sent);
      journal.creates.push({ sent, mark, answer });
      isAlive = answer !== undefined;
    }
  };

  const update = async (): Promise<void> => {
    const series = { id: randomUUID(), writes: [] as Series['writes'][number][] };
    journal.updates.push(series);
    for (let count = 1, isAlive = true; isAlive; count++) {
      const sent = countedPatient(series.id, count);
      const answer = await answered(exchange, 'PUT', `Patient/${series.id}`, sent);
      series.writes.push({ sent, answer });
      isAlive = answer !== undefined;
    }
  };

  const transact = async (): Promise<void> => {
    const ledger = { id: randomUUID(), writes: [] as Series['writes'][number][] };
    journal.ledgers.push(ledger);
    for (let count = 1, isAlive = true; isAlive; count++) {
      const mark = randomUUID();
      const sent = countedPatient(ledger.id, count);
      const answer = await answered(exchange, 'POST', '', transactionBundle(mark, sent));
      journal.transactions.push({ mark, answer });
      ledger.writes.push({ sent, answer });
      isAlive = answer !== undefined;
    }
  };

  await Promise.all([
    ...times(CREATING_CONNECTIONS, create),
    ...times(UPDATING_CONNECTIONS, update),
    ...times(TRANSACTION_CONNECTIONS, transact),
  ]);
  return journal;
};
