/* dashboard.js - signing in, and everything of an account but its money: keys, usage, jobs, webhooks, password.
 * Each panel loads by itself; a failure of one is told in its place and leaves the others alone. */
import { barChart, lineChart } from './chart.js';
import { byId, contactNode, el, number, time } from './dom.js';
import { enter, session, web } from './http.js';
import { busy, dialog, notice, showError, showSecret } from './ui.js';

/* ---- signing in ---- */

/* Only to a page of our own. */
function nextPage() {
  const next = new URLSearchParams(location.search).get('next') || '';
  return ['/playground/', '/billing/'].includes(next) ? next : null;
}

function showSignIn(who) {
  byId('account').hidden = true;
  byId('sign-in').hidden = false;
  byId('switch').hidden = !who.signup_open;
  if (who.signup_open) return;
  byId('no-account').replaceChildren('No account yet? Accounts and keys are given out by ', contactNode(who.contact), '.');
}

function switchForm() {
  const signUp = byId('name-field').hidden;
  byId('name-field').hidden = !signUp;
  byId('name').required = signUp;
  byId('password').autocomplete = signUp ? 'new-password' : 'current-password';
  byId('sign-in-title').textContent = signUp ? 'Make an account' : 'Sign in';
  byId('enter').textContent = signUp ? 'Make the account' : 'Sign in';
  byId('switch').textContent = signUp ? 'I have an account' : 'Make an account';
}

async function signIn(event) {
  event.preventDefault();
  const signUp = !byId('name-field').hidden;
  const body = { email: byId('email').value, password: byId('password').value };
  if (signUp) body.name = byId('name').value;
  const who = await busy(byId('enter'), byId('problem'), () => enter(signUp ? 'signup' : 'session', body));
  if (!who) return;
  byId('password').value = '';
  if (nextPage()) location.assign(nextPage());
  else showAccount(who);
}

async function signOut() {
  const who = await busy(byId('sign-out'), byId('problem'), () => web('DELETE', 'session'));
  if (!who) return;
  sessionStorage.clear(); /* a key pasted into the playground */
  location.replace('/dashboard/'); /* a fresh page: nothing of the account stays in this one */
}

/* ---- the account ---- */

function showAccount(who) {
  byId('sign-in').hidden = true;
  byId('account').hidden = false;
  byId('notices').replaceChildren();
  byId('account-name').textContent = [who.account_name, who.email].filter(Boolean).join(' · ');
  byId('credits').textContent = number(who.credits);
  byId('password-user').value = who.email || '';
  byId('current-field').hidden = !who.has_password;
  byId('email-field').hidden = Boolean(who.email);
  byId('new-email').required = !who.email;
  if (who.low_credits) {
    const text = who.credits > 0 ? `${number(who.credits)} credits are left.` : 'No credits are left; extractions are answered with 402.';
    notice(byId('notices'), who.credits > 0 ? 'plain' : 'error', text, { href: '/billing/', text: 'Get more' });
  }
  if (!who.has_password) {
    byId('notices').append(el('p', { class: 'notice' }, 'You came by a one-time link. ', el('a', { href: '#password-panel' }, 'Set a password'), ' to sign in next time.'));
  }
  loadAll();
}

function loadAll() {
  const panels = [[loadKeys, 'keys-problem'], [loadUsage, 'charts'], [loadJobs, 'notices'], [loadEndpoints, 'webhooks-problem']];
  for (const [load, place] of panels) load().catch((error) => showError(byId(place), error));
}

/* ---- keys ---- */

function keyState(key) {
  const expires = key.expires_at && new Date(key.expires_at);
  if (key.revoked_at) return el('span', { class: 'state bad' }, 'revoked');
  if (expires && expires <= new Date()) return el('span', { class: 'state bad' }, 'expired');
  if (expires) return el('span', { class: 'state warm' }, 'until ', time(key.expires_at));
  return el('span', { class: 'state good' }, 'active');
}

const usable = (key) => !key.revoked_at && !(key.expires_at && new Date(key.expires_at) <= new Date());

function keyRow(key) {
  const named = (verb) => `${verb} ${key.name || key.prefix}`;
  const buttons = usable(key) && [
    key.expires_at ? null : el('button', { type: 'button', class: 'link', 'aria-label': named('Regenerate'), onclick: () => regenerate(key) }, 'Regenerate'),
    el('button', { type: 'button', class: 'link danger', 'aria-label': named('Revoke'), onclick: () => revoke(key) }, 'Revoke'),
  ];
  return el('tr', { 'data-key': key.id }, el('td', {}, key.name || ''), el('td', {}, el('code', {}, `${key.prefix}…`)),
    el('td', {}, keyState(key)), el('td', { 'data-label': 'Created' }, time(key.created_at)), el('td', { 'data-label': 'Last used' }, time(key.last_used_at)), el('td', { class: 'acts' }, buttons));
}

