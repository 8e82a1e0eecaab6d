/* home.js - the front page's live example: a document, the real answer, and the light between them.
 * Calls POST /web/v1/demo with an example's id; the documents are in /static/examples.json, for page and service alike. */
import { announce, byId, el, number } from './dom.js';
import { web } from './http.js';
import { showJson } from './jsonview.js';
import { drawRays } from './rays.js';
import { LANGUAGES, snippet } from './snippets.js';
import { colourFields, linkHover, percent, showDocument, valueSpans } from './spans.js';
import { copyButton, showError, showTips, tabs } from './ui.js';

let examples = [];
let current = null;
let language = 'curl';

const emptyOf = (leaf) => {
  if (Array.isArray(leaf)) return [];
  const nested = leaf && typeof leaf === 'object';
  return nested ? Object.fromEntries(Object.entries(leaf).map(([k, v]) => [k, emptyOf(v)])) : null;
};

function showSnippet() {
  if (current) byId('snippet').textContent = snippet(language, bodyOf(current), location.origin);
}

const bodyOf = (example) => ({ document_text: example.document_text, template: example.template });

function showQuestion(example) {
  const colours = colourFields(example.template);
  showDocument(byId('document'), example.document_text, [], colours);
  byId('template').textContent = JSON.stringify(example.template, null, 2);
  showJson(byId('answer'), Object.fromEntries(Object.entries(example.template).map(([k, v]) => [k, emptyOf(v)])), colours);
  byId('result').replaceChildren();
  drawRays(byId('bench'), colours, false);
  showSnippet();
}

function showAnswer(example, answer, tookMs) {
  const colours = colourFields(example.template);
  const spans = valueSpans(answer.metadata.fields);
  showDocument(byId('document'), example.document_text, spans, colours);
  showJson(byId('answer'), answer.extracted_data, colours, new Map(spans.map((s) => [s.path, s.confidence])));
  const fact = (value, text) => el('span', {}, el('b', {}, value), ` ${text}`);
  byId('result').replaceChildren(
    fact(`${number(answer.metadata.latency_ms)} ms`, 'in the service'),
    fact(`${number(Math.round(tookMs))} ms`, 'to this page and back'),
    fact(percent(Math.min(...spans.map((s) => s.confidence))) || 'none', 'least confidence'),
  );
  drawRays(byId('bench'), colours, true);
}

async function run(example) {
  current = example;
  showQuestion(example);
  byId('problem').replaceChildren();
  byId('again').disabled = true;
  const started = performance.now();
  try {
    const answer = await web('POST', 'demo', { example: example.id });
    if (current !== example) return;
    showAnswer(example, answer, performance.now() - started);
    announce(`Answered in ${answer.metadata.latency_ms} milliseconds.`);
  } catch (error) {
    if (current === example) showError(byId('problem'), error);
  } finally {
    byId('again').disabled = false;
  }
}

function tabButton(id, label, selected, panel) {
  return el('button', { type: 'button', role: 'tab', id, 'aria-selected': String(selected), 'aria-controls': panel, tabindex: selected ? 0 : -1 }, label);
}

async function start() {
  const response = await fetch('/static/examples.json');
  examples = await response.json();
  byId('examples').append(...examples.map((e, i) => tabButton(`example-${e.id}`, e.title, i === 0, 'bench')));
  tabs(byId('examples'), (button) => run(examples.find((e) => `example-${e.id}` === button.id)));
  byId('languages').append(...LANGUAGES.map(([id, label], i) => tabButton(`language-${id}`, label, i === 0, 'snippet')));
  tabs(byId('languages'), (button) => {
    language = button.id.replace('language-', '');
    showSnippet();
  });
  byId('copy-place').append(copyButton(() => byId('snippet').textContent));
  byId('again').addEventListener('click', () => run(current));
  linkHover(byId('document'), byId('answer'));
  showTips(byId('document'), byId('answer'));
  new ResizeObserver(() => current && drawRays(byId('bench'), colourFields(current.template), false)).observe(byId('bench'));
  await run(examples[0]);
}

start().catch((error) => showError(byId('problem'), error));
