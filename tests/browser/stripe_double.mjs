/* stripe_double.mjs - as much of Stripe as a purchase needs: creates Checkout sessions, shows a payment page, and on "Pay"
 * sends the signed event before it sends the buyer back, as Stripe does. https://docs.stripe.com/webhooks#verify-manually */
import { createHmac, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const PAGE = '<!doctype html><html lang="en"><title>Pay</title><link rel="icon" href="data:,"><main><form method="post"><button>Pay</button></form></main></html>';

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/* "metadata[account]=x" -> {metadata: {account: "x"}} */
function readForm(text) {
  const form = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const path = name.split(/[[\]]+/).filter(Boolean);
    const last = path.pop();
    const at = path.reduce((node, key) => (node[key] ??= {}), form);
    at[last] = value;
  }
  return form;
}

function sessionOf(form, base) {
  const id = `cs_test_${randomUUID().replaceAll('-', '')}`;
  const item = form.line_items ? form.line_items[0] : {};
  const price = item.price_data || {};
  return {
    ...form, id, object: 'checkout.session', url: `${base}/pay/${id}`, status: 'open', payment_status: 'unpaid', mode: 'payment',
    amount_total: Number(price.unit_amount || 0), currency: price.currency || 'eur', payment_intent: `pi_${id.slice(8)}`,
  };
}

export function eventOf(session, type = 'checkout.session.completed') {
  return { id: `evt_${randomUUID().replaceAll('-', '')}`, object: 'event', type, created: Math.floor(Date.now() / 1000), data: { object: session } };
}

/* Posts a signed event to the service; returns the status. */
export async function send(service, secret, event) {
  const payload = JSON.stringify(event);
  const stamp = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', secret).update(`${stamp}.${payload}`).digest('hex');
  const headers = { 'Content-Type': 'application/json', 'Stripe-Signature': `t=${stamp},v1=${signature}` };
  return (await fetch(`${service}/stripe/webhook`, { method: 'POST', headers, body: payload })).status;
}

/* -> {close, requests}: requests collects the forms the service sent. */
export async function startStripe(port, service, secret) {
  const sessions = new Map();
  const requests = [];
  const base = `http://127.0.0.1:${port}`;
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const session = sessions.get(request.url.replace('/pay/', ''));
    if (request.method === 'POST' && request.url === '/v1/checkout/sessions') {
      const made = sessionOf(readForm(body), base);
      requests.push({ form: readForm(body), authorization: request.headers.authorization });
      sessions.set(made.id, made);
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(made));
    } else if (session && request.method === 'GET') {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
    } else if (session) {
      const status = await send(service, secret, eventOf({ ...session, status: 'complete', payment_status: 'paid' }));
      response.writeHead(status === 200 ? 303 : 502, { Location: session.success_url.replace('{CHECKOUT_SESSION_ID}', session.id) }).end();
    } else {
      response.writeHead(404).end('{}');
    }
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { requests, close: () => server.close() };
}