async function loadKeys() {
  const { keys } = await web('GET', 'keys');
  const empty = el('tr', {}, el('td', { colspan: 6, class: 'quiet' }, 'No keys yet. Create one to make your first call.'));
  byId('key-rows').replaceChildren(...(keys.length ? keys.map(keyRow) : [empty]));
}

const showKey = (key) => showSecret('Your new key', 'Copy it now: it is shown this once and stored only as a hash.', key.api_key);

async function createKey() {
  const input = el('input', { type: 'text', id: 'key-name', maxlength: 100, placeholder: 'billing service', required: true });
  const answer = await dialog('Create a key', [el('label', { for: 'key-name' }, 'What will use it?'), input], [['', 'Cancel'], ['create', 'Create', 'primary']]);
  if (answer !== 'create') return;
  const key = await busy(byId('create-key'), byId('keys-problem'), () => web('POST', 'keys', { name: input.value.trim() }));
  if (key) await Promise.all([showKey(key), loadKeys()]);
}

async function regenerate(key) {
  const choices = [['none', 'Stop it at once'], ['1h', 'Keep it for 1 hour'], ['24h', 'Keep it for 24 hours']];
  const radios = choices.map(([value, label], i) => el('label', { class: 'check' },
    el('input', { type: 'radio', name: 'overlap', value, checked: i === 1 }), label));
  const fields = el('fieldset', {}, el('legend', {}, `What should happen to the old key, ${key.prefix}…?`), radios);
  const answer = await dialog('Regenerate the key', [fields], [['', 'Cancel'], ['go', 'Make the new key', 'primary']]);
  if (answer !== 'go') return;
  const overlap = fields.querySelector('input:checked').value;
  const fresh = await busy(null, byId('keys-problem'), () => web('POST', `keys/${encodeURIComponent(key.id)}/regenerate`, { overlap }));
  if (fresh) await Promise.all([showKey(fresh), loadKeys()]);
}

async function revoke(key) {
  const sentence = el('p', {}, 'Calls with ', el('code', {}, `${key.prefix}…`), ' are refused from now on. This cannot be undone.');
  const answer = await dialog('Revoke the key', [sentence], [['', 'Cancel'], ['go', 'Revoke', 'danger']]);
  if (answer !== 'go') return;
  await busy(null, byId('keys-problem'), () => web('DELETE', `keys/${encodeURIComponent(key.id)}`));
  await loadKeys();
}

/* ---- usage and jobs ---- */

const sum = (days, of) => days.reduce((total, day) => total + (of(day) || 0), 0);

async function loadUsage() {
  const { days } = await web('GET', 'usage?days=30');
  const requests = sum(days, (d) => d.requests);
  const used = days.filter((d) => d.p50_ms !== null && d.requests > 0);
  byId('requests').textContent = number(requests);
  byId('latency').textContent = used.length ? `${number(used[used.length - 1].p50_ms)} ms` : 'none';
  byId('error-rate').textContent = requests ? `${((100 * sum(days, (d) => d.errors)) / requests).toFixed(1)}%` : '0%';
  byId('charts').replaceChildren(
    barChart('Requests', days, [
      { name: 'answered', colour: 'f8', of: (d) => d.requests - d.errors }, { name: 'failed', colour: 'f0', of: (d) => d.errors }]),
    lineChart('Latency in ms', days, [
      { name: 'p50', colour: 'f6', of: (d) => (d.requests ? d.p50_ms : null) }, { name: 'p95', colour: 'f2', of: (d) => (d.requests ? d.p95_ms : null) }]),
    barChart('Credits', days, [{ name: 'credits', colour: 'f10', of: (d) => d.credits }]),
    lineChart('Errors, % of requests', days, [{ name: 'errors', colour: 'f0', of: (d) => (d.requests ? (100 * d.errors) / d.requests : null) }]),
  );
  byId('usage-rows').replaceChildren(...[...days].reverse().map((d) => el('tr', {}, el('th', { scope: 'row' }, d.date),
    [d.requests, d.errors, d.credits, d.p50_ms, d.p95_ms].map((n) => el('td', { class: 'num' }, n === null ? '' : number(n))))));
}

const JOB_STATES = { success: 'good', failed: 'bad', pending: 'warm', running: 'warm' };

/* Of the id its end: it begins with the time, so that neighbours look alike. */
function jobRow(job) {
  const state = el('span', { class: `state ${JOB_STATES[job.status] || ''}` }, job.status);
  const code = job.error_code && el('a', { class: 'small', href: `/docs/#error-${encodeURIComponent(job.error_code)}` }, job.error_code);
  return el('tr', {}, el('td', {}, el('code', { title: job.job_id }, `…${job.job_id.slice(-8)}`)), el('td', {}, state, code ? ' ' : '', code),
    el('td', {}, time(job.created_at)), el('td', { class: 'num' }, typeof job.latency_ms === 'number' ? `${number(job.latency_ms)} ms` : ''),
    el('td', { class: 'num', 'data-label': 'Credits' }, number(job.credits_charged || 0)));
}

