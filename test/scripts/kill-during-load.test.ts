import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { createFhirExchange } from '../../scripts/child-server/fhir-exchange.ts';
import { startChildServer } from '../../scripts/child-server/start-child-server.ts';
import { type Journal, pushUntilKilled } from '../../scripts/kill-during-load/push-until-killed.ts';
import { countedPatient, markedObservation, transactionBundle } from '../../scripts/kill-during-load/resources.ts';
import { findingsOf, totalViolations } from '../../scripts/kill-during-load/violations.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/kill-during-load.ts', import.meta.url));
const NOTHING: Journal = { creates: [], updates: [], transactions: [], ledgers: [] };

const run = async (...args: string[]) => {
  const child = spawn(process.execPath, [SCRIPT, ...args]);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    output.stdout += text;
  });
  child.stderr.on('data', (text) => {
    output.stderr += text;
  });
  const [status] = await once(child, 'close');
  return { status, ...output };
};

const start = async (t: Test) => {
  const server = await startChildServer({ dataFolder: t.testdir() });
  const exchange = createFhirExchange(server.base, 16);
  t.teardown(async () => {
    exchange.close();
    await server.end('SIGKILL');
  });
  return { server, exchange };
};

test('every acknowledged write survives three kills, and no transaction is half there', async (t) => {
  const { status, stdout } = await run('--rounds', '3');
  t.equal(status, 0, stdout);
  t.equal(stdout.match(/^round \d: killed after .*; all there$/gm)?.length, 3);
  t.match(stdout, /^3 rounds, .*: every acknowledged write is there$/m);
});

test('says what is wrong with its options', async (t) => {
  t.match(await run('--rounds', 'many'), { status: 2, stderr: "--rounds: 'many' is not a whole number" });
  t.match(await run('--help'), { status: 0, stdout: '--rounds' });
});

test('the check reports what is lost, changed, half there or too much', async (t) => {
  const { exchange } = await start(t);
  const journalOf = (part: Partial<Journal>): Journal => ({ ...NOTHING, ...part });
  const send = (method: string, path: string, body: object) => exchange.send(method, path, JSON.stringify(body));
  const violations = async (part: Partial<Journal>) => (await findingsOf(exchange, journalOf(part))).violations.join();

  const sent = markedObservation('kept', 'Patient/x', 0);
  const answer = await send('POST', 'Observation', sent);
  t.equal(await violations({ creates: [{ sent, mark: 'kept', answer }] }), '');
  t.match(await violations({ creates: [{ sent, mark: 'lost', answer }] }), 'lost was acknowledged, and 0 are found');
  t.equal(await violations({ creates: [{ sent, mark: 'lost', answer: undefined }] }), '', 'no answer, no promise');
  const altered = { ...answer, text: answer.text.replace('final', 'amended') };
  t.match(await violations({ creates: [{ sent, mark: 'kept', answer: altered }] }), 'not what was acknowledged');
  const other = { ...sent, status: 'amended' as const };
  t.match(await violations({ creates: [{ sent: other, mark: 'kept', answer }] }), 'not what was sent');

  const writes = await Promise.all(
    [1].map(async () => ({
      sent: countedPatient('p', 1),
      answer: await send('PUT', 'Patient/p', countedPatient('p', 1)),
    })),
  );
  t.equal(await violations({ updates: [{ id: 'p', writes }] }), '');
  t.match(await violations({ updates: [{ id: 'p', writes: [...writes, ...writes] }] }), '1 versions of 2');
  t.match(await violations({ ledgers: [{ id: 'p', writes }] }), '0 transactions are there, and 1 of the updates');

  const { entry = [], ...bundle } = transactionBundle('half', countedPatient('ledger', 1));
  const half = await send('POST', '', { ...bundle, entry: entry.slice(1) });
  t.match(await violations({ transactions: [{ mark: 'half', answer: half }] }), '1 Patients, 19 Observations');
  t.match(await violations({ transactions: [{ mark: 'none', answer: half }] }), 'nothing of it is there');
  const refused = await send('POST', '', { ...bundle, type: 'nonsense' });
  t.match(await violations({ transactions: [{ mark: 'none', answer: refused }] }), 'was answered with 400');
  t.strictSame(await totalViolations(exchange, { observations: 20, patients: 3 }), []);
  t.match(await totalViolations(exchange, { observations: 19, patients: 3 }), ['counts 20 Observations, and 19']);
});

test('the journal of a killed server ends each connection with a write without an answer', async (t) => {
  const { server, exchange } = await start(t);
  const pushing = pushUntilKilled(exchange);
  await sleep(300);
  await server.end('SIGKILL');
  const { creates, updates, transactions, ledgers } = await pushing;
  t.equal(creates.filter(({ answer }) => answer === undefined).length, 4);
  t.equal(transactions.filter(({ answer }) => answer === undefined).length, 3);
  t.strictSame(
    [updates, ledgers].map((list) => list.map(({ writes }) => writes.at(-1)?.answer)),
    [
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
    ],
  );
});
