/* shoot.mjs - pictures of every page of a running service: desktop and phone, light and dark.
 * Called by make.py, which starts the service; see there. usage: shoot.mjs FOLDER (environment: tests/browser/browser.mjs) */
import { mkdirSync } from 'node:fs';
import { DESKTOP, extract, openBrowser, PHONE, signedIn, visit } from '../../tests/browser/browser.mjs';

const folder = process.argv[2];
const PAGES = {
  home: async (page) => {
    await visit(page, '/');
    await page.waitForSelector('#result b');
  },
  docs: (page) => visit(page, '/docs/'),
  errors: (page) => visit(page, '/docs/#error-rate_limit_exceeded'),
  playground: async (page) => {
    await visit(page, '/playground/');
    await page.click('#run');
    await page.waitForSelector('#marked mark');
    await page.hover('#marked mark');
  },
  dashboard: (page) => visit(page, '/dashboard/'),
  billing: (page) => visit(page, '/billing/'),
};

mkdirSync(folder, { recursive: true });
const browser = await openBrowser();
const { page, account } = await signedIn(browser, 'Kestrel Cycles', { credits: 1000 });
for (let i = 0; i < 40; i++) {
  await extract(account.api_key, { document_text: `Order ${i}\nTotal: €${i}.00`, template: { total: null } });
}
for (const [size, viewport] of [['desktop', DESKTOP], ['phone', PHONE]]) {
  for (const colorScheme of ['light', 'dark']) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    for (const [name, show] of Object.entries(PAGES)) {
      await show(page);
      await page.waitForTimeout(1200); /* the rays' way */
      await page.screenshot({ path: `${folder}/${name}-${size}-${colorScheme}.png` });
      console.log(`${folder}/${name}-${size}-${colorScheme}.png`);
    }
  }
}
await browser.close();
