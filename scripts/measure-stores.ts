/** The same load on both stores, told as ratios of one run: `npm run measure:stores`. See `--help`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ChildServer, startChildServer } from './child-server/start-child-server.ts';
import { optionsOf } from './command-line.ts';

const HELP = `Measures the embedded store and MongoDB with the same load.

  MONGODB_URL=mongodb://... npm run measure:stores -- [--seconds 5]

Pushes the records of ../shared/data/synthea, then creates, reads, updates and searches, on the embedded store and on a
database consilium_measure of that MongoDB, which must be empty; ../shared/bench/fhir-load.mjs makes the requests and checks
every answer. Prints for each phase what both reached, and the ratio.
`;

const LOAD = fileURLToPath(new URL('../../shared/bench/fhir-load.mjs', import.meta.url));
const RECORDS = fileURLToPath(new URL('../../shared/data/synthea', import.meta.url));
const PHASES = 'ingest,create,read,update,search,everything';

/** Of the summary that the load prints, what is shown here. */
interface Phase {
  readonly opsPerSecond: number;
  readonly resourcesPerSecond?: number;
  readonly errors: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}

type Phases = Readonly<Record<string, Phase>>;

const loaded = async (server: ChildServer, folder: string, seconds: string): Promise<Phases> => {
  const summary = join(folder, 'summary.json');
  const options = [
    '--base',
    server.base,
    '--bundles',
    RECORDS,
    '--phases',
    PHASES,
    '--seconds',
    seconds,
    '--json',
    summary,
  ];
  const child = spawn(process.execPath, [LOAD, ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`The load ended with ${code}`);
  return (JSON.parse(readFileSync(summary, 'utf8')) as { phases: Phases }).phases;
};

const measured = async (environment: Readonly<Record<string, string>>, seconds: string): Promise<Phases> => {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-stores-'));
  const server = await startChildServer({ dataFolder: join(folder, 'data'), environment });
  try {
    return await loaded(server, folder, seconds);
  } finally {
    await server.end('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
};

const rateOf = ({ resourcesPerSecond, opsPerSecond }: Phase, name: string): number =>
  name === 'ingest' ? (resourcesPerSecond ?? opsPerSecond) : opsPerSecond;

const report = (embedded: Phases, mongo: Phases): string => {
  const rows = Object.entries(embedded).flatMap(([name, one]) => {
    const other = mongo[name];
    if (other === undefined) return [];
    const [rate, otherRate] = [rateOf(one, name), rateOf(other, name)];
    const times = ({ latencyMs, errors }: Phase): string =>
      `${latencyMs.p50} / ${latencyMs.p99}${errors > 0 ? ` ${errors} wrong` : ''}`;
    return [[name, rate.toFixed(0), times(one), otherRate.toFixed(0), times(other), (otherRate / rate).toFixed(2)]];
  });
  const head = ['phase', 'embedded /s', 'p50 / p99 ms', 'MongoDB /s', 'p50 / p99 ms', 'ratio'];
  return [head, ...rows]
    .map((cells) => cells.map((cell, at) => (at === 0 ? cell.padEnd(12) : cell.padStart(16))).join(''))
    .join('\n');
};

const main = async (): Promise<number> => {
  const values = optionsOf({ seconds: { type: 'string', default: '5' }, help: { type: 'boolean' } });
  const url = process.env['MONGODB_URL'];
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (url === undefined || !existsSync(LOAD)) {
    process.stderr.write(url === undefined ? 'MONGODB_URL is not set\n' : `${LOAD} is not there\n`);
    return 1;
  }
  const place = new URL(url);
  place.pathname = '/consilium_measure';
  const embedded = await measured({}, values.seconds);
  const mongo = await measured({ CONSILIUM_STORE: place.href }, values.seconds);
  process.stdout.write(`${report(embedded, mongo)}\n`);
  return 0;
};

process.exitCode = await main();
