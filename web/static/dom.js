/* dom.js - building elements. Everything a page shows goes in as text or as an attribute, never as markup. */

/* el('a', {class: 'x', href: '/', onclick: f}, 'text', child): null and false are left out, of attributes and children. */
export function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';

/* The same for SVG. */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, String(value));
  node.append(...children.flat());
  return node;
}

export const byId = (id) => document.getElementById(id);

/* Says a sentence to screen readers, without moving the focus. */
export function announce(text) {
  const region = byId('announce');
  if (!region) return;
  region.textContent = '';
  setTimeout(() => { region.textContent = text; }, 50);
}

/* An http(s) address to link to, or null: what came from elsewhere must never become a javascript: link. */
export function safeUrl(text) {
  try {
    const url = new URL(text, location.href);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}

/* Whom to ask, as the operator configured it: an address becomes a link, words stay words. */
export function contactNode(contact) {
  if (!contact) return 'the operator of this service';
  if (/^https?:\/\//.test(contact)) return el('a', { href: contact }, contact);
  return /^[^\s@]+@[^\s@]+$/.test(contact) ? el('a', { href: `mailto:${contact}` }, contact) : contact;
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/* An RFC 3339 time as <time>, or "never". */
export function time(text, otherwise = 'never') {
  const date = text ? new Date(text) : null;
  if (!date || Number.isNaN(date.getTime())) return el('span', { class: 'quiet' }, otherwise);
  return el('time', { datetime: text, title: text }, DATE.format(date));
}

export const number = (n) => new Intl.NumberFormat('en').format(n);
