/* jsonview.js - an answer's data as JSON text, each value in its field's colour. The text alone is valid JSON. */
import { el } from './dom.js';
import { fieldOf, isObject, percent } from './spans.js';

/* Fills `container` (a <pre>). `confidence`: path of a value -> number, or nothing known. */
export function showJson(container, data, colours, confidence = new Map()) {
  container.replaceChildren(...nodesOf(data, '', '', { colours, confidence }));
}

function nodesOf(value, path, indent, look) {
  if (Array.isArray(value)) return wrap('[', value.map((v, i) => [null, v, `${path}[${i}]`]), ']', indent, look);
  if (isObject(value)) {
    const members = Object.entries(value).map(([k, v]) => [k, v, path ? `${path}.${k}` : k]);
    return wrap('{', members, '}', indent, look);
  }
  return [leafOf(value, path, look)];
}

function wrap(open, members, close, indent, look) {
  if (!members.length) return [open + close];
  const inner = `${indent}  `;
  const lines = members.flatMap(([key, value, path], i) => [
    `${i ? ',' : ''}\n${inner}`,
    ...(key === null ? [] : [el('span', { class: 'key' }, JSON.stringify(key)), ': ']),
    ...nodesOf(value, path, inner, look),
  ]);
  return [open, ...lines, `\n${indent}${close}`];
}

function leafOf(value, path, { colours, confidence }) {
  const sure = confidence.get(path);
  if (value === null) return el('span', { class: 'null' }, 'null');
  const tip = sure === undefined ? null : `${path} · ${percent(sure)}`;
  return el('span', { class: `value ${colours.get(fieldOf(path)) || ''}`, 'data-path': path, 'data-tip': tip },
    JSON.stringify(value));
}
