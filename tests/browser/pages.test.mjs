/* Every page, at desktop and phone width, light and dark: no faults, nothing serious for axe-core, nothing sticking out.
 * Then what is the documentation's and the front page's own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibilityFaults, codePointSlice, DESKTOP, openBrowser, openPage, overflow, PHONE, URL_, visit } from './browser.mjs';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser.close());

for (const path of ['/', '/docs/', '/playground/', '/dashboard/', '/billing/', '/signin/']) {
  for (const [size, viewport] of [['desktop', DESKTOP], ['phone', PHONE]]) {
    test(`${path} at ${size} width, light and dark`, async () => {
      const page = await openPage(browser, { viewport });
      await visit(page, path);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        assert.ok(await overflow(page) <= 0, `the page is ${await overflow(page)} px too wide`);
        assert.deepEqual(await accessibilityFaults(page), [], colorScheme);
      }
      assert.deepEqual(page.faults, []);
      await page.context().close();
    });
  }
}

test('the policy forbids inline script', async () => {
  const answer = await fetch(`${URL_}/`);
  const policy = answer.headers.get('content-security-policy');
  assert.match(policy, /script-src 'self'(;|$)/);
  assert.doesNotMatch(policy, /unsafe/);
});

test('the colours can be chosen and stay chosen', async () => {
  const page = await openPage(browser, { colorScheme: 'light' });
  await visit(page, '/');
  await page.click('#theme');
  assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
  await visit(page, '/docs/');
  assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
  assert.equal(await page.getAttribute('#theme', 'aria-label'), 'Use light colours');
  await page.context().close();
});

test('the front page shows what the service answered, each value marked where the service found it', async () => {
  const page = await openPage(browser);
  const answered = page.waitForResponse((r) => r.url().endsWith('/web/v1/demo'));
  await visit(page, '/');
  const answer = await (await answered).json();
  const examples = await (await fetch(`${URL_}/static/examples.json`)).json();
  await page.waitForSelector('#document mark');
  assert.deepEqual(JSON.parse(await page.textContent('#answer')), answer.extracted_data);
  assert.equal(await page.textContent('#document'), examples[0].document_text);
  for (const [path, field] of Object.entries(answer.metadata.fields)) {
    if (!Number.isInteger(field.start)) continue;
    const marked = await page.textContent(`#document mark[data-path="${path}"]`);
    assert.equal(marked, codePointSlice(examples[0].document_text, field.start, field.end), path);
  }
  assert.match(await page.textContent('#result'), new RegExp(`${answer.metadata.latency_ms} ms`));
  await page.context().close();
});

test('every example of the front page is answered, by keyboard too', async () => {
  const page = await openPage(browser);
  await visit(page, '/');
  await page.waitForSelector('#document mark');
  await page.focus('#examples [role=tab][aria-selected=true]');
  const count = await page.locator('#examples [role=tab]').count();
  for (let i = 1; i < count; i++) {
    const answered = page.waitForResponse((r) => r.url().endsWith('/web/v1/demo'));
    await page.keyboard.press('ArrowRight');
    const answer = await (await answered).json();
    await page.waitForSelector('#result b');
    assert.deepEqual(JSON.parse(await page.textContent('#answer')), answer.extracted_data);
  }
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('copy buttons of the documentation copy what is shown, with this address', async () => {
  const page = await openPage(browser);
  await visit(page, '/docs/');
  const box = page.locator('#quick-start-call');
  for (const language of ['curl', 'Python', 'JavaScript']) {
    await box.getByRole('tab', { name: language }).click();
    await box.getByRole('button', { name: /Copy|Copied/ }).click();
    const copied = (await page.evaluate(() => navigator.clipboard.readText())).replaceAll('\r\n', '\n');
    assert.equal(copied, await box.locator('pre:visible').textContent());
    assert.ok(copied.includes(`${URL_}/api/v1/extract/`), copied);
  }
  await page.context().close();
});

test('a language chosen once is chosen in every example, also by arrow keys', async () => {
  const page = await openPage(browser);
  await visit(page, '/docs/');
  await page.locator('#quick-start-call').getByRole('tab', { name: 'Python' }).click();
  const shown = await page.locator('.code.many pre:visible').evaluateAll((all) => all.map((pre) => pre.dataset.language));
  assert.ok(shown.length > 3 && shown.every((language) => language === 'Python'), shown.join());
  await page.keyboard.press('ArrowRight');
  assert.ok(await page.locator('#quick-start-call pre[data-language=JavaScript]').isVisible());
  await page.context().close();
});

test('doc_url of an error leads to its own row', async () => {
  const answer = await (await fetch(`${URL_}/api/v1/account/`)).json();
  const page = await openPage(browser);
  await visit(page, new URL(answer.error.doc_url, URL_).href.replace(URL_, ''));
  const row = page.locator('tr:target');
  assert.match(await row.textContent(), new RegExp(answer.error.code));
  const { y, height } = await row.boundingBox();
  assert.ok(y > 50 && y + height < DESKTOP.height, `the row is at ${y}`);
  await page.context().close();
});

test('the reference shows every operation of openapi.json', async () => {
  const api = await (await fetch(`${URL_}/openapi.json`)).json();
  const page = await openPage(browser);
  await visit(page, '/docs/#reference');
  await page.waitForSelector('.operation');
  const shown = await page.locator('.operation h3').allTextContents();
  const wanted = Object.entries(api.paths).flatMap(([path, item]) => ['get', 'post', 'put', 'patch', 'delete'].filter((m) => item[m])
    .map((m) => `${m.toUpperCase()} ${path}`));
  assert.deepEqual(shown.sort(), wanted.sort());
  await page.context().close();
});
