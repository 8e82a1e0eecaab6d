/* reference.js - an OpenAPI 3.1 document as readable HTML: operations, parameters, bodies, answers. */
import { el } from './dom.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export function renderOperations(place, api) {
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((m) => item[m]).map((m) => ({ path, method: m, shared: item.parameters || [], ...item[m] })));
  place.replaceChildren(...operations.map((o) => operationOf(o, api)));
}

/* Follows a "#/components/..." reference; the name of what it points at serves as its type. */
function resolve(node, api) {
  if (!node || !node.$ref) return node || {};
  const found = node.$ref.replace('#/', '').split('/').reduce((at, part) => at && at[part.replace(/~1/g, '/').replace(/~0/g, '~')], api);
  return { title: node.$ref.split('/').pop(), ...found };
}

function operationOf(o, api) {
  const parameters = [...o.shared, ...(o.parameters || [])].map((p) => resolve(p, api));
  const body = resolve(o.requestBody, api);
  const schema = body.content && resolve(Object.values(body.content)[0].schema, api);
  return el('article', { class: 'operation', id: `operation-${o.operationId || o.method}` },
    el('h3', {}, el('span', { class: 'verb' }, o.method.toUpperCase()), ' ', o.path),
    el('p', {}, prose([o.summary, o.description].filter(Boolean).map(sentence).join(' '))),
    parameters.length ? table('Parameters', ['Name', 'Where', 'Meaning'], parameters.map(parameterRow)) : null,
    schema && schema.properties ? table('Body', ['Member', 'Type', 'Meaning'], memberRows(schema, api)) : null,
    table('Answers', ['Status', 'Type', 'Meaning'], Object.entries(o.responses || {}).map((r) => answerRow(r, api))));
}

/* With its full stop, so that summary and description read as one. */
const sentence = (text) => (/[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`);

/* Text with `code` in it; an error's code links to its row. */
function prose(text) {
  return text.split('`').map((part, i) => {
    if (i % 2 === 0) return part;
    const code = el('code', {}, part);
    return document.getElementById(`error-${part}`) ? el('a', { href: `#error-${part}` }, code) : code;
  });
}

const table = (caption, heads, rows) => el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
  el('table', {}, el('caption', { class: 'sr' }, caption), el('thead', {}, el('tr', {}, heads.map((h) => el('th', { scope: 'col' }, h)))),
    el('tbody', {}, rows.map((cells) => el('tr', {}, cells.map((c) => el('td', {}, c)))))));

const parameterRow = (p) => [el('code', {}, p.name), p.in + (p.required ? ', required' : ''), prose(p.description || '')];

function memberRows(schema, api) {
  const required = new Set(schema.required || []);
  return Object.entries(schema.properties).map(([name, node]) => {
    const s = resolve(node, api);
    return [el('code', {}, name), typeOf(s) + (required.has(name) ? ', required' : ''), prose(node.description || s.description || '')];
  });
}

function answerRow([status, node], api) {
  const answer = resolve(node, api);
  const content = answer.content && Object.entries(answer.content)[0];
  const kind = content ? (content[1].schema && content[1].schema.$ref ? content[1].schema.$ref.split('/').pop() : content[0]) : '';
  return [el('code', {}, status), kind, prose(answer.description || '')];
}

function typeOf(s) {
  if (s.const !== undefined) return JSON.stringify(s.const);
  if (Array.isArray(s.type)) return s.type.join(' or ');
  const limits = s.maxLength ? `, ${s.minLength || 0} to ${s.maxLength.toLocaleString('en')} characters` : '';
  return (s.type || s.title || 'any') + limits;
}
