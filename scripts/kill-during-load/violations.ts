/** Compares what a restarted server has with the journal of what was pushed before. */
import { isDeepStrictEqual } from 'node:util';
import type { Bundle, Observation, Patient, Resource } from '@medplum/fhirtypes';
import { type Answer, allMatches, type FhirExchange, mapInFlight } from '../child-server/fhir-exchange.ts';
import type { Created, Journal, Series, Transaction } from './push-until-killed.ts';
import { MARK_SYSTEM, OBSERVATIONS } from './resources.ts';

export interface Findings {
  /** A sentence each; empty if all is as it must be. */
  readonly violations: readonly string[];
  /** The Observations and Patients that must be there by this journal, whoever else there is. */
  readonly observations: number;
  readonly patients: number;
  /** Writes without an answer that are there nevertheless, whole. */
  readonly unacknowledged: number;
}

interface Check {
  readonly exchange: FhirExchange;
  readonly violations: string[];
  observations: number;
  patients: number;
  unacknowledged: number;
}

const IN_FLIGHT = 8;

const withoutStamp = (resource: Resource): object => {
  const { id: _id, meta, ...content } = resource;
  const { versionId: _versionId, lastUpdated: _lastUpdated, ...ownMeta } = meta ?? {};
  return { ...content, meta: ownMeta };
};

const isSameContent = (a: Resource, b: Resource): boolean => isDeepStrictEqual(withoutStamp(a), withoutStamp(b));

/** An answer that is no success is a fault in itself, killed or not. */
const isAcknowledged = (check: Check, answer: Answer | undefined, name: string): answer is Answer => {
  if (answer === undefined) return false;
  if (answer.status === 200 || answer.status === 201) return true;
  check.violations.push(`${name} was answered with ${answer.status}: ${answer.text}`);
  return false;
};

const read = async (check: Check, path: string): Promise<{ resource: Resource; text: string } | undefined> => {
  const { status, text } = await check.exchange.send('GET', path);
  if (status === 200) return { resource: JSON.parse(text), text };
  check.violations.push(`GET ${path} is answered with ${status}: ${text}`);
  return undefined;
};

const marked = (check: Check, type: string, mark: string): Promise<Resource[]> =>
  allMatches(check.exchange, `${type}?_tag=${encodeURIComponent(`${MARK_SYSTEM}|${mark}`)}&_count=100`) as Promise<
    Resource[]
  >;

/** Exactly one if it was acknowledged, else at most one; with the content that was sent, and the text of the answer. */
const checkCreate = async (check: Check, { sent, mark, answer }: Created): Promise<void> => {
  const { violations } = check;
  const name = `Observation ${mark}`;
  const isPromised = isAcknowledged(check, answer, name);
  const found = await marked(check, 'Observation', mark);
  check.observations += found.length;
  if (isPromised ? found.length !== 1 : found.length > 1)
    violations.push(`${name} was ${isPromised ? '' : 'not '}acknowledged, and ${found.length} are found`);
  const [first] = found;
  if (first === undefined) return;
  if (!isPromised) check.unacknowledged += 1;
  if (!isSameContent(first, sent) || first.meta?.versionId !== '1') violations.push(`${name} is not what was sent`);
  const again = await read(check, `Observation/${first.id}`);
  const isCut = answer?.isCut ?? true;
  if (isPromised && !isCut && again?.text !== answer.text)
    violations.push(`${name} is not what was acknowledged: ${again?.text} instead of ${answer.text}`);
};

/** All versions, newest first. */
const historyOf = async (check: Check, id: string): Promise<Resource[]> => {
  const { status } = await check.exchange.send('GET', `Patient/${id}`);
  return status === 404 ? [] : ((await allMatches(check.exchange, `Patient/${id}/_history?_count=1000`)) as Resource[]);
};

/** The versions are those of the acknowledged writes and at most one more, without a gap, each with what was sent. */
const checkSeries = async (check: Check, { id, writes }: Series): Promise<number> => {
  const { violations } = check;
  const acknowledged = writes.filter(({ answer }) => isAcknowledged(check, answer, `Patient/${id}`)).length;
  const versions = (await historyOf(check, id)).reverse();
  if (versions.length > 0) check.patients += 1;
  if (versions.length < acknowledged || versions.length > writes.length)
    violations.push(`Patient/${id} has ${versions.length} versions of ${acknowledged} that were acknowledged`);
  let before = '';
  for (const [at, version] of versions.entries()) {
    const { versionId, lastUpdated = '' } = version.meta ?? {};
    const name = `Patient/${id} version ${at + 1}`;
    if (versionId !== String(at + 1)) violations.push(`${name} is called ${versionId}: the history has a gap`);
    if (lastUpdated < before) violations.push(`${name} is older than the version before`);
    const write = writes[at];
    if (write !== undefined && !isSameContent(version, write.sent)) violations.push(`${name} is not what was sent`);
    before = lastUpdated;
  }
  const current = versions.length === 0 ? undefined : await read(check, `Patient/${id}`);
  if (current !== undefined && !isDeepStrictEqual(current.resource, versions.at(-1)))
    violations.push(`Patient/${id}: a read answers another version than the history's last`);
  await checkAcknowledgedVersions(check, id, writes);
  return versions.length;
};

