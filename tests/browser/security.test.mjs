/* Attacks on the pages in a real browser: markup in everything that is stored or typed, other sites that frame the pages or
 * call in a visitor's name, addresses that lead elsewhere, what is left after signing out. A second origin on this machine
 * plays the other site. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { KEY, newAccount, openBrowser, openPage, refractr, signedIn, URL_, visit } from './browser.mjs';

const PAGES = ['/', '/docs/', '/playground/', '/dashboard/', '/billing/', '/signin/'];
const RUN = 'window.hacked=1';
const MARKUP = `"'><img src=x onerror="${RUN}"><script>${RUN}</script><svg onload=${RUN}>`;
const MARKUP_WITHOUT_BLANKS = `"><img/src=x/onerror=${RUN}>`;

let browser;
let evil; /* {server, url, page}: page is the HTML it serves */
before(async () => {
  browser = await openBrowser();
  evil = { page: '', asked: [] };
  evil.server = createServer((request, response) => {
    evil.asked.push(request.url);
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(evil.page);
  });
  await new Promise((done) => { evil.server.listen(0, '127.0.0.1', done); });
  evil.url = `http://127.0.0.1:${evil.server.address().port}/`; /* same site by cookies' rules, another origin */
  evil.elsewhere = evil.url.replace('127.0.0.1', 'localhost'); /* another site */
});
after(async () => {
  await browser.close();
  evil.server.close();
});

/* Notes every breach of the policy on the page, from its first script on. */
async function watched(page) {
  await page.addInitScript(() => {
    window.breaches = [];
    document.addEventListener('securitypolicyviolation', (e) => window.breaches.push(`${e.effectiveDirective} ${e.blockedURI}`));
  });
  page.on('dialog', (dialog) => page.faults.push(`dialog: ${dialog.message()}`));
  return page;
}

/* Nothing ran, nothing was even blocked: the markup never was markup. */
async function unharmed(page) {
  await page.waitForTimeout(200);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(await page.evaluate(() => window.breaches), []);
  assert.equal(await page.locator('img[src="x"], svg[onload]').count(), 0);
  assert.deepEqual(page.faults, []);
}

/* ---- markup in what is stored ---- */

test('names, addresses and notes are shown as the text they are', async () => {
  const account = newAccount(MARKUP);
  const page = await watched(await openPage(browser));
  await page.goto(account.signin_url);
  await page.waitForSelector('#account:not([hidden])');
  await page.fill('#new-email', `${MARKUP_WITHOUT_BLANKS}@lens.example`);
  await page.evaluate(() => { document.getElementById('password-form').noValidate = true; });
  await page.fill('#new-password', 'markup and a horse');
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.waitForSelector('#password-problem .good');
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.evaluate(() => document.getElementById('key-name').removeAttribute('maxlength'));
  await page.fill('#key-name', MARKUP);
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.locator('.secret').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Done' }).click();
  const url = `https://hooks.example/${MARKUP_WITHOUT_BLANKS}`;
  await page.fill('#webhook-url', url);
  await page.getByRole('button', { name: 'Add endpoint' }).click();
  await page.locator('.secret').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: /^Send a test/ }).click();
  await page.locator('#endpoints tbody tr').first().waitFor();
  refractr('credits', 'grant', account.account_id, '7', '--note', MARKUP);

  await visit(page, '/dashboard/');
  await page.waitForSelector('[data-endpoint]');
  for (const [place, text] of [['#account-name', MARKUP], ['#account-name', MARKUP_WITHOUT_BLANKS], ['#key-rows', MARKUP], ['#endpoints', url]])
    assert.ok((await page.textContent(place)).includes(text), `${place} does not show ${text}`);
  await page.getByRole('button', { name: /^Revoke "/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await unharmed(page);
  await visit(page, '/billing/');
  await page.waitForSelector('#entries tr:nth-child(2)');
  assert.ok((await page.textContent('#entries')).includes(MARKUP));
  await unharmed(page);
  await visit(page, '/playground/');
  assert.ok((await page.textContent('#who')).includes(MARKUP));
  await unharmed(page);
  await page.context().close();
});

test('documents, templates, answers and errors in the playground are text', async () => {
  const page = await watched(await openPage(browser));
  await visit(page, '/playground/');
  await page.fill('#key', KEY);
  await page.fill('#document', `Name: ${MARKUP}\nTotal: €12.00`);
  await page.fill('#template', JSON.stringify({ name: { $description: MARKUP }, total: null, [MARKUP]: null, kind: [MARKUP_WITHOUT_BLANKS, 'b'], list: [{ [MARKUP]: null }] }));
  await page.click('#run');
  await page.waitForFunction(() => !document.getElementById('run').disabled && (document.querySelector('#answer-panel:not([hidden])') || document.querySelector('#problem .error')));
  for (const mark of await page.locator('#marked mark').all()) await mark.hover();
  await page.click('#as-code');
  for (const tab of await page.getByRole('dialog').getByRole('tab').all()) await tab.click();
  assert.ok((await page.textContent('#code')).includes('onerror'));
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  assert.deepEqual(page.faults, []);
  await page.fill('#template', JSON.stringify({ [MARKUP]: 7 }));
  await page.click('#run');
  await page.waitForSelector('#problem .error');
  await page.click('#suggest');
  await page.waitForTimeout(200);
  await unharmed(page);
  await page.context().close();
});