async function loadJobs() {
  const { jobs } = await web('GET', 'jobs?limit=50');
  const empty = el('tr', {}, el('td', { colspan: 5, class: 'quiet' }, 'Nothing has run yet. ', el('a', { href: '/playground/' }, 'Try the playground'), '.'));
  byId('job-rows').replaceChildren(...(jobs.length ? jobs.map(jobRow) : [empty]));
}

/* ---- webhooks ---- */

async function loadEndpoints() {
  const { endpoints } = await web('GET', 'webhooks');
  byId('endpoints').replaceChildren(...endpoints.map(endpointOf));
}

function endpointOf(endpoint) {
  const log = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Deliveries to ${endpoint.url}` });
  const act = (label, kind, work) => el('button', { type: 'button', class: kind, 'aria-label': `${label}: ${endpoint.url}`, onclick: (e) => work(e.currentTarget) }, label);
  const path = `webhooks/${encodeURIComponent(endpoint.id)}`;
  const showLog = async () => showDeliveries(log, (await web('GET', `${path}/deliveries`)).deliveries);
  const test = (button) => busy(button, byId('webhooks-problem'), async () => {
    await web('POST', `${path}/test`);
    notice(byId('webhooks-problem'), 'good', 'A test event is on its way.');
    setTimeout(showLog, 1500);
    await showLog();
  });
  const remove = async (button) => {
    const answer = await dialog('Remove the endpoint', [el('p', {}, `Nothing is sent to ${endpoint.url} any more.`)], [['', 'Cancel'], ['go', 'Remove', 'danger']]);
    if (answer === 'go') await busy(button, byId('webhooks-problem'), async () => web('DELETE', path).then(loadEndpoints));
  };
  const state = endpoint.disabled_at && el('span', { class: 'state bad small' }, 'switched off ', time(endpoint.disabled_at));
  return el('article', { class: 'operation', 'data-endpoint': endpoint.id },
    el('div', { class: 'head' }, el('h3', {}, endpoint.url), state,
      act('Send a test', 'link', test), act('Deliveries', 'link', (b) => busy(b, byId('webhooks-problem'), showLog)), act('Remove', 'link danger', remove)),
    log);
}

const DELIVERY_STATES = { delivered: 'good', success: 'good', failed: 'bad', retrying: 'warm', pending: 'warm' };

function showDeliveries(place, deliveries) {
  const heads = ['Event', 'State', 'Answer', 'Attempts', 'When', 'Next'];
  const rows = deliveries.map((d) => el('tr', {}, el('td', {}, el('code', {}, d.event)),
    el('td', {}, el('span', { class: `state ${DELIVERY_STATES[d.status] || ''}` }, d.status)), el('td', {}, d.response_status === null ? '' : String(d.response_status)),
    el('td', { class: 'num' }, number(d.attempts)), el('td', {}, time(d.created_at)), el('td', {}, time(d.next_attempt_at, ''))));
  const empty = el('p', { class: 'quiet small' }, 'Nothing was sent yet.');
  place.replaceChildren(rows.length ? el('table', {}, el('thead', {}, el('tr', {}, heads.map((h) => el('th', { scope: 'col', class: h === 'Attempts' ? 'num' : null }, h)))), el('tbody', {}, rows)) : empty);
}

async function addEndpoint(event) {
  event.preventDefault();
  const url = byId('webhook-url').value;
  const made = await busy(event.submitter, byId('webhooks-problem'), () => web('POST', 'webhooks', { url }));
  if (!made) return;
  byId('webhook-url').value = '';
  await Promise.all([showSecret('The signing secret', 'Your endpoint checks signatures with it. It is shown this once.', made.secret), loadEndpoints()]);
}

/* ---- password ---- */

async function setPassword(event) {
  event.preventDefault();
  const body = { password: byId('new-password').value };
  if (!byId('current-field').hidden) body.current_password = byId('current-password').value;
  if (!byId('email-field').hidden) body.email = byId('new-email').value;
  const done = await busy(event.submitter, byId('password-problem'), () => web('POST', 'password', body));
  if (!done) return;
  byId('password-form').reset();
  showAccount(await session());
  notice(byId('password-problem'), 'good', 'The password is set.');
}

async function start() {
  byId('sign-in-form').addEventListener('submit', signIn);
  byId('switch').addEventListener('click', switchForm);
  byId('sign-out').addEventListener('click', signOut);
  byId('create-key').addEventListener('click', createKey);
  byId('refresh-jobs').addEventListener('click', () => loadJobs().catch((error) => showError(byId('notices'), error)));
  byId('webhook-form').addEventListener('submit', addEndpoint);
  byId('password-form').addEventListener('submit', setPassword);
  const who = await session();
  if (who.signed_in) showAccount(who);
  else showSignIn(who);
}

start().catch((error) => showError(byId('problem'), error));
