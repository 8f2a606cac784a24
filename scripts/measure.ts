/** How fast the server is, told as ratios of one run on this machine: `npm run measure`. See `--help`. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFhirExchange, type FhirExchange } from './child-server/fhir-exchange.ts';
import { type ChildServer, startChildServer } from './child-server/start-child-server.ts';
import { optionsOf } from './command-line.ts';
import { calibration } from './measure/calibration.ts';
import { measuredParts } from './measure/parts.ts';
import { type Results, ratios, reportText } from './measure/report.ts';
import * as requests from './measure/requests.ts';
import { createRandom, laboratoryResult } from './measure/resources.ts';
import { type Figure, timed } from './measure/timed.ts';

const HELP = `Measures the server on this machine.

  npm run measure -- [--quick] [--json FILE]

Starts the server on a temporary store, pushes generated records, reads, updates and searches them, and prints what it
reached: per second, in the server's processor time, and as ratios to what this machine does by itself. Then the parts
of a write (HTTP, parse, validate, extract, commit) are timed one by one. Client and server share the processors, so
compare the ratios of runs, rather than the figures of different machines. Some 50 s; --quick some 10 s, less steady.
`;

const BARE_SERVER = fileURLToPath(new URL('./measure/bare-server.ts', import.meta.url));
const CONNECTIONS = 16;

interface Pace {
  /** Seconds of each kind of request. */
  readonly seconds: number;
  readonly calibrationSeconds: number;
  readonly restarts: number;
  /** Resources for the parts. */
  readonly resources: number;
}

const STEADY: Pace = { seconds: 2.5, calibrationSeconds: 0.5, restarts: 3, resources: 2000 };
const QUICK: Pace = { seconds: 0.4, calibrationSeconds: 0.1, restarts: 1, resources: 400 };

const note = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

const measuring = (server: ChildServer, { seconds }: Pace) => {
  return (name: string, unit: string, inFlight: number, action: requests.TimedRequest): Promise<Figure> => {
    note(`${name} ...`);
    return timed({ name, unit, inFlight, seconds, pid: server.pid }, action);
  };
};

const withServer = async <T>(
  server: ChildServer,
  action: (exchange: FhirExchange, server: ChildServer) => Promise<T>,
): Promise<T> => {
  const exchange = createFhirExchange(server.base, CONNECTIONS);
  try {
    return await action(exchange, server);
  } finally {
    exchange.close();
    await server.end('SIGTERM');
  }
};

const folderBytes = (folder: string): number =>
  readdirSync(folder)
    .filter((name) => !name.endsWith('-shm'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

const ingestFigures = async (dataFolder: string, pace: Pace, stock: requests.Stock) => {
  const server = await startChildServer({ dataFolder });
  const figures = await withServer(server, async (exchange) => [
    await measuring(server, pace)('ingest', 'resources', 4, requests.ingestRequest(exchange, stock)),
  ]);
  return { emptyStore: server.millisecondsToReady, figures };
};

/** Starting anew also brings the log into the database file, so that its size can be told. */
const restartMilliseconds = async (dataFolder: string, restarts: number): Promise<number> => {
  const times: number[] = [];
  for (let count = 0; count < restarts; count++) {
    const server = await startChildServer({ dataFolder });
    times.push(server.millisecondsToReady);
    await server.end('SIGTERM');
  }
  return median(times);
};

const requestFigures = async (dataFolder: string, pace: Pace, stock: requests.Stock): Promise<Figure[]> =>
  withServer(await startChildServer({ dataFolder }), async (exchange, server) => {
    const measure = measuring(server, pace);
    const create = requests.createRequest(exchange, stock.patients);
    const figures = [
      await measure('ingest of the demo record', 'resources', 4, requests.demoRecordRequest(exchange)),
      await measure('create, one at a time', 'resources', 1, create),
      await measure('create', 'resources', 16, create),
      await measure('update', 'resources', 16, requests.updateRequest(exchange, stock)),
      await measure('read', 'resources', 16, requests.readRequest(exchange, stock.observations)),
    ];
    for (const [name, request] of Object.entries(requests.searchRequests(exchange, stock)))
      figures.push(await measure(name, 'searches', 16, request));
    return figures;
  });

const bareFigures = async (dataFolder: string, pace: Pace): Promise<Figure[]> =>
  withServer(await startChildServer({ dataFolder, program: BARE_SERVER }), async (exchange, server) => {
    const measure = measuring(server, pace);
    return [
      await measure('bare web server, GET', 'requests', 16, requests.readRequest(exchange, ['Observation/1'])),
      await measure('bare web server, POST', 'requests', 16, requests.createRequest(exchange, ['Patient/1'])),
    ];
  });

const measured = async (folder: string, pace: Pace): Promise<Results> => {
  const dataFolder = join(folder, 'data');
  mkdirSync(dataFolder);
  const machine = calibration(
    folder,
    JSON.stringify(laboratoryResult('Patient/1', createRandom(7))),
    pace.calibrationSeconds,
  );
  const stock: requests.Stock = { patients: [], observations: [], resources: 0, jsonBytes: 0 };
  const { emptyStore, figures: ingest } = await ingestFigures(dataFolder, pace, stock);
  note('restarts ...');
  const existingStore = await restartMilliseconds(dataFolder, pace.restarts);
  const { resources, jsonBytes } = stock;
  const bytesPerResource = folderBytes(dataFolder) / resources;
  const figures = [...ingest, ...(await requestFigures(dataFolder, pace, stock)), ...(await bareFigures(folder, pace))];
  note('parts ...');
  return {
    node: process.versions.node,
    processors: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    calibration: machine,
    figures,
    parts: await measuredParts(folder, pace.resources),
    disk: { resources, bytesPerResource, jsonBytesPerResource: jsonBytes / resources },
    ready: { emptyStore, existingStore },
  };
};

const main = async (): Promise<number> => {
  const values = optionsOf({
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'consilium-measure-'));
  try {
    const results = await measured(folder, values.quick ? QUICK : STEADY);
    process.stdout.write(reportText(results));
    if (values.json !== undefined)
      writeFileSync(values.json, `${JSON.stringify({ ...results, ratios: ratios(results) }, undefined, 2)}\n`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

process.exitCode = await main();
