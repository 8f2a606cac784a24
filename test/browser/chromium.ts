/** Chromium without a screen, for tests of what people see. CONSILIUM_TEST_CHROMIUM names another than Debian's. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { Test } from 'tap';

const PATH = process.env['CONSILIUM_TEST_CHROMIUM'] ?? '/usr/bin/chromium';

/** For the `skip` of a test. */
export const WITHOUT_CHROMIUM: string | false = existsSync(PATH)
  ? false
  : `needs Chromium at ${PATH}; CONSILIUM_TEST_CHROMIUM may name another`;

/** Where screenshots go, if they are wanted. */
const SCREENSHOTS = process.env['CONSILIUM_TEST_SCREENSHOTS'];

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** Closes with the test; with `tap` itself, after all tests of the file. */
export const openChromium = async (t: Pick<Test, 'teardown'>): Promise<Browser> => {
  const browser = await chromium.launch({ executablePath: PATH, args: ['--no-sandbox', '--disable-quic'] });
  t.teardown(() => browser.close());
  return browser;
};

type ContextOptions = NonNullable<Parameters<Browser['newContext']>[0]>;

/** A person's own browser. Script is on for axe-core alone: our pages have none, and allow none. */
export const newPerson = (browser: Browser, options: ContextOptions = {}): Promise<BrowserContext> =>
  browser.newContext({
    ...{ locale: 'en-CA', viewport: { width: 900, height: 1000 }, reducedMotion: 'reduce' },
    ...options,
  });

interface Finding {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What axe-core finds wrong with the page as it is, a line each. */
const findings = async (page: Page): Promise<string[]> => {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const run = `${AXE}; axe.run(document, { runOnly: ${JSON.stringify(tags)} }).then(({ violations }) => violations)`;
  const violations = (await page.evaluate(run)) as Finding[];
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html} ${failureSummary}`),
  );
};

/** Asserts that the page is accessible, in light and in dark, wide and as on a phone, and takes pictures of it. */
export const checkPage = async (t: Test, page: Page, name: string): Promise<void> => {
  const size = page.viewportSize() ?? { width: 900, height: 1000 };
  for (const [look, width, colorScheme] of [
    ['wide', 900, 'light'],
    ['phone', 320, 'light'],
    ['dark', 900, 'dark'],
  ] as const) {
    await page.setViewportSize({ width, height: size.height });
    await page.emulateMedia({ colorScheme });
    t.same(await findings(page), [], `${name}, ${look}: axe-core finds nothing`);
    const isCut = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
    t.notOk(isCut, `${name}, ${look}: it fits without scrolling sideways`);
    if (SCREENSHOTS === undefined) continue;
    mkdirSync(SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: join(SCREENSHOTS, `${name}-${look}.png`), fullPage: true });
  }
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: 'light' });
};
