/* docs.js - the documentation's comforts: tabs and copy buttons on examples, this service's address in them, the mark of
 * where one is, and the reference rendered from /openapi.json. The page reads well without any of it. */
import { byId, el } from './dom.js';
import { renderOperations } from './reference.js';
import { copyButton, showError, tabs } from './ui.js';

const WRITTEN_ADDRESS = 'http://127.0.0.1:8080';
const groups = [];

function chooseLanguage(language) {
  for (const { choose, buttons } of groups) {
    const button = buttons.find((b) => b.textContent === language);
    if (button) choose(button);
  }
}

function dressMany(box, panes, index) {
  const buttons = panes.map((pre, i) => {
    pre.id ||= `example-${index}-${i}`;
    pre.setAttribute('role', 'tabpanel');
    pre.setAttribute('aria-label', `In ${pre.dataset.language}`);
    return el('button', { type: 'button', role: 'tab', 'aria-controls': pre.id }, pre.dataset.language);
  });
  const list = el('div', { role: 'tablist', 'aria-label': 'Language' }, buttons);
  const shown = () => panes.find((p) => !p.hidden);
  box.prepend(el('div', { class: 'bar' }, list, copyButton(() => shown().textContent)));
  const group = { ...tabs(list), buttons };
  list.addEventListener('click', (e) => e.target.closest('[role=tab]') && chooseLanguage(e.target.textContent));
  groups.push(group);
  group.choose(buttons[0]);
}

function dressCode(box, index) {
  const panes = [...box.querySelectorAll('pre')];
  panes.forEach((pre) => {
    pre.textContent = pre.textContent.replaceAll(WRITTEN_ADDRESS, location.origin);
    pre.tabIndex = 0;
  });
  if (box.classList.contains('many')) dressMany(box, panes, index);
  else if (box.classList.contains('reply')) box.prepend(el('span', { class: 'says' }, 'Answer'));
  else box.append(copyButton(() => panes[0].textContent));
}

/* Marks the section one reads in the table of contents. */
function followReading() {
  const links = new Map([...byId('toc').querySelectorAll('a')].map((a) => [a.hash.slice(1), a]));
  const sections = [...links.keys()].map(byId).filter(Boolean);
  const mark = () => {
    const at = sections.filter((s) => s.getBoundingClientRect().top < innerHeight * 0.3).pop() || sections[0];
    links.forEach((a, id) => (id === at.id ? a.setAttribute('aria-current', 'true') : a.removeAttribute('aria-current')));
  };
  document.addEventListener('scroll', mark, { passive: true });
  mark();
}

/* The reference arrives late and moves what is below it: go to the wanted anchor again. */
function returnToAnchor() {
  let id = '';
  try {
    id = decodeURIComponent(location.hash.slice(1));
  } catch { /* a link with a stray % names no anchor */ }
  const target = id && byId(id);
  if (target) target.scrollIntoView();
}

async function showReference() {
  const response = await fetch('/openapi.json');
  renderOperations(byId('operations'), await response.json());
}

document.querySelectorAll('.code').forEach(dressCode);
followReading();
returnToAnchor();
showReference().then(returnToAnchor, () => showError(byId('operations'), { message: 'openapi.json could not be read.' }));
