/* billing.js - balance, packs, ledger. Paying happens at Stripe; credits appear when its webhook has arrived, so after
 * coming back the page looks for them a while. */
import { byId, contactNode, el, number, safeUrl, time } from './dom.js';
import { session, web } from './http.js';
import { busy, notice, showError } from './ui.js';

const LOOK_AGAIN_MS = 1000;
const LOOKS = 20;

const price = (cents, currency) => new Intl.NumberFormat('en', { style: 'currency', currency: currency.toUpperCase() }).format(cents / 100);

async function buy(button, pack) {
  const checkout = await busy(button, byId('packs-problem'), () => web('POST', 'billing/checkout', { pack: pack.id }));
  if (!checkout) return;
  const url = safeUrl(checkout.url);
  if (url) location.assign(url);
  else notice(byId('packs-problem'), 'error', 'The payment page has no usable address.');
}

function packCard(pack) {
  const amount = price(pack.price_cents, pack.currency);
  const each = price((pack.price_cents / pack.credits) * 1000, pack.currency);
  return el('div', { class: 'panel pack', 'data-pack': pack.id }, el('span', { class: 'figure' }, number(pack.credits)), el('span', { class: 'quiet small' }, 'credits'),
    el('span', { class: 'price small' }, `${each} per thousand`),
    el('button', { type: 'button', class: 'primary', 'aria-label': `Buy for ${amount}: ${number(pack.credits)} credits`, onclick: (e) => buy(e.currentTarget, pack) }, `Buy for ${amount}`));
}

function showPacks({ packs, stripe, contact }) {
  byId('packs').replaceChildren(...(stripe ? packs.map(packCard) : []));
  if (stripe) {
    byId('packs-note').textContent = 'You pay at Stripe; we never see card details. Credits do not expire.';
    return;
  }
  byId('packs-note').replaceChildren('Credits are given out by ', contactNode(contact), '. The operator runs ', el('code', {}, 'refractr credits grant'), '.');
}

const KINDS = { purchase: 'Purchase', grant: 'Granted', refund: 'Refund', extraction: 'Extraction' };

function entryRow(entry) {
  const invoice = entry.invoice_url && safeUrl(entry.invoice_url);
  const sign = entry.credits > 0 ? '+' : '';
  return el('tr', {}, el('td', {}, time(entry.created_at)), el('td', {}, KINDS[entry.kind] || entry.kind), el('td', { class: 'small quiet' }, entry.note || ''),
    el('td', { class: 'num' }, sign + number(entry.credits)), el('td', { class: 'num', 'data-label': 'Balance' }, number(entry.balance)),
    el('td', {}, invoice ? el('a', { href: invoice, rel: 'noopener', target: '_blank' }, 'Invoice') : ''));
}

async function load() {
  const [billing, ledger] = await Promise.all([web('GET', 'billing'), web('GET', 'billing/ledger?limit=100')]);
  byId('available').textContent = number(billing.credits.available);
  byId('held').textContent = billing.credits.held ? `${number(billing.credits.held)} more held for running jobs` : '';
  showPacks(billing);
  const empty = el('tr', {}, el('td', { colspan: 6, class: 'quiet' }, 'Nothing yet.'));
  byId('entries').replaceChildren(...(ledger.entries.length ? ledger.entries.map(entryRow) : [empty]));
  return ledger.entries;
}

/* After Checkout: the ledger's newest purchase must be newer than the page. */
async function awaitPurchase(arrived) {
  for (let i = 0; i < LOOKS; i++) {
    const entries = await load();
    const paid = entries.find((e) => e.kind === 'purchase' && new Date(e.created_at) > arrived);
    if (paid) {
      notice(byId('notices'), 'good', `${number(paid.credits)} credits were added. Thank you.`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  notice(byId('notices'), 'plain', 'The payment is not confirmed yet. Credits appear here as soon as it is; nothing is lost if you leave.');
}

async function start() {
  const who = await session();
  byId('signed-out').hidden = who.signed_in;
  byId('billing').hidden = !who.signed_in;
  if (!who.signed_in) return;
  const checkout = new URLSearchParams(location.search).get('checkout');
  if (checkout) history.replaceState(null, '', location.pathname);
  await load();
  if (checkout === 'cancelled') notice(byId('notices'), 'plain', 'The payment was not made. Nothing was charged.');
  if (checkout === 'success') {
    notice(byId('notices'), 'plain', 'Thank you. Waiting for the payment to be confirmed.');
    await awaitPurchase(new Date(Date.now() - 15 * 60e3));
  }
}

start().catch((error) => showError(byId('problem'), error));
