/**
 * Pushes files of FHIR to a server: `npm run load -- <files or folders>`. See `--help`.
 */
import { parseArgs } from 'node:util';
import { createTokenSource } from '../src/commands/backend-token.ts';
import { createFhirClient } from './load-bundles/fhir-client.ts';
import { type LoadEnd, load } from './load-bundles/load.ts';
import { type Snapshot, startProgress } from './load-bundles/progress.ts';
import { counted, createReport, entryCount, type Report, summary } from './load-bundles/report.ts';
import { sourceFiles } from './load-bundles/source-files.ts';

const HELP = `Pushes FHIR files to a server.

  npm run load -- [options] <files or folders>

A Bundle of type transaction or batch is posted to the base. Any other resource, also any other Bundle, is updated
(PUT Type/id) if it has an id, else created (POST Type). An .ndjson file holds one of these a line. Folders are read
recursively, their .json and .ndjson files in sorted order. Files, and the lines of an .ndjson file, do not wait for
each other. The bytes are sent as they are.

Options
  --base URL         the FHIR base (default http://127.0.0.1:8080/fhir)
  --concurrency N    how many requests are under way at a time (default 4)
  --attempts N       how often one request is tried when the server is busy (429, 503) or not there (default 10)
  --timeout SECONDS  how long the server may be silent before the connection counts as broken (default 300)
  --token TOKEN      an access token; or
  --client ID        a backend client, which gets its tokens by itself, with
  --key FILE         its private key (a JWK, a JWK set or PEM), and
  --scope SCOPES     what it asks for (default "system/*.cruds")
  --refused FILE     where refused entries are written, one JSON line an entry: file, line, entry (its index in the
                     Bundle), fullUrl, type, id, fate, status, outcome (default refused-<time>.ndjson here; made only
                     when something is refused)
  --help             this text

A POST is not sent again when the connection breaks after it was sent, because it may have been stored: its entries
are reported as of unknown outcome. Ctrl-C stops new requests and waits for those under way; a second one does not wait.

Exit status: 0 all stored; 1 something was refused, is of unknown outcome or was not sent; 2 wrong options;
130 stopped by Ctrl-C.
`;

interface Options {
  readonly paths: readonly string[];
  readonly base: string;
  readonly concurrency: number;
  readonly attempts: number;
  readonly timeoutSeconds: number;
  readonly refused: string;
  readonly token?: () => Promise<string>;
}

const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 };
/** npm passes a Ctrl-C on that its child has also got from the terminal: two within this time are one. */
const SAME_SIGNAL_MS = 1_000;

const baseOf = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new Error(`--base: '${text}' is not an http or https URL of a FHIR base`);
  return url.href.replace(/\/+$/, '');
};

const integer = (option: string, text: string, most: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`--${option}: '${text}' is not a whole number from 1 to ${most}`);
};

interface Credentials {
  readonly token?: string;
  readonly client?: string;
  readonly key?: string;
  readonly scope?: string;
}

/** Where requests have their tokens from, if they have any. Throws an Error with a sentence. */
const tokenSource = (base: string, { token, client, key, scope }: Credentials): (() => Promise<string>) | undefined => {
  if (token !== undefined && client !== undefined) throw new Error('Give --token or --client, not both');
  if (token !== undefined) return async () => token;
  if (client === undefined && key === undefined) return undefined;
  if (client === undefined || key === undefined) throw new Error('--client and --key are given together');
  return createTokenSource({ base, client, key, scope: scope ?? 'system/*.cruds' });
};

/** The options of the command line, or undefined if it asks for help. Throws an Error with a sentence. */
const commandLine = (args: readonly string[], now: Date): Options | undefined => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      base: { type: 'string', default: 'http://127.0.0.1:8080/fhir' },
      concurrency: { type: 'string', default: '4' },
      attempts: { type: 'string', default: '10' },
      timeout: { type: 'string', default: '300' },
      refused: { type: 'string', default: `refused-${now.toISOString().replace(/[:.]/g, '-')}.ndjson` },
      token: { type: 'string' },
      client: { type: 'string' },
      key: { type: 'string' },
      scope: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (positionals.length === 0) throw new Error('Name the files or folders to push; --help says more');
  const base = baseOf(values.base);
  const token = tokenSource(base, values);
  return {
    paths: positionals,
    base,
    ...(token === undefined ? {} : { token }),
    concurrency: integer('concurrency', values.concurrency, 256),
    attempts: integer('attempts', values.attempts, 1_000),
    timeoutSeconds: integer('timeout', values.timeout, 86_400),
    refused: values.refused,
  };
};

/** Calls `stop` on the first Ctrl-C, `kill` on the second. The status to exit with follows from the first. */
const watchSignals = (stop: () => void, kill: () => void): { status(): number | undefined } => {
  let status: number | undefined;
  let firstMs = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (status === undefined) {
      status = SIGNAL_STATUS[signal as keyof typeof SIGNAL_STATUS];
      firstMs = performance.now();
      stop();
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) {
      kill();
    }
  };
  const signals = Object.keys(SIGNAL_STATUS) as NodeJS.Signals[];
  for (const signal of signals) process.on(signal, onSignal);
  return { status: () => status };
};

/** Prints how it ended, and returns the exit status. */
const conclude = (files: number, end: LoadEnd, report: Report, seconds: number, stopped?: number): number => {
  if (end.unreachable !== undefined) process.stderr.write(`${end.unreachable}\n`);
  process.stdout.write(`${summary(files - end.unsentFiles, report.counts, seconds)}\n`);
  if (end.unsentFiles > 0)
    process.stdout.write(`${counted(end.unsentFiles, 'file was', 'files were')} not sent, or not to the end\n`);
  if (report.refusedFile !== undefined) process.stdout.write(`What was not stored, and why: ${report.refusedFile}\n`);
  if (stopped !== undefined) return stopped;
  return report.counts.refused + report.counts.unknown + end.unsentFiles > 0 ? 1 : 0;
};

const run = async ({
  paths,
  base,
  concurrency,
  attempts,
  timeoutSeconds,
  refused,
  token,
}: Options): Promise<number> => {
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const files = await sourceFiles(paths);
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;

  const report = createReport(refused, (line) => progress.print(line));
  const snapshot = (): Snapshot => {
    const { refused, unknown } = report.counts;
    return { bytes, totalBytes, entries: entryCount(report.counts), refused: refused + unknown, seconds: seconds() };
  };
  const progress = startProgress(process.stderr, snapshot);
  const stop = new AbortController();
  const kill = new AbortController();
  const client = createFhirClient({
    base,
    connections: concurrency,
    timeoutSeconds,
    signal: kill.signal,
    ...(token === undefined ? {} : { token }),
  });
  const signals = watchSignals(
    () => {
      progress.print('Stopping: waiting for the requests under way; Ctrl-C again ends them');
      stop.abort();
    },
    () => kill.abort(),
  );

  const onBytes = (done: number): void => {
    bytes = Math.min(bytes + done, totalBytes);
  };
  const end = await load({
    ...{ files, client, concurrency, attempts, report, onBytes },
    stop: stop.signal,
    print: progress.print,
  });
  progress.stop();
  client.close();
  return conclude(files.length, end, report, seconds(), signals.status());
};

const main = async (): Promise<number> => {
  let options: Options | undefined;
  try {
    options = commandLine(process.argv.slice(2), new Date());
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  if (options !== undefined) return run(options);
  process.stdout.write(HELP);
  return 0;
};

process.exitCode = await main();
