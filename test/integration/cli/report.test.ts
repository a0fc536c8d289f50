/** The report, looked at in a browser: on a screen, light and dark, narrow, and on paper. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { attachTo, deploy, tag } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';
import { toolIsHere } from '../../support/tools.ts';

const { account, command, server } = await operator();
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const hasChromium = toolIsHere('Chromium', [executablePath, '--version'], 'REQUIRE_CHROMIUM');

describe.skipIf(!hasChromium)('the report', () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  const asked: string[] = [];
  const complaints: string[] = [];
  let name: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'report-'));
    const file = join(folder, 'report.html');
    await using here = await arrange(account, server, { strategy: 'single-user' });
    await here.secret.rotate();
    await attachTo(account, here.secret.arn, deploy(account, 'single-user'));
    const bare = await account.store({ strategy: 'single-user' }, await here.secret.text());
    for (const { arn } of [here.secret, bare]) await tag(account, arn, { group: '<b>told</b>' });
    const { exitCode, answer } = await command.json([
      ...['report', file, '--filter', 'tag:group', '--coverage', '--yes'],
    ]);
    expect({ exitCode, answer }).toEqual({
      exitCode: 0,
      answer: { file, counts: { ok: 1 }, unwell: 0, unrotated: 1, read: 1, errors: [] },
    });
    name = bare.arn.split(':')[6]?.slice(0, -7) ?? '';

    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    page = await browser.newPage();
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(pathToFileURL(file).href);
  });

  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('asks no network, and the browser has no complaint', () => {
    expect(asked).toEqual([page.url()]);
    expect(complaints).toEqual([]);
  });

  it('tells the counts, and names what nothing rotates', async () => {
    expect(await page.locator('.lead').innerText()).toBe('1 secret: none unwell. 1 secret that nothing rotates.');
    const unrotated = page.locator('h2:has-text("Not rotated") + .wide');
    expect(await unrotated.innerText()).toContain(`${name}\tnever-configured`);
    expect(await page.locator('figure svg').count()).toBe(3);
  });

  it('draws a bar for the state of the secret, and one for the age of its password', async () => {
    for (const [figure, fill] of [
      ['States', 'var(--good)'],
      ['Age of passwords', 'var(--good)'],
    ]) {
      const bars = page.locator(`svg[aria-label="${figure}"] path[fill="${fill}"][ecmeta_ssr_type="chart"]`);
      const boxes = await Promise.all((await bars.all()).map((bar) => bar.boundingBox()));
      expect(boxes.filter((box) => box !== null && box.height > 5)).toHaveLength(1);
    }
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`can be read in ${colorScheme}`, async () => {
      await page.emulateMedia({ media: 'screen', colorScheme });
      const { ground, inks } = await page.evaluate<Colours>(COLOURS);
      expect(luminance(ground) > 0.5).toBe(colorScheme === 'light');
      expect(inks.length).toBeGreaterThan(20);
      for (const ink of inks) expect(contrast(ink, ground)).toBeGreaterThanOrEqual(4.5);
    });
  }

  it('fits a phone and a wide screen', async () => {
    for (const width of [360, 800, 1600]) {
      await page.setViewportSize({ width, height: 800 });
      const beyond = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await page.evaluate<number>(beyond)).toBe(0);
    }
  });

  it('prints on white paper, whatever the screen has', async () => {
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    const { ground, inks } = await page.evaluate<Colours>(COLOURS);
    expect(luminance(ground)).toBe(1);
    for (const ink of inks) expect(contrast(ink, ground)).toBeGreaterThanOrEqual(4.5);
    const pdf = await page.pdf({ format: 'A4' });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
  });
});

type Rgb = readonly number[];

interface Colours {
  readonly ground: Rgb;
  readonly inks: readonly Rgb[];
}

/** For the page: the colour of the ground, and of every text. */
const COLOURS = `(() => {
  const parse = (text) => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const texts = [...document.querySelectorAll('body *')].filter((each) =>
    [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== ''));
  const ink = (each) => getComputedStyle(each)[each.tagName === 'text' ? 'fill' : 'color'];
  return {
    ground: parse(getComputedStyle(document.body).backgroundColor),
    inks: texts.map((each) => parse(ink(each))),
  };
})()`;

/** WCAG 2's relative luminance, of 0 to 255. */
function luminance(rgb: Rgb): number {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: Rgb, b: Rgb): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
}
