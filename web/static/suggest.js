/* suggest.js - a first template from the document's own labels ("Invoice no.: 2847" -> invoice_no), in the browser. */

const MOST = 16;

/* A label at a line's start: words, then a colon (or a tab, or "#"), then something. */
const LABELLED = /^[\s>*|•-]*\**([\p{L}][\p{L}\p{N} ./&'’()-]{1,39}?)\**\s*(?::|\t|\s(?=#\s?\w)|=)\**\s*(\S.*)?$/u;

const PATTERNS = [ /* when labels are few: what documents of any kind hold */
  ['email', /[\w.+-]+@[\w-]+\.[\w.]+/],
  ['phone', /\+\d[\d ()-]{7,}\d/],
  ['date', /\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d{1,2} \p{Lu}\p{L}+ \d{4}\b/u],
  ['amount', /[$€£¥]\s?\d|\b(?:USD|EUR|GBP|NOK|CHF|JPY) ?\d/],
  ['percentage', /\d\s?%/],
  ['url', /https?:\/\/\S+/],
];

/* -> a template object; empty when nothing was found. */
export function suggest(text) {
  const labels = labelsOf(text);
  const template = {};
  for (const [key, count] of labels) if (Object.keys(template).length < MOST) template[key] = count > 1 ? [] : null;
  if (labels.size < 3) addPatterns(text, template);
  return template;
}

function labelsOf(text) {
  const counts = new Map();
  for (const line of text.split('\n')) {
    const match = LABELLED.exec(line);
    const key = match && match[1].split(/\s+/).length <= 5 ? keyOf(match[1], match[2] || '') : '';
    if (key) counts.set(key, (counts.get(key) || 0) + 1);
  }
  return counts;
}

function keyOf(label, value) {
  const words = label.replace(/['’.()]/g, '').split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  if (/^#/.test(value) && words.length === 1) words.push('number');
  return words.join('_').toLowerCase();
}

function addPatterns(text, template) {
  for (const [key, pattern] of PATTERNS) {
    const hits = text.match(new RegExp(pattern, `g${pattern.flags.replace('g', '')}`));
    const taken = Object.keys(template).some((k) => k.includes(key));
    if (hits && !taken) template[hits.length > 2 ? `${key}s` : key] = hits.length > 2 ? [] : null;
  }
}
