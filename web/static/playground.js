/* playground.js - a text, a template, and the answer beside the document with every value marked.
 * Runs for the signed-in account, or with a pasted key, which is kept (sessionStorage) only when the box is ticked. */
import { announce, byId, el, number, svg } from './dom.js';
import { extract, session } from './http.js';
import { showJson } from './jsonview.js';
import { LANGUAGES, snippet } from './snippets.js';
import { codePoints, colourFields, linkHover, percent, showDocument, utf16Offsets, valueSpans } from './spans.js';
import { suggest } from './suggest.js';
import { readTemplate } from './template.js';
import { copyButton, dialog, notice, showError, showTips, tabs } from './ui.js';

const MOST_CHARACTERS = 50000;
const MOST_FILE_BYTES = 1 << 20;
const KEPT = 'refractr-key';

let signedIn = null; /* the session's answer, or null: then a key is needed */
let views;

/* ---- what is being asked ---- */

function question() {
  const { template, problem } = readTemplate(byId('template').value);
  const text = byId('document').value;
  if (!text) return { problem: 'Put a text into the document first.' };
  if (codePoints(text) > MOST_CHARACTERS) return { problem: `The document has more than ${number(MOST_CHARACTERS)} characters.` };
  return problem ? { problem } : { body: { document_text: text, template } };
}

function checkTemplate() {
  const { fields, problem } = readTemplate(byId('template').value);
  const state = byId('template-state');
  state.textContent = problem || `${fields} ${fields === 1 ? 'field' : 'fields'}`;
  state.classList.toggle('bad', Boolean(problem));
  byId('template').setAttribute('aria-invalid', String(Boolean(problem)));
}

function countCharacters() {
  const count = codePoints(byId('document').value);
  byId('count').textContent = `${number(count)} of ${number(MOST_CHARACTERS)} characters`;
  byId('count').classList.toggle('bad', count > MOST_CHARACTERS);
}

function suggestKeys() {
  const template = suggest(byId('document').value);
  if (!Object.keys(template).length) {
    notice(byId('problem'), 'plain', 'No labels were found in the document; write the keys you want by hand.');
    return;
  }
  byId('template').value = JSON.stringify(template, null, 2);
  checkTemplate();
  announce(`${Object.keys(template).length} keys suggested.`);
}

/* ---- getting a text in ---- */

async function openFile(file) {
  if (!file) return;
  if (file.size > MOST_FILE_BYTES) {
    notice(byId('problem'), 'error', `${file.name} is larger than 1 MiB.`);
    return;
  }
  const text = await file.text();
  if (text.includes('\0') || text.includes('\ufffd')) {
    notice(byId('problem'), 'error', `${file.name} is not a UTF-8 text file. Export it as text first.`);
    return;
  }
  setDocument(text);
  byId('dropped').textContent = file.name;
}

function setDocument(text) {
  byId('document').value = text;
  countCharacters();
  showEditor();
}

function acceptDrops(paper) {
  const lit = (on) => paper.classList.toggle('drop', on);
  paper.addEventListener('dragover', (e) => {
    e.preventDefault();
    lit(true);
  });
  paper.addEventListener('dragleave', () => lit(false));
  paper.addEventListener('drop', (e) => {
    e.preventDefault();
    lit(false);
    if (e.dataTransfer.files.length) openFile(e.dataTransfer.files[0]);
    else setDocument(e.dataTransfer.getData('text/plain'));
  });
}

/* ---- running it ---- */

const pastedKey = () => (byId('key-fields').hidden ? '' : byId('key').value.trim());

function keepKey() {
  if (byId('keep').checked && pastedKey()) sessionStorage.setItem(KEPT, pastedKey());
  else sessionStorage.removeItem(KEPT);
}

async function run() {
  const { body, problem } = question();
  if (problem || (!signedIn && !pastedKey())) {
    notice(byId('problem'), 'error', problem || 'Sign in, or paste an API key.');
    return;
  }
  keepKey();
  byId('run').disabled = true;
  byId('problem').replaceChildren();
  const started = performance.now();
  try {
    const { answer, response } = await extract({ ...body, details: true }, pastedKey());
    showAnswer(body, answer, performance.now() - started);
    showCredits(response.headers.get('X-Credits-Remaining'));
  } catch (error) {
    showError(byId('problem'), error);
  } finally {
    byId('run').disabled = false;
  }
}

