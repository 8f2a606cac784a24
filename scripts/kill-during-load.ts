/**
 * Proves that what the server has acknowledged survives its sudden end: `node scripts/kill-during-load.ts`. See `--help`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createFhirExchange, type FhirExchange } from './child-server/fhir-exchange.ts';
import { type ChildServer, killWhileStarting, startChildServer } from './child-server/start-child-server.ts';
import { type Journal, pushUntilKilled } from './kill-during-load/push-until-killed.ts';
import { type Findings, findingsOf, totalViolations } from './kill-during-load/violations.ts';

const HELP = `Kills the server with SIGKILL while it is written to, again and again, and checks what is left.

  node scripts/kill-during-load.ts [--rounds 20]

Each round starts the server on one temporary store, pushes creates, updates and transactions over ten connections,
kills it at a random moment, kills it once more while it opens the store again (every third round), restarts it and
checks: every acknowledged write is there with the version and text that were acknowledged, no transaction is half
there, histories have no gaps, nothing is there that was not pushed, and the server does not complain. At the end all
rounds are checked once more. (The system keeps what was written to files: that a power cut loses nothing rests on
fsync, which this does not prove.)

Exit status: 0 all is as it must be; 1 something is not; 2 wrong options. After a violation the store is kept.
`;

const SHORTEST_LOAD_MS = 100;
const LONGEST_LOAD_MS = 1_500;
/** Within this time the server opens its store. */
const OPENING_MS = 700;
const PRINTED_VIOLATIONS = 20;
const CONNECTIONS = 16;

const randomMs = (from: number, to: number): number => Math.round(from + Math.random() * (to - from));

const withExchange = async <T>({ base }: ChildServer, action: (exchange: FhirExchange) => Promise<T>): Promise<T> => {
  const exchange = createFhirExchange(base, CONNECTIONS);
  try {
    return await action(exchange);
  } finally {
    exchange.close();
  }
};

const acknowledgedCount = (items: readonly { answer: unknown }[]): number =>
  items.filter(({ answer }) => answer !== undefined).length;

const roundLine = (round: number, killedMs: number, reopenedMs: number, journal: Journal, found: Findings): string => {
  const { creates, updates, transactions } = journal;
  const writes = updates.flatMap(({ writes }) => writes);
  const all = [creates, writes, transactions];
  const open = all.reduce((sum, items) => sum + items.length - acknowledgedCount(items), 0);
  const [created, updated, transacted] = all.map(acknowledgedCount);
  const result = found.violations.length === 0 ? 'all there' : `${found.violations.length} VIOLATIONS`;
  return (
    `round ${round}: killed after ${killedMs} ms; acknowledged ${created} creates, ${updated} updates, ` +
    `${transacted} transactions; ${open} under way, ${found.unacknowledged} of them stored; ` +
    `reopened in ${Math.round(reopenedMs)} ms; ${result}`
  );
};

interface Round {
  readonly journal: Journal;
  readonly killedMs: number;
}

const loadAndKill = async (server: ChildServer): Promise<Round> => {
  const killedMs = randomMs(SHORTEST_LOAD_MS, LONGEST_LOAD_MS);
  const journal = await withExchange(server, async (exchange) => {
    const pushing = pushUntilKilled(exchange);
    await sleep(killedMs);
    await server.end('SIGKILL');
    return pushing;
  });
  return { journal, killedMs };
};

const complaintOf = (text: string): string[] => (text === '' ? [] : [`The server complained: ${text}`]);

/** Runs the rounds on one store; returns the number of violations. Throws if the store does not open. */
const run = async (dataFolder: string, rounds: number): Promise<number> => {
  const journals: Journal[] = [];
  const before = { observations: 0, patients: 0 };
  let violationCount = 0;
  const printed = (violations: readonly string[]): void => {
    violationCount += violations.length;
    for (const violation of violations.slice(0, PRINTED_VIOLATIONS)) process.stdout.write(`  ${violation}\n`);
  };
  printed(complaintOf(await killWhileStarting(dataFolder, randomMs(0, OPENING_MS))));
  let server = await startChildServer({ dataFolder });
  for (let round = 1; round <= rounds; round++) {
    const { journal, killedMs } = await loadAndKill(server);
    journals.push(journal);
    const complaints = complaintOf(server.complaints());
    if (round % 3 === 0) complaints.push(...complaintOf(await killWhileStarting(dataFolder, randomMs(0, OPENING_MS))));
    server = await startChildServer({ dataFolder });
    const findings = await withExchange(server, (exchange) => findingsOf(exchange, journal));
    before.observations += findings.observations;
    before.patients += findings.patients;
    const totals = await withExchange(server, (exchange) => totalViolations(exchange, before));
    const violations = [...complaints, ...complaintOf(server.complaints()), ...findings.violations, ...totals];
    const line = roundLine(round, killedMs, server.millisecondsToReady, journal, { ...findings, violations });
    process.stdout.write(`${line}\n`);
    printed(violations);
  }
  for (const journal of journals)
    printed((await withExchange(server, (exchange) => findingsOf(exchange, journal))).violations);
  const status = await server.end('SIGTERM');
  if (status !== 0) printed([`The server ended with status ${status} at last`]);
  const { observations, patients } = before;
  const result = violationCount === 0 ? 'every acknowledged write is there' : `${violationCount} violations`;
  process.stdout.write(`${rounds} rounds, ${observations} Observations and ${patients} Patients stored: ${result}\n`);
  return violationCount;
};

const roundsOf = (args: readonly string[]): number | undefined => {
  const options = { rounds: { type: 'string', default: '20' }, help: { type: 'boolean', default: false } } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) return undefined;
  if (/^[1-9]\d{0,3}$/.test(values.rounds)) return Number(values.rounds);
  throw new Error(`--rounds: '${values.rounds}' is not a whole number from 1 to 9999`);
};

const main = async (): Promise<number> => {
  let rounds: number | undefined;
  try {
    rounds = roundsOf(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  if (rounds === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const dataFolder = mkdtempSync(join(tmpdir(), 'consilium-kill-'));
  try {
    if ((await run(dataFolder, rounds)) === 0) {
      rmSync(dataFolder, { recursive: true });
      return 0;
    }
  } catch (error) {
    process.stdout.write(`${(error as Error).message}\n`);
  }
  process.stdout.write(`The store is kept in ${dataFolder}\n`);
  return 1;
};

process.exitCode = await main();
