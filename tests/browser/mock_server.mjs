/* mock_server.mjs - the pages without the service: web/ from disk, docs/web-api.md in memory, and an extractor that finds
 * values by their labels. For working on the pages: `node tests/browser/mock_server.mjs [PORT]`. The tests never use it. */
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';

const root = new URL('../../', import.meta.url);
const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', json: 'application/json' };
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
  + "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const now = Date.now();
const ago = (hours) => new Date(now - hours * 3600e3).toISOString();
const state = {
  signedIn: false,
  keys: [
    { id: '2', name: 'billing service', prefix: 'dm_7Qk2vX9b', created_at: ago(400), last_used_at: ago(0.1), expires_at: null, revoked_at: null },
    { id: '1', name: 'first key', prefix: 'dm_aB3cD4eF', created_at: ago(900), last_used_at: ago(30), expires_at: null, revoked_at: ago(20) },
  ],
  endpoints: [{ id: '1', url: 'https://hooks.example/refractr', created_at: ago(100), disabled_at: null }],
  deliveries: [
    { id: '9', event: 'extraction.completed', created_at: ago(2), attempts: 1, status: 'delivered', response_status: 204, next_attempt_at: null },
    { id: '8', event: 'extraction.failed', created_at: ago(3), attempts: 3, status: 'retrying', response_status: 500, next_attempt_at: ago(-1) },
  ],
  credits: 41,
  ledger: [
    { id: '3', created_at: ago(2), kind: 'extraction', credits: -1, balance: 41, note: 'job 4f2a', invoice_url: null },
    { id: '2', created_at: ago(30), kind: 'purchase', credits: 50, balance: 42, note: 'Starter', invoice_url: 'https://invoice.example/i/2' },
    { id: '1', created_at: ago(90), kind: 'refund', credits: -8, balance: -8, note: '', invoice_url: null },
  ],
};
const packs = [
  { id: 'starter', credits: 1000, price_cents: 900, currency: 'eur' },
  { id: 'team', credits: 10000, price_cents: 7900, currency: 'eur' },
  { id: 'scale', credits: 100000, price_cents: 64900, currency: 'eur' },
];

const session = () => ({
  signed_in: state.signedIn, csrf_token: 'c', email: 'ada@example.org', account_id: randomUUID(), account_name: 'Ada',
  credits: state.credits, low_credits: state.credits < 50, signup_open: false, contact: 'keys@example.org', has_password: false,
});

const isObject = (v) => v && typeof v === 'object' && !Array.isArray(v);

/* Optional: real answers, {document_text: metadata.fields}. */
const answers = process.env.ANSWERS ? JSON.parse(await readFile(process.env.ANSWERS, 'utf8')) : {};

function find(text, key) {
  const label = key.replace(/_/g, '[ _.#]*');
  const match = new RegExp(`${label}\\S*\\s*[:#]?\\s*([^\\n]+)`, 'iu').exec(text) || /([\p{Lu}€$]\S+)/u.exec(text.slice(key.length * 3));
  if (!match) return null;
  const start = match.index + match[0].lastIndexOf(match[1]);
  const points = (s) => [...s].length;
  return { value_text: match[1], start: points(text.slice(0, start)), end: points(text.slice(0, start + match[1].length)), confidence: 0.91 };
}

function extraction(body) {
  const fields = {};
  const fill = (template, path) => Object.fromEntries(Object.entries(template).map(([key, leaf]) => {
    const at = path ? `${path}.${key}` : key;
    if (isObject(leaf) && !('$type' in leaf)) return [key, fill(leaf, at)];
    const known = answers[body.document_text];
    const hit = known ? known[at] : find(body.document_text, key);
    if (hit) fields[at] = Array.isArray(leaf) ? { values: [hit].flat(), near_misses: 0 } : hit;
    return [key, Array.isArray(leaf) ? [hit || []].flat().map((h) => h.value_text) : hit ? hit.value_text : null];
  }));
  const extracted_data = fill(body.template, '');
  return { job_id: randomUUID(), status: 'success', extracted_data, metadata: { latency_ms: 7, credits_charged: 1, fields } };
}

const fail = (status, code, message) => [status, { error: { type: 'x', code, message, param: null, doc_url: `/docs/#error-${code}`, request_id: 'r' } }];
const usage = (days) => ({
  days: Array.from({ length: days }, (_, i) => {
    const requests = Math.round(300 + 250 * Math.sin(i / 3) + 40 * ((i * 7) % 5));
    return { date: ago(24 * (days - 1 - i)).slice(0, 10), requests, credits: requests - 4, p50_ms: 8 + (i % 3), p95_ms: 17 + (i % 7), errors: i % 6 ? 2 : 19 };
  }),
});
const jobs = () => ({
  jobs: Array.from({ length: 12 }, (_, i) => ({
    job_id: randomUUID(), status: i === 3 ? 'failed' : 'success', created_at: ago(i / 3), latency_ms: 6 + (i % 9), credits_charged: i === 3 ? 0 : 1,
    error_code: i === 3 ? 'deadline_exceeded' : null,
  })),
});

async function examples() {
  return JSON.parse(await readFile(new URL('web/static/examples.json', root), 'utf8'));
}

const newKey = (name) => ({ id: String(state.keys.length + 1), name, prefix: 'dm_Zz91kLmn', api_key: 'dm_Zz91kLmnPq2rStUvWxYz0123456789abAbCdEf' });
function addKey(name) {
  const key = newKey(name);
  state.keys.unshift({ ...key, api_key: undefined, created_at: new Date().toISOString(), last_used_at: null, expires_at: null, revoked_at: null });
  return key;
}

