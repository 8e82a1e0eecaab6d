/* The dashboard of a fresh account: signing in, keys and their overlap, usage, jobs, webhooks, the playground's session. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibilityFaults, extract, openBrowser, openPage, overflow, PHONE, refractr, signedIn, URL_, visit } from './browser.mjs';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser.close());

const INVOICE = { document_text: 'Invoice #2847\nTotal: €1,249.00', template: { invoice_number: null } };
const PASSWORD = 'lens and prism 7';

/* Reads the key shown once, closes the dialog. */
async function takeSecret(page) {
  const dialog = page.getByRole('dialog');
  const secret = await dialog.getByTestId('secret').or(dialog.locator('.secret')).textContent();
  await dialog.getByRole('button', { name: 'Copy' }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  await dialog.getByRole('button', { name: 'Done' }).click();
  await dialog.waitFor({ state: 'detached' });
  return secret;
}

async function createKey(page, name) {
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.fill('#key-name', name);
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.locator('.secret').waitFor();
  return takeSecret(page);
}

async function regenerate(page, name, choice) {
  await page.getByRole('button', { name: `Regenerate ${name}` }).first().click();
  await page.getByRole('radio', { name: choice }).check();
  await page.getByRole('button', { name: 'Make the new key' }).click();
  await page.locator('.secret').waitFor();
  return takeSecret(page);
}

const statusOf = async (key) => (await extract(key, INVOICE)).status;

test('a one-time link signs in, once', async () => {
  const { page, account } = await signedIn(browser, 'once');
  assert.match(await page.textContent('#account-name'), /once/);
  assert.equal(await page.textContent('#credits'), '100');
  const cookies = await page.context().cookies();
  const cookie = cookies.find((c) => c.name === 'refractr_session');
  assert.ok(cookie.httpOnly && cookie.sameSite === 'Lax');
  const other = await openPage(browser);
  await other.goto(account.signin_url);
  await other.waitForSelector('#problem .error');
  assert.match(await other.textContent('#state'), /does not work/);
  await page.context().close();
  await other.context().close();
});

test('a key works once made; regenerated without overlap the old one is 401 at once, with an hour it lives on', async () => {
  const { page } = await signedIn(browser, 'keys');
  const first = await createKey(page, 'press');
  assert.equal(await statusOf(first), 200);
  assert.ok((await page.textContent('#key-rows')).includes(first.slice(0, 11)));
  assert.ok(!(await page.textContent('#key-rows')).includes(first));
  const second = await regenerate(page, 'press', 'Keep it for 1 hour');
  assert.deepEqual([await statusOf(first), await statusOf(second)], [200, 200]);
  const third = await regenerate(page, 'press', 'Stop it at once');
  assert.deepEqual([await statusOf(second), await statusOf(third)], [401, 200]);
  const row = page.locator('#key-rows tr', { hasText: first.slice(0, 11) });
  refractr('key', 'revoke', await row.getAttribute('data-key'), '--overlap', '1'); // the hour, shortened to a second
  await new Promise((resolve) => setTimeout(resolve, 3500));
  assert.deepEqual([await statusOf(first), await statusOf(third)], [401, 200], 'after the overlap');
  assert.match(await page.textContent('#key-rows'), /until/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a revoked key is refused, after asking', async () => {
  const { page } = await signedIn(browser, 'revoke');
  const key = await createKey(page, 'old lamp');
  await page.getByRole('button', { name: 'Revoke old lamp' }).click();
  await page.keyboard.press('Escape');
  assert.equal(await statusOf(key), 200);
  await page.getByRole('button', { name: 'Revoke old lamp' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.locator('#key-rows .state.bad').waitFor();
  assert.equal(await statusOf(key), 401);
  await page.context().close();
});

test('a password can be set and signs in; a wrong one is told', async () => {
  const { page } = await signedIn(browser, 'password');
  const email = 'password@lens.example';
  if (await page.isVisible('#new-email')) await page.fill('#new-email', email);
  await page.fill('#new-password', PASSWORD);
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.waitForSelector('#password-problem .good');
  await page.click('#sign-out');
  await page.waitForSelector('#sign-in:not([hidden])');
  await page.fill('#email', email);
  await page.fill('#password', 'not the one');
  await page.click('#enter');
  await page.waitForSelector('#problem .error');
  await page.fill('#password', PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#account:not([hidden])');
  await page.context().close();
});

test('usage and recent jobs show what ran', async () => {
  const { page, account } = await signedIn(browser, 'usage');
  for (let i = 0; i < 3; i++) assert.equal(await statusOf(account.api_key), 200);
  await visit(page, '/dashboard/');
  await page.waitForSelector('#job-rows code');
  assert.equal(await page.textContent('#credits'), '97');
  assert.equal(await page.textContent('#requests'), '3');
  assert.equal(await page.locator('#job-rows tr').count(), 3);
  assert.equal(await page.locator('#charts svg').count(), 4);
  assert.ok(!(await page.textContent('main')).includes('1,249.00'), 'document text is shown');
  assert.ok(await overflow(page) <= 0);
  assert.deepEqual(await accessibilityFaults(page), []);
  await page.context().close();
});

test('few credits left are told', async () => {
  const { page } = await signedIn(browser, 'poor', { credits: 2 });
  assert.match(await page.textContent('#notices'), /2 credits are left/);
  await page.context().close();
});

test('the signed-in playground needs no key', async () => {
  const { page } = await signedIn(browser, 'player');
  await visit(page, '/playground/');
  assert.ok(await page.isHidden('#key'));
  await page.click('#run');
  await page.waitForSelector('#marked mark');
  assert.match(await page.textContent('#who'), /99 credits left/);
  await page.context().close();
});

test('an endpoint is added with its secret, tested, and removed', async () => {
  const { page } = await signedIn(browser, 'hooks');
  await page.fill('#webhook-url', 'https://hooks.example.com/in');
  await page.getByRole('button', { name: 'Add endpoint' }).click();
  await page.locator('.secret').waitFor();
  assert.match(await takeSecret(page), /^whsec_/);
  await page.getByRole('button', { name: /^Send a test/ }).click();
  await page.locator('#endpoints tbody tr').first().waitFor();
  assert.deepEqual(await accessibilityFaults(page), []);
  await page.getByRole('button', { name: /^Remove/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.locator('[data-endpoint]').waitFor({ state: 'detached' });
  await page.context().close();
});

test('calls that change something need the CSRF token', async () => {
  const { page } = await signedIn(browser, 'forged');
  const status = await page.evaluate(async () => (await fetch('/web/v1/keys', { method: 'POST', body: '{"name":"x"}', headers: { 'Content-Type': 'application/json' } })).status);
  assert.equal(status, 403);
  await page.context().close();
});

test('the dashboard on a phone, dark', async () => {
  const { page } = await signedIn(browser, 'pocket', { viewport: PHONE, colorScheme: 'dark' });
  const revoke = await page.getByRole('button', { name: /^Revoke/ }).boundingBox();
  assert.ok(revoke.x + revoke.width <= PHONE.width, `the key's buttons are at ${revoke.x}: out of sight`);
  assert.ok(await overflow(page) <= 0);
  assert.deepEqual(await accessibilityFaults(page), []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('signed out, the account is not shown', async () => {
  const page = await openPage(browser);
  await visit(page, '/dashboard/');
  assert.ok(await page.isVisible('#sign-in') && await page.isHidden('#account'));
  assert.equal((await fetch(`${URL_}/web/v1/keys`)).status, 401);
  await page.context().close();
});