test('file names are text', async () => {
  const page = await watched(await openPage(browser));
  await visit(page, '/playground/');
  const name = `<img src=x onerror=${RUN}>.txt`;
  await page.setInputFiles('#file', { name, mimeType: 'text/plain', buffer: Buffer.from(MARKUP) });
  await page.waitForFunction((n) => document.getElementById('dropped').textContent === n, name);
  assert.equal(await page.inputValue('#document'), MARKUP);
  for (const buffer of [Buffer.alloc(3 << 20, 'x'), Buffer.from([0xff, 0xfe])]) {
    await page.setInputFiles('#file', { name, mimeType: 'text/plain', buffer });
    await page.waitForFunction((n) => document.getElementById('problem').textContent.includes(n), name);
  }
  await unharmed(page);
  await page.context().close();
});

test('an invoice address is linked only when it is one', async () => {
  const page = await openPage(browser);
  await visit(page, '/docs/');
  const read = (text) => page.evaluate(async (t) => (await import('/static/dom.js')).safeUrl(t), text);
  for (const bad of ['javascript:alert(1)', ' JaVaScRiPt:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'blob:x', 'java\nscript:x'])
    assert.equal(await read(bad), null, bad);
  assert.equal(await read('https://pay.example/i?x=1'), 'https://pay.example/i?x=1');
  await page.context().close();
});

test('what stands in the address stays text and leads nowhere else', async () => {
  const { page, account } = await signedIn(browser, 'led astray');
  await watched(page);
  const hostile = encodeURIComponent(MARKUP);
  for (const path of [`/docs/#${hostile}`, '/docs/#%E0%A4%A', `/billing/?checkout=${hostile}`, `/playground/?document=${hostile}`, `/dashboard/?next=${hostile}`, `/#${hostile}`]) {
    await visit(page, path);
    assert.equal(new URL(page.url()).origin, URL_, path);
    await unharmed(page);
  }
  await visit(page, '/docs/#%E0%A4%A');
  await page.waitForSelector('#operations h3');
  await page.context().close();
  const email = 'astray@lens.example';
  const link = refractr('account', 'link', account.account_id);
  const other = await openPage(browser);
  await other.goto(JSON.parse(link).signin_url.replace(/^https?:\/\/[^/]+/, URL_));
  await other.waitForSelector('#account:not([hidden])');
  await other.fill('#new-email', email);
  await other.fill('#new-password', 'away we go');
  await other.getByRole('button', { name: 'Set password' }).click();
  await other.waitForSelector('#password-problem .good');
  for (const next of ['//evil.example', 'https://evil.example/', `javascript:${RUN}`, '/\\evil.example', '/billing/../../evil', evil.url]) {
    await other.click('#sign-out');
    await other.waitForSelector('#sign-in:not([hidden])');
    await visit(other, `/dashboard/?next=${encodeURIComponent(next)}`);
    await other.fill('#email', email);
    await other.fill('#password', 'away we go');
    await other.click('#enter');
    await other.waitForSelector('#account:not([hidden])');
    assert.ok(other.url().startsWith(`${URL_}/dashboard/`), `${next} led to ${other.url()}`);
  }
  await other.context().close();
});

/* ---- the policy ---- */

test('no page breaks the policy, and the policy stops what would', async () => {
  for (const path of PAGES) {
    const page = await watched(await openPage(browser));
    await visit(page, path);
    await unharmed(page);
    await page.evaluate(async ([run, url]) => {
      const put = (html) => document.body.insertAdjacentHTML('beforeend', html);
      put(`<img src="/static/none.png" onerror="${run}"><iframe src="${url}"></iframe><img src="${url}picture">`);
      for (const fill of [(s) => { s.textContent = run; }, (s) => { s.src = `${url}script.js`; }, (s) => { s.src = `data:text/javascript,${run}`; }]) {
        const script = document.createElement('script');
        fill(script);
        document.body.append(script);
      }
      setTimeout(run, 0); /* a string: eval, outside of this function, which the browser's debugger lets do as it likes */
      await fetch(`${url}fetched`, { mode: 'no-cors' }).catch(() => null);
      const form = Object.assign(document.createElement('form'), { action: `${url}form`, method: 'post' });
      document.body.append(form);
      form.submit();
      await new Promise((done) => { setTimeout(done, 300); });
    }, [RUN, evil.url]);
    assert.equal(await page.evaluate(() => window.hacked), undefined, path);
    const stopped = (await page.evaluate(() => window.breaches)).map((b) => b.split(' ')[0]);
    for (const directive of ['script-src-attr', 'script-src-elem', 'frame-src', 'img-src', 'connect-src', 'form-action', 'script-src'])
      assert.ok(stopped.includes(directive), `${path}: ${directive} stopped nothing of ${stopped}`);
    await page.context().close();
  }
  assert.deepEqual(evil.asked, [], 'nothing reached the other site');
});

test('no other site can put a page into a frame', async () => {
  for (const from of [evil.url, evil.elsewhere]) {
    const page = await openPage(browser);
    evil.page = PAGES.map((path) => `<iframe src="${URL_}${path}"></iframe>`).join('');
    await page.goto(from);
    await page.waitForTimeout(500);
    const frames = page.frames().slice(1);
    assert.equal(frames.length, PAGES.length);
    for (const frame of frames) assert.equal(await frame.locator('main').count(), 0, `${frame.url()} is shown`);
    await page.context().close();
  }
});

/* ---- other sites' calls ---- */

test('another origin can neither read nor change anything in a visitor\'s name', async () => {
  const { page, account } = await signedIn(browser, 'victim');
  const state = async () => Promise.all(['keys', 'webhooks', 'session'].map((path) => page.request.get(`${URL_}/web/v1/${path}`).then((r) => r.json())));
  const before = await state();
  for (const from of [evil.url, evil.elsewhere]) {
    const attacker = await page.context().newPage();
    evil.page = `<form id="f" method="post" enctype="text/plain" target="t" action="${URL_}/web/v1/keys"><input name='{"name":"forged","x":"' value='"}'></form><iframe name="t"></iframe>`;
    await attacker.goto(from);
    const read = await attacker.evaluate(async (site) => {
      const calls = [
        ['GET', 'keys', {}], ['GET', 'session', {}], ['POST', 'keys', { 'Content-Type': 'application/json' }], ['POST', 'keys', { 'Content-Type': 'text/plain' }],
        ['DELETE', 'session', {}], ['POST', 'webhooks', { 'Content-Type': 'application/json', 'X-CSRF-Token': 'x' }], ['POST', 'extract', { 'Content-Type': 'text/plain' }],
      ];
      const seen = [];
      for (const [method, path, headers] of calls) {
        const body = method === 'POST' ? '{"name":"forged","url":"https://evil.example/"}' : undefined;
        for (const mode of ['cors', 'no-cors']) {
          const answer = await fetch(`${site}/web/v1/${path}`, { method, headers, body, mode, credentials: 'include' }).catch(() => null);
          if (answer && answer.type !== 'opaque') seen.push(`${method} ${path}`);
        }
      }
      document.getElementById('f').submit();
      await new Promise((done) => { setTimeout(done, 300); });
      return seen;
    }, URL_);
    assert.deepEqual(read, [], `${from} could read answers`);
    await attacker.close();
  }
  assert.deepEqual(await state(), before);
  assert.equal(before[2].account_id, account.account_id);
  await page.context().close();
});

/* ---- sessions ---- */

test('a planted cookie is worth nothing after signing in, and scripts see no cookie', async () => {
  const account = newAccount('fixed');
  const page = await openPage(browser);
  const planted = 'A'.repeat(43);
  await page.context().addCookies([{ name: 'refractr_session', value: planted, url: URL_ }]);
  await page.goto(account.signin_url);
  await page.waitForSelector('#account:not([hidden])');
  const cookies = await page.context().cookies();
  assert.equal(cookies.length, 1);
  assert.notEqual(cookies[0].value, planted);
  const with_planted = await fetch(`${URL_}/web/v1/session`, { headers: { Cookie: `refractr_session=${planted}` } });
  assert.equal((await with_planted.json()).signed_in, false);
  assert.equal(await page.evaluate(() => document.cookie), '');
  assert.ok(!page.url().includes('token'), 'the one-time token is left in the address');
  await page.context().close();
});

test('after signing out the browser shows nothing of the account, not by going back either', async () => {
  const { page } = await signedIn(browser, 'gone soon');
  await page.evaluate(() => sessionStorage.setItem('refractr-key', 'dm_pasted'));
  await visit(page, '/billing/');
  await visit(page, '/playground/');
  await visit(page, '/dashboard/');
  await page.waitForSelector('#account:not([hidden])');
  await page.click('#sign-out');
  await page.waitForSelector('#sign-in:not([hidden])');
  assert.ok(!(await page.content()).includes('gone soon'));
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  for (let i = 0; i < 3; i++) {
    await page.goBack();
    await page.waitForLoadState('networkidle');
    assert.ok(!(await page.content()).includes('gone soon'), page.url());
  }
  await page.context().close();
});