const routes = [
  ['GET', /^session$/, () => [200, session()]],
  ['POST', /^session$/, (m, b) => (b.password === 'wrong' ? fail(401, 'invalid_credentials', 'E-mail address and password do not match.') : ((state.signedIn = true), [200, session()]))],
  ['DELETE', /^session$/, () => ((state.signedIn = false), [200, { ...session() }])],
  ['POST', /^signin-link$/, () => ((state.signedIn = true), [200, session()])],
  ['POST', /^password$/, () => [200, { ok: true }]],
  ['GET', /^keys$/, () => [200, { keys: state.keys }]],
  ['POST', /^keys$/, (m, b) => [201, addKey(b.name)]],
  ['POST', /^keys\/(\w+)\/regenerate$/, (m, b) => {
    const old = state.keys.find((k) => k.id === m[1]);
    old.expires_at = ago(b.overlap === 'none' ? 0 : b.overlap === '1h' ? -1 : -24);
    return [201, addKey(old.name)];
  }],
  ['DELETE', /^keys\/(\w+)$/, (m) => ((state.keys.find((k) => k.id === m[1]).revoked_at = ago(0)), [200, { ok: true }])],
  ['GET', /^usage$/, () => [200, usage(30)]],
  ['GET', /^jobs$/, () => [200, jobs()]],
  ['POST', /^extract$/, (m, b) => [200, extraction(b)]],
  ['POST', /^demo$/, async (m, b) => [200, extraction((await examples()).find((e) => e.id === b.example))]],
  ['GET', /^webhooks$/, () => [200, { endpoints: state.endpoints }]],
  ['POST', /^webhooks$/, (m, b) => (state.endpoints.push({ id: '2', url: b.url, created_at: ago(0), disabled_at: null }), [201, { id: '2', url: b.url, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }])],
  ['DELETE', /^webhooks\/(\w+)$/, (m) => ((state.endpoints = state.endpoints.filter((e) => e.id !== m[1])), [200, { ok: true }])],
  ['POST', /^webhooks\/(\w+)\/test$/, () => [202, { delivery_id: '10' }]],
  ['GET', /^webhooks\/(\w+)\/deliveries$/, () => [200, { deliveries: state.deliveries }]],
  ['GET', /^billing$/, () => [200, { credits: { available: state.credits, held: 1 }, packs, stripe: true, contact: 'keys@example.org' }]],
  ['GET', /^billing\/ledger$/, () => [200, { entries: state.ledger }]],
  ['POST', /^billing\/checkout$/, () => [200, { url: '/billing/?checkout=success' }]],
];

async function answerCall(method, path, body) {
  for (const [m, pattern, handle] of routes) {
    const match = m === method && pattern.exec(path);
    if (match) return handle(match, body);
  }
  return fail(404, 'not_found', `No ${method} ${path}.`);
}

async function file(path) {
  const name = path === '/openapi.json' ? 'docs/openapi.json' : `web${path.endsWith('/') ? `${path}index.html` : path}`;
  return [await readFile(new URL(name, root)), types[name.split('.').pop()]];
}

/* Optional: the public API of a running service, BACKEND=http://127.0.0.1:8080 KEY=dm_..., which also answers for a session. */
const backend = process.env.BACKEND;
async function forward(request, response, path, json) {
  let body = json;
  if (path.endsWith('/demo')) {
    const { document_text, template } = (await examples()).find((e) => e.id === json.example);
    body = { document_text, template, details: true };
  }
  const headers = { 'Content-Type': 'application/json' };
  if (request.headers.authorization || path.startsWith('/web/')) headers.Authorization = request.headers.authorization || `Bearer ${process.env.KEY}`;
  const options = request.method === 'POST' ? { method: 'POST', body: JSON.stringify(body), headers } : { headers };
  const answer = await fetch(backend + path.replace(/^\/web\/v1\/.*/, '/api/v1/extract/'), options);
  response.writeHead(answer.status, { 'Content-Type': 'application/json', 'X-Credits-Remaining': answer.headers.get('x-credits-remaining') || '' });
  response.end(await answer.text());
}

createServer(async (request, response) => {
  const url = new URL(request.url, 'http://x');
  let body = '';
  for await (const chunk of request) body += chunk;
  const json = body ? JSON.parse(body) : {};
  response.setHeader('Content-Security-Policy', policy);
  if (backend && (url.pathname.startsWith('/api/') || /^\/web\/v1\/(extract|demo)$/.test(url.pathname))) {
    await forward(request, response, url.pathname, json);
    return;
  }
  if (url.pathname.startsWith('/web/v1/') || url.pathname.startsWith('/api/')) {
    const path = url.pathname.startsWith('/api/') ? 'extract' : url.pathname.slice(8);
    const [status, answer] = await answerCall(request.method, path, json);
    response.writeHead(status, { 'Content-Type': 'application/json', 'X-Credits-Remaining': String(state.credits) });
    response.end(JSON.stringify(answer));
    return;
  }
  try {
    const [bytes, type] = await file(url.pathname);
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` });
    response.end(bytes);
  } catch {
    response.writeHead(404).end('not found');
  }
}).listen(Number(process.argv[2]) || 18300, '127.0.0.1');
