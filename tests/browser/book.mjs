// Opens each page of the book at a desk's and at a phone's width. Prints what it saw; pictures stay in the folder.
import { chromium } from 'playwright-core';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const [, , executablePath, book, folder] = process.argv;
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});
const pages = readdirSync(book, { recursive: true })
  .filter((name) => name.endsWith('.html') && !/^(404|print|toc)[.]html$/.test(name))
  .sort();
const shown = ['quick-start.html', 'keys.html', 'commands/up.html', 'troubleshooting.html', 'benchmarks.html'];

const seen = [];
for (const [look, options] of [
  ['desk', { viewport: { width: 1280, height: 900 } }],
  ['phone', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
]) {
  const context = await browser.newContext(options);
  const tab = await context.newPage();
  let errors = [];
  let requests = [];
  tab.on('pageerror', (error) => errors.push(String(error)));
  tab.on('request', (request) => requests.push(request.url()));
  for (const name of pages) {
    errors = [];
    requests = [];
    await tab.goto(`file://${join(book, name)}`);
    const page = await tab.evaluate(() => {
      const main = document.querySelector('main');
      return {
        title: document.title,
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        // What sticks out of the column of text and cannot be scrolled to by itself.
        out: [...main.querySelectorAll('*')]
          .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
          .filter((element) => !element.closest('pre, .table-wrapper'))
          .map((element) => `${element.tagName} ${element.textContent.slice(0, 60)}`),
        words: main.innerText.split(/\s+/).length,
      };
    });
    if (shown.includes(name)) {
      await tab.screenshot({ path: `${folder}/${look}-${name.replace('/', '-')}.png` });
    }
    seen.push({ look, name, ...page, errors, outside: requests.filter((url) => !url.startsWith(`file://${book}`)) });
  }
  // The search finds a key by its name.
  await tab.goto(`file://${join(book, 'index.html')}`);
  await tab.locator('#mdbook-search-toggle').click();
  await tab.locator('#mdbook-searchbar').pressSequentially('merge-context');
  await tab.locator('#mdbook-searchresults a[href*="keys.html"]').first().waitFor();
  await tab.screenshot({ path: `${folder}/${look}-search.png` });
  await context.close();
}
await browser.close();
console.log(JSON.stringify(seen));
