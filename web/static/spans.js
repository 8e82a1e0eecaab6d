/* spans.js - values and where they stand in the document: offsets, colours, and the marked document.
 *
 * The API counts in Unicode code points, JavaScript strings in UTF-16 units: every offset passes utf16Offsets once. */
import { el } from './dom.js';

export const COLOURS = 12; /* classes f0 (red) to f11 (violet) in refractr.css */

/* offsets[i] is the UTF-16 index of code point i; one entry more for the end. */
export function utf16Offsets(text) {
  const offsets = [];
  let at = 0;
  for (const character of text) {
    offsets.push(at);
    at += character.length;
  }
  offsets.push(at);
  return offsets;
}

export const codePoints = (text) => utf16Offsets(text).length - 1;

export const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

/* {"$type": leaf, "$description": "..."} is a leaf, not a nested object. */
export const isDescribed = (v) => isObject(v) && ('$type' in v || '$description' in v);

/* The template's leaves as dotted paths, in order: "buyer.name", "items[].price". */
export function leafPaths(template, prefix = '') {
  return Object.entries(template).flatMap(([key, value]) => {
    const path = prefix ? `${prefix}.${key}` : key;
    const leaf = isDescribed(value) ? value.$type ?? null : value;
    if (isObject(leaf)) return leafPaths(leaf, path);
    const record = Array.isArray(leaf) && leaf.length === 1 && isObject(leaf[0]) && !isDescribed(leaf[0]);
    return record ? leafPaths(leaf[0], `${path}[]`) : [path];
  });
}

/* path -> colour class, spread over the whole spectrum in the template's order. */
export function colourFields(template) {
  const paths = leafPaths(template);
  const step = paths.length > 1 && paths.length <= COLOURS ? (COLOURS - 1) / (paths.length - 1) : 1;
  const first = paths.length === 1 ? 8 : 0;
  return new Map(paths.map((path, i) => [path, `f${Math.round(first + i * step) % COLOURS}`]));
}

/* metadata.fields -> [{path, field, start, end, confidence}], in code points, of the values that were found. `path` names
 * one value ("tags[1]", "items[0].price"), `field` the template's leaf it belongs to ("tags", "items[].price"). */
export function valueSpans(fields) {
  return Object.entries(fields || {}).flatMap(([path, detail]) => {
    const spans = Array.isArray(detail.values) ? detail.values.map((d, i) => [`${path}[${i}]`, d]) : [[path, detail]];
    return spans.filter(([, d]) => Number.isInteger(d.start)).map(([p, d]) => (
      { path: p, field: fieldOf(p), start: d.start, end: d.end, confidence: d.confidence }));
  });
}

/* The template's leaf a value's path belongs to. */
export const fieldOf = (path) => path.replace(/\[\d+\](?=\.)/g, '[]').replace(/\[\d+\]$/, '');

/* Rounded down: 0.998 is not certainty. */
export const percent = (confidence) => (typeof confidence === 'number' ? `${Math.floor(confidence * 100)}%` : '');

/* The document cut where any span begins or ends: [{start, end, spans}], without gaps, in code points. */
export function segments(length, spans) {
  const cuts = new Set([0, length]);
  for (const s of spans) {
    cuts.add(Math.min(s.start, length));
    cuts.add(Math.min(s.end, length));
  }
  const sorted = [...cuts].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((start, i) => {
    const end = sorted[i + 1];
    return { start, end, spans: spans.filter((s) => s.start <= start && s.end >= end) };
  });
}

/* Puts the text into `container`, every span as a <mark> in its field's colour that tells field and confidence on hover,
 * on focus and to a screen reader. */
export function showDocument(container, text, spans, colours) {
  const at = utf16Offsets(text);
  const told = new Set();
  const nodes = segments(at.length - 1, spans).map((segment) => {
    const piece = text.slice(at[segment.start], at[segment.end]);
    if (!segment.spans.length) return document.createTextNode(piece);
    return markOf(piece, segment.spans, colours, told);
  });
  container.replaceChildren(...nodes);
}

function markOf(piece, spans, colours, told) {
  const tip = spans.map((s) => [s.path, percent(s.confidence)].filter(Boolean).join(' · ')).join('\n');
  const fresh = spans.filter((s) => !told.has(s.path));
  fresh.forEach((s) => told.add(s.path));
  const attributes = {
    class: [colours.get(spans[0].field) || 'f8', spans.length > 1 && 'several'].filter(Boolean).join(' '),
    'data-path': spans[0].path,
    'data-tip': tip,
    tabindex: fresh.length ? 0 : null,
    role: fresh.length ? 'group' : null,
    'aria-label': fresh.length ? `${piece}: ${fresh.map(spoken).join(', ')}` : null,
  };
  return el('mark', attributes, piece);
}

const spoken = (s) => [s.path, typeof s.confidence === 'number' && `confidence ${percent(s.confidence)}`]
  .filter(Boolean).join(', ');

/* Hovering or focusing a value lights it in the document, and the other way round. */
export function linkHover(...containers) {
  const light = (path, on) => containers.forEach((c) => c.querySelectorAll('[data-path]').forEach((node) => {
    if (node.dataset.path === path) node.classList.toggle('lit', on);
  }));
  const on = (event) => event.target.closest('[data-path]') && light(event.target.closest('[data-path]').dataset.path, true);
  const off = (event) => event.target.closest('[data-path]') && light(event.target.closest('[data-path]').dataset.path, false);
  for (const container of containers) {
    container.addEventListener('mouseover', on);
    container.addEventListener('mouseout', off);
    container.addEventListener('focusin', on);
    container.addEventListener('focusout', off);
  }
}
