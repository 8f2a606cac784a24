/** Shows how far the load is: a bar on a terminal, else a plain line now and then. */
import { SingleBar } from 'cli-progress';
import { counted, rate } from './report.ts';

export interface Snapshot {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly entries: number;
  readonly refused: number;
  readonly seconds: number;
}

export interface Progress {
  /** Prints a line without tearing the bar. */
  print(line: string): void;
  stop(): void;
}

const BAR_INTERVAL_MS = 200;
const LINE_INTERVAL_MS = 2_000;
const CLEAR_LINE = '\r\u001b[K';

/** `45 s`, `3 min`, `2 h 5 min`. */
const durationText = (seconds: number): string => {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

/** The part of the bar and of the plain line that is text; the time left follows from the bytes done. */
export const progressText = ({ bytes, totalBytes, entries, refused, seconds }: Snapshot): string => {
  const left = bytes === 0 ? 'time left unknown' : `${durationText((seconds * (totalBytes - bytes)) / bytes)} left`;
  const failed = refused === 0 ? '' : `, ${refused.toLocaleString('en-US')} refused`;
  return `${counted(entries, 'entry', 'entries')}, ${rate(entries, seconds)}, ${left}${failed}`;
};

const startBar = (stream: NodeJS.WriteStream, snapshot: () => Snapshot): Progress => {
  const bar = new SingleBar({ format: '[{bar}] {percentage}% {text}', stream, hideCursor: true, forceRedraw: true });
  const draw = (): void => {
    const now = snapshot();
    bar.update(now.bytes, { text: progressText(now) });
  };
  bar.start(snapshot().totalBytes, 0, { text: '' });
  const timer = setInterval(draw, BAR_INTERVAL_MS);
  return {
    print: (line) => {
      stream.write(`${CLEAR_LINE}${line}\n`);
    },
    stop: () => {
      clearInterval(timer);
      draw();
      bar.stop();
    },
  };
};

const startLines = (stream: NodeJS.WriteStream, snapshot: () => Snapshot): Progress => {
  const print = (line: string): void => {
    stream.write(`${line}\n`);
  };
  const timer = setInterval(() => {
    const now = snapshot();
    const percentage = now.totalBytes === 0 ? 100 : Math.floor((100 * now.bytes) / now.totalBytes);
    print(`${percentage}% ${progressText(now)}`);
  }, LINE_INTERVAL_MS);
  return { print, stop: () => clearInterval(timer) };
};

/** Shows `snapshot` on `stream` until it is stopped. */
export const startProgress = (stream: NodeJS.WriteStream, snapshot: () => Snapshot): Progress =>
  stream.isTTY ? startBar(stream, snapshot) : startLines(stream, snapshot);
