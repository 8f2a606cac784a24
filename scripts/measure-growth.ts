/** How the server's times grow with what is stored: `npm run measure:growth`. See `--help`. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFhirExchange, type FhirExchange } from './child-server/fhir-exchange.ts';
import { type ChildServer, startChildServer } from './child-server/start-child-server.ts';
import { optionsOf } from './command-line.ts';
import { readRequest } from './measure/requests.ts';
import { type Figure, timed } from './measure/timed.ts';
import { openRecords } from './measure-growth/rekeyed-records.ts';
import { EVERYTHING, mixed, namedSearches } from './measure-growth/searches.ts';
import { load, type Stock } from './measure-growth/stock.ts';

const HELP = `Measures searches and reads on few and on many patients of one store.

  npm run measure:growth -- [--patients 60,1000] [--records FOLDER] [--seconds 3]

Each file of the folder is a transaction Bundle with the record of one patient, as Synthea makes them; more patients are
made of these with other ids, names and days. Prints the median of each kind of search (one in flight, as the client
sees it), its growth, reads and a mix of the searches (without $everything) with 16 in flight, and the bytes on disk for each resource.
`;

const RECORDS = fileURLToPath(new URL('../../shared/data/synthea', import.meta.url));
const CONNECTIONS = 16;

/** The figures at one number of patients. */
interface Stage {
  readonly patients: number;
  readonly resources: number;
  readonly ingestPerSecond: number;
  readonly alone: readonly Figure[];
  readonly read: Figure;
  readonly mix: Figure;
  readonly jsonBytesPerResource: number;
}

const note = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

const stageOf = async (
  server: ChildServer,
  exchange: FhirExchange,
  stock: Stock,
  ingestPerSecond: number,
  seconds: number,
): Promise<Stage> => {
  const { pid } = server;
  const searches = namedSearches(exchange, stock);
  const { [EVERYTHING]: _, ...withoutEverything } = searches;
  const measure = (name: string, inFlight: number, action: () => Promise<number>): Promise<Figure> =>
    timed({ name, unit: 'requests', inFlight, seconds, pid }, action);
  const alone: Figure[] = [];
  for (const [name, request] of Object.entries(searches)) alone.push(await measure(name, 1, request));
  return {
    patients: stock.patients.length,
    resources: stock.resources,
    ingestPerSecond,
    alone,
    read: await measure('read', CONNECTIONS, readRequest(exchange, stock.references)),
    mix: await measure('mix', CONNECTIONS, mixed(Object.values(withoutEverything))),
    jsonBytesPerResource: stock.jsonBytes / stock.resources,
  };
};

const fixed = (value: number, digits = 2): string => value.toFixed(digits);

const report = (stages: readonly Stage[], bytesPerResource: number): string => {
  const [first] = stages;
  const last = stages.at(-1);
  if (first === undefined || last === undefined) return '';
  const head = ['median, ms', ...stages.map(({ patients }) => `${patients} patients`), 'growth'];
  const rows = first.alone.map(({ name }, at) => {
    const medians = stages.map(({ alone }) => alone[at]?.median ?? Number.NaN);
    return [name, ...medians.map((value) => fixed(value)), fixed((medians.at(-1) ?? 0) / (medians[0] ?? 1))];
  });
  const rates = (name: string, of: (stage: Stage) => number): string[] => [
    name,
    ...stages.map((stage) => fixed(of(stage), 0)),
    fixed(of(last) / of(first)),
  ];
  const lines = [
    head,
    ...rows,
    rates('reads per second', ({ read }) => read.perSecond),
    rates('searches per second', ({ mix }) => mix.perSecond),
    rates('resources stored per second', ({ ingestPerSecond }) => ingestPerSecond),
    rates('resources', ({ resources }) => resources),
  ].map((cells) => cells.map((cell, at) => (at === 0 ? cell.padEnd(34) : cell.padStart(15))).join(''));
  const disk = `${fixed(bytesPerResource, 0)} bytes on disk a resource (its JSON has ${fixed(last.jsonBytesPerResource, 0)})`;
  return `${lines.join('\n')}\n${disk}\n`;
};

const folderBytes = (folder: string): number =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.db'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

const measured = async (
  dataFolder: string,
  records: string,
  sizes: readonly number[],
  seconds: number,
): Promise<string> => {
  const recordOf = openRecords(records);
  const server = await startChildServer({ dataFolder });
  const exchange = createFhirExchange(server.base, CONNECTIONS);
  const stock: Stock = { patients: [], references: [], resources: 0, jsonBytes: 0 };
  const stages: Stage[] = [];
  try {
    for (const size of sizes) {
      note(`${size} patients ...`);
      const ingestPerSecond = await load(exchange, stock, size, recordOf);
      stages.push(await stageOf(server, exchange, stock, ingestPerSecond, seconds));
    }
  } finally {
    exchange.close();
    await server.end('SIGTERM');
  }
  return report(stages, folderBytes(dataFolder) / stock.resources);
};

const main = async (): Promise<number> => {
  const values = optionsOf({
    patients: { type: 'string', default: '60,1000' },
    records: { type: 'string', default: RECORDS },
    seconds: { type: 'string', default: '3' },
    help: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (!existsSync(values.records)) {
    note(`${values.records} is not there; --records names a folder of Bundles`);
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'consilium-growth-'));
  try {
    const sizes = values.patients.split(',').map(Number);
    process.stdout.write(await measured(folder, values.records, sizes, Number(values.seconds)));
    return 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

process.exitCode = await main();
