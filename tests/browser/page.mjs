// Opens a report's page as a person would: in light, dark and at a phone's width. Prints what it saw and how long
// it took; a picture of each look stays in the folder.
import { chromium } from 'playwright-core';

const [, , executablePath, page, folder, spec, cell] = process.argv;
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});

// Until what was done can be seen.
const painted = (tab) => tab.evaluate(() => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(done));
}));

const look = async (name, options) => {
  const context = await browser.newContext(options);
  const tab = await context.newPage();
  const errors = [];
  const requests = [];
  tab.on('pageerror', (error) => errors.push(String(error)));
  tab.on('console', (line) => line.type() === 'error' && errors.push(line.text()));
  tab.on('request', (request) => requests.push(request.url()));
  const timed = async (what) => {
    const start = performance.now();
    await what();
    await painted(tab);
    return Math.round(performance.now() - start);
  };
  const seen = { name };
  seen.openMs = await timed(() => tab.goto(`file://${page}`));
  seen.title = await tab.title();
  await tab.screenshot({ path: `${folder}/${name}.png` });

  // First click: a field of the grid, or the count of failures. Second click: the failure.
  const field = tab.locator(`a.field.failed[title$="${cell}"]`).first();
  const grid = await field.count() > 0;
  const first = grid ? field : tab.locator('.counts a.failed');
  seen.firstMs = await timed(() => first.click());
  await tab.screenshot({ path: `${folder}/${name}-1.png` });
  const second = grid
    ? tab.locator('details[open] .finding a', { hasText: spec }).first()
    : tab.locator('details.bad > summary', { hasText: spec }).first();
  seen.secondMs = await timed(() => second.click());
  const finding = tab.locator('details.bad[open]').first();
  const reason = finding.locator('pre').first();
  seen.reason = await reason.innerText();
  seen.reasonInView = await reason.evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  });
  await tab.screenshot({ path: `${folder}/${name}-2.png` });

  const rows = tab.locator('tr[data-name]:visible');
  seen.findMs = await timed(() => tab.locator('#find').fill('dns should provide'));
  seen.found = await rows.count();
  seen.listed = grid ? await tab.locator('details[open] [data-cell] tr').count() : 0;
  await tab.locator('#find').scrollIntoViewIfNeeded();
  await tab.screenshot({ path: `${folder}/${name}-3.png` });
  // Each press of a key has to be quick where all is shown again too.
  seen.clearMs = await timed(() => tab.locator('#find').fill(''));
  seen.wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  seen.errors = errors;
  seen.requests = requests.filter((url) => url !== `file://${page}`);
  await context.close();
  return seen;
};

const desktop = { viewport: { width: 1280, height: 900 } };
const seen = [
  await look('light', { ...desktop, colorScheme: 'light' }),
  await look('dark', { ...desktop, colorScheme: 'dark' }),
  await look('phone', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'dark' }),
];
await browser.close();
console.log(JSON.stringify(seen));
