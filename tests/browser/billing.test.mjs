/* Buying credits through the Stripe double, the ledger and its export. REFRACTR_STRIPE_PORT and REFRACTR_STRIPE_SECRET say
 * where the service expects Stripe and which secret signs its events. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { accessibilityFaults, extract, openBrowser, openPage, overflow, PHONE, signedIn, URL_, visit } from './browser.mjs';
import { startStripe } from './stripe_double.mjs';

let browser;
let stripe;
before(async () => {
  browser = await openBrowser();
  stripe = await startStripe(Number(process.env.REFRACTR_STRIPE_PORT), URL_, process.env.REFRACTR_STRIPE_SECRET);
});
after(async () => {
  await browser.close();
  stripe.close();
});

const balance = async (page) => Number((await page.textContent('#available')).replaceAll(',', ''));

test('credits bought at the payment page arrive on the balance and in the ledger', async () => {
  const { page } = await signedIn(browser, 'buyer', { credits: 3 });
  await visit(page, '/billing/');
  assert.equal(await balance(page), 3);
  const pack = page.locator('[data-pack]').first();
  const credits = Number((await pack.locator('.figure').textContent()).replaceAll(',', ''));
  await pack.getByRole('button').click();
  await page.waitForURL('**/pay/**');
  await page.getByRole('button', { name: 'Pay' }).click();
  await page.waitForURL('**/billing/**');
  await page.waitForSelector('#notices .good');
  assert.match(await page.textContent('#notices'), /credits were added/);
  assert.equal(await balance(page), 3 + credits);
  assert.match(await page.locator('#entries tr').first().textContent(), /Purchase/);
  assert.match(stripe.requests[0].authorization, /^(Bearer|Basic) /);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a payment broken off says so and changes nothing', async () => {
  const { page } = await signedIn(browser, 'hesitant', { credits: 3 });
  await visit(page, '/billing/?checkout=cancelled');
  assert.match(await page.textContent('#notices'), /not made/);
  assert.equal(await balance(page), 3);
  await page.context().close();
});

test('the ledger can be exported and sums to the balance', async () => {
  const { page, account } = await signedIn(browser, 'accountant', { credits: 20 });
  for (let i = 0; i < 2; i++) {
    assert.equal((await extract(account.api_key, { document_text: 'Total: 3', template: { total: null } })).status, 200);
  }
  await visit(page, '/billing/');
  const waiting = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Export as CSV' }).click();
  const lines = readFileSync(await (await waiting).path(), 'utf8').trim().split(/\r?\n/);
  const column = lines[0].split(',').indexOf('credits');
  assert.ok(column >= 0, lines[0]);
  const sum = lines.slice(1).reduce((total, line) => total + Number(line.split(',')[column]), 0);
  assert.equal(sum, 18);
  assert.equal(await balance(page), 18);
  await page.context().close();
});

test('billing for readers of screens and on a phone', async () => {
  const { page } = await signedIn(browser, 'reader', { viewport: PHONE, colorScheme: 'dark' });
  await visit(page, '/billing/');
  const left = await page.locator('#entries td:nth-child(5)').first().boundingBox();
  assert.ok(left.x + left.width <= PHONE.width, `the ledger's balance is at ${left.x}: out of sight`);
  assert.ok(await overflow(page) <= 0);
  assert.deepEqual(await accessibilityFaults(page), []);
  await page.context().close();
});

test('signed out, billing offers to sign in', async () => {
  const page = await openPage(browser);
  await visit(page, '/billing/');
  assert.ok(await page.isVisible('#signed-out') && await page.isHidden('#billing'));
  await page.context().close();
});