const checkAcknowledgedVersions = (check: Check, id: string, writes: Series['writes']): Promise<unknown> =>
  mapInFlight(writes, IN_FLIGHT, async ({ answer }, at) => {
    // The answer to a transaction is checked with the transaction.
    const isOwnAnswer = answer?.headers.etag !== undefined && !answer.isCut;
    if (!isOwnAnswer || answer.status >= 300) return;
    const version = await read(check, `Patient/${id}/_history/${at + 1}`);
    if (answer.headers.etag !== `W/"${at + 1}"` || version?.text !== answer.text)
      check.violations.push(`Patient/${id} version ${at + 1} is not what was acknowledged`);
  });

/** The resources of a transaction are there as they were acknowledged, under the locations that the answer gives. */
const checkAnswer = async (check: Check, mark: string, answer: Answer): Promise<void> => {
  for (const { response, resource } of (JSON.parse(answer.text) as Bundle).entry ?? []) {
    const stored = await read(check, response?.location ?? 'nowhere');
    if (resource === undefined || !isDeepStrictEqual(stored?.resource, resource))
      check.violations.push(`Transaction ${mark}: ${response?.location} is not what was acknowledged`);
  }
};

/** All of it or nothing, and its references lead to its own Patient. */
const checkTransaction = async (check: Check, { mark, answer }: Transaction): Promise<void> => {
  const { violations } = check;
  const isPromised = isAcknowledged(check, answer, `Transaction ${mark}`);
  const patients = (await marked(check, 'Patient', mark)) as Patient[];
  const observations = (await marked(check, 'Observation', mark)) as Observation[];
  check.patients += patients.length;
  check.observations += observations.length;
  if (patients.length === 0 && observations.length === 0) {
    if (isPromised) violations.push(`Transaction ${mark} was acknowledged, and nothing of it is there`);
    return;
  }
  if (!isPromised) check.unacknowledged += 1;
  if (patients.length !== 1 || observations.length !== OBSERVATIONS)
    violations.push(
      `Transaction ${mark} is half there: ${patients.length} Patients, ${observations.length} Observations`,
    );
  const ids = new Set(observations.map(({ identifier }) => identifier?.[0]?.value));
  if (ids.size !== observations.length) violations.push(`Transaction ${mark} has an Observation twice`);
  for (const { id, subject } of observations)
    if (subject?.reference !== `Patient/${patients[0]?.id}`)
      violations.push(`Transaction ${mark}: Observation/${id} refers to ${subject?.reference}`);
  await read(check, `Patient/${patients[0]?.id}`);
  if (isPromised && answer.isCut === false) await checkAnswer(check, mark, answer);
};

/** As many versions of the ledgers as transactions: a transaction is not there without its update either. */
const checkLedgers = async (check: Check, { ledgers, transactions }: Journal): Promise<void> => {
  let versions = 0;
  for (const ledger of ledgers) versions += await checkSeries(check, ledger);
  let stored = 0;
  for (const { mark } of transactions) stored += Math.min(1, (await marked(check, 'Patient', mark)).length);
  if (versions !== stored)
    check.violations.push(`${stored} transactions are there, and ${versions} of the updates that came with them`);
};

/** Checks a restarted server against one journal. Rejects if the server does not answer. */
export const findingsOf = async (exchange: FhirExchange, journal: Journal): Promise<Findings> => {
  const check: Check = { exchange, violations: [], observations: 0, patients: 0, unacknowledged: 0 };
  await mapInFlight(journal.creates, IN_FLIGHT, (create) => checkCreate(check, create));
  for (const series of journal.updates) {
    const versions = await checkSeries(check, series);
    const acknowledged = series.writes.filter(({ answer }) => answer !== undefined).length;
    check.unacknowledged += Math.max(0, versions - acknowledged);
  }
  await mapInFlight(journal.transactions, IN_FLIGHT, (transaction) => checkTransaction(check, transaction));
  await checkLedgers(check, journal);
  return check;
};

/** Nothing is there that was never pushed: the totals of the server are those of all journals together. */
export const totalViolations = async (
  exchange: FhirExchange,
  expected: Pick<Findings, 'observations' | 'patients'>,
): Promise<string[]> => {
  const violations: string[] = [];
  for (const [type, count] of [
    ['Observation', expected.observations],
    ['Patient', expected.patients],
  ] as const) {
    const { text } = await exchange.send('GET', `${type}?_summary=count`);
    const { total } = JSON.parse(text);
    if (total !== count) violations.push(`The server counts ${total} ${type}s, and ${count} are found one by one`);
  }
  return violations;
};
