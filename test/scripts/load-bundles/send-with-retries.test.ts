import { test } from 'tap';
import { retryAfterMs } from '../../../scripts/load-bundles/send-with-retries.ts';

test('Retry-After is seconds or an HTTP date', async (t) => {
  const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT');
  t.equal(retryAfterMs('120', now), 120_000);
  t.equal(retryAfterMs('Wed, 21 Oct 2015 07:28:30 GMT', now), 30_000);
  t.equal(retryAfterMs('Wed, 21 Oct 2015 07:00:00 GMT', now), 0, 'a date that has passed');
  t.equal(retryAfterMs('soon', now), undefined);
  t.equal(retryAfterMs(undefined, now), undefined);
  t.equal(retryAfterMs('99999999999', now), 3_600_000, 'never longer than an hour');
});
