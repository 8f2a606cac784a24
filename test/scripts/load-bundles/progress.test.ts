import { PassThrough } from 'node:stream';
import { test } from 'tap';
import { progressText, startProgress } from '../../../scripts/load-bundles/progress.ts';

test('the bar of a terminal shows the rate and the time left, and lines do not tear it', async (t) => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  const snapshot = { bytes: 250, totalBytes: 1_000, entries: 5_000, refused: 1, seconds: 2.5 };
  t.equal(progressText(snapshot), '5,000 entries, 2,000/s, 8 s left, 1 refused');
  const progress = startProgress(terminal as unknown as NodeJS.WriteStream, () => snapshot);
  progress.print('a.json: refused');
  progress.stop();
  const shown = String(terminal.read());
  t.match(shown, '\r\u001b[Ka.json: refused\n');
  t.match(shown, '25% 5,000 entries, 2,000/s, 8 s left, 1 refused');
});