function showAnswer(body, answer, tookMs) {
  const colours = colourFields(body.template);
  const spans = valueSpans(answer.metadata.fields);
  showDocument(byId('marked'), body.document_text, spans, colours);
  showJson(byId('answer'), answer.extracted_data, colours, new Map(spans.map((s) => [s.path, s.confidence])));
  showValues(body.document_text, spans, colours);
  byId('took').textContent = `${number(answer.metadata.latency_ms)} ms in the service, ${number(Math.round(tookMs))} ms in all`;
  const warnings = answer.metadata.warnings || [];
  byId('warnings').replaceChildren(...warnings.map((w) => el('p', { class: 'notice' }, w)));
  byId('answer-panel').hidden = false;
  byId('views').hidden = false;
  views.choose(byId('view-marked'));
  byId('answer-panel').scrollIntoView({ block: 'nearest' });
  announce(`${spans.length} values found in ${answer.metadata.latency_ms} milliseconds.`);
}

function showValues(text, spans, colours) {
  const at = utf16Offsets(text);
  const rows = spans.map((s) => el('tr', { 'data-path': s.path, 'data-start': s.start, 'data-end': s.end },
    el('td', {}, el('code', {}, s.path)),
    el('td', {}, text.slice(at[s.start], at[s.end])),
    el('td', { class: 'num' }, `${number(s.start)}–${number(s.end)}`),
    el('td', {}, bar(s.confidence, colours.get(s.field)), percent(s.confidence))));
  const head = el('thead', {}, el('tr', {}, ['Field', 'Text', 'Place', 'Confidence'].map((t) => el('th', { scope: 'col' }, t))));
  byId('values').replaceChildren(head, el('tbody', {}, rows));
}

function bar(confidence, colour) {
  const share = svg('rect', { width: Math.round((confidence || 0) * 100), height: 10, class: colour || 'f8' });
  return el('span', { class: 'bar-cell', 'aria-hidden': 'true' }, svg('svg', { viewBox: '0 0 100 10', preserveAspectRatio: 'none' }, share));
}

function showEditor() {
  views.choose(byId('view-edit'));
}

/* ---- who pays ---- */

function showCredits(left) {
  if (left !== null && signedIn && !pastedKey()) byId('who').textContent = `For ${signedIn.account_name}: ${number(Number(left))} credits left.`;
}

function needKey(needed) {
  byId('key-fields').hidden = !needed;
  byId('use-key').textContent = needed ? 'Use my account' : 'Use a key instead';
}

async function findOutWhoPays() {
  const kept = sessionStorage.getItem(KEPT);
  if (kept) {
    byId('key').value = kept;
    byId('keep').checked = true;
  }
  const who = await session().catch(() => ({ signed_in: false }));
  signedIn = who.signed_in ? who : null;
  byId('use-key').hidden = !signedIn;
  needKey(!signedIn || Boolean(kept));
  if (signedIn) showCredits(who.credits);
  else byId('who').replaceChildren(el('a', { href: '/dashboard/?next=/playground/' }, 'Sign in'), ', or paste a key. It stays in this page.');
}

/* ---- the same call as code ---- */

async function showCode() {
  const { body, problem } = question();
  if (problem) {
    notice(byId('problem'), 'error', problem);
    return;
  }
  const code = el('pre', { class: 'small', tabindex: 0, role: 'tabpanel', id: 'code', 'aria-label': 'The call as code' });
  const buttons = LANGUAGES.map(([id, label]) => el('button', { type: 'button', role: 'tab', 'aria-controls': 'code', 'data-language': id }, label));
  const list = el('div', { role: 'tablist', 'aria-label': 'Language' }, buttons);
  const show = (button) => { code.textContent = snippet(button.dataset.language, body, location.origin); };
  const closed = dialog('The same call', [el('div', { class: 'head' }, list, copyButton(() => code.textContent)), code],
    [['done', 'Close', '']]);
  tabs(list, show).choose(buttons[0]);
  await closed;
}

async function start() {
  views = tabs(byId('views'));
  acceptDrops(byId('paper'));
  byId('file').addEventListener('change', (e) => openFile(e.target.files[0]));
  byId('document').addEventListener('input', countCharacters);
  byId('template').addEventListener('input', checkTemplate);
  byId('suggest').addEventListener('click', suggestKeys);
  byId('run').addEventListener('click', run);
  byId('as-code').addEventListener('click', showCode);
  byId('use-key').addEventListener('click', () => needKey(byId('key-fields').hidden));
  document.addEventListener('keydown', (e) => (e.ctrlKey || e.metaKey) && e.key === 'Enter' && run());
  byId('copy-answer').append(copyButton(() => byId('answer').textContent));
  linkHover(byId('marked'), byId('answer'), byId('values'));
  showTips(byId('marked'), byId('answer'));
  const examples = await (await fetch('/static/examples.json')).json();
  const first = examples.find((e) => e.id === 'mail') || examples[0];
  setDocument(first.document_text);
  byId('template').value = JSON.stringify(first.template, null, 2);
  checkTemplate();
  await findOutWhoPays();
}

start().catch((error) => showError(byId('problem'), error));
