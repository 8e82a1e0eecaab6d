/* ui.js - what several pages use: copy buttons, tabs, notices, dialogs, busy buttons. */
import { announce, el } from './dom.js';

/* Copies text; the button says for a moment that it did. */
export async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
    announce('Copied to the clipboard.');
  } catch {
    button.textContent = 'Press Ctrl+C';
  }
  setTimeout(() => { button.textContent = label; }, 1600);
}

export const copyButton = (textOf, label = 'Copy') =>
  el('button', { type: 'button', class: 'copy', onclick: (e) => copy(textOf(), e.currentTarget) }, label);

/* Tabs by the ARIA pattern: <div role=tablist> of buttons whose aria-controls name panels. Arrow keys move. */
export function tabs(list, chosen) {
  const buttons = [...list.querySelectorAll('[role=tab]')];
  const choose = (button, focus) => {
    for (const b of buttons) {
      b.setAttribute('aria-selected', String(b === button));
      b.tabIndex = b === button ? 0 : -1;
      const panel = document.getElementById(b.getAttribute('aria-controls'));
      if (panel && b !== button) panel.hidden = true;
    }
    const panel = document.getElementById(button.getAttribute('aria-controls'));
    if (panel) panel.hidden = false;
    if (focus) button.focus();
    if (chosen) chosen(button);
  };
  list.addEventListener('click', (e) => e.target.closest('[role=tab]') && choose(e.target.closest('[role=tab]')));
  list.addEventListener('keydown', (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    e.preventDefault();
    choose(buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length], true);
  });
  return { choose: (button) => choose(button) };
}

/* One notice in `place`; kind: "error", "good" or "plain". Errors link to their place in the docs. */
export function notice(place, kind, text, link) {
  const a = link && el('a', { href: link.href }, link.text);
  place.replaceChildren(el('p', { class: `notice ${kind}`, role: kind === 'error' ? 'alert' : 'status' }, text, a ? ' ' : '', a));
}

export function showError(place, error) {
  const anchor = error.code ? { href: `/docs/#error-${encodeURIComponent(error.code)}`, text: error.code } : null;
  const wait = error.retryAfter > 0 ? ` Try again in ${error.retryAfter} s.` : '';
  notice(place, 'error', error.message + wait, anchor);
}

/* Runs a promise with the button disabled and marked busy; errors go to `place`. -> the result, or undefined. */
export async function busy(button, place, work) {
  if (button) {
    button.disabled = true;
    button.setAttribute('aria-busy', 'true');
  }
  try {
    place.replaceChildren();
    return await work();
  } catch (error) {
    showError(place, error);
    return undefined;
  } finally {
    if (button) {
      button.disabled = false;
      button.removeAttribute('aria-busy');
    }
  }
}

/* Shows the data-tip of what is under the pointer or has the focus, below it and inside the window. */
export function showTips(...containers) {
  const tip = el('div', { class: 'tip', 'aria-hidden': 'true', hidden: true });
  document.body.append(tip);
  const show = (event) => {
    const node = event.target.closest('[data-tip]');
    tip.hidden = !node;
    if (!node) return;
    tip.textContent = node.dataset.tip;
    const box = node.getClientRects()[0];
    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${box.bottom + 6}px`;
  };
  const hide = () => { tip.hidden = true; };
  for (const container of containers) {
    container.addEventListener('mouseover', show);
    container.addEventListener('focusin', show);
    container.addEventListener('mouseleave', hide);
    container.addEventListener('focusout', hide);
  }
  document.addEventListener('scroll', hide, { passive: true, capture: true });
}

/* A modal dialog with these children; -> the value of the button that closed it, "" when it was dismissed. */
export function dialog(title, children, buttons) {
  return new Promise((resolve) => {
    const id = `dialog-${Math.random().toString(36).slice(2)}`;
    const row = buttons.map(([value, label, kind]) => el('button', { value, class: kind || '' }, label));
    const form = el('form', { method: 'dialog' }, el('h2', { id }, title), children, el('div', { class: 'actions' }, row));
    const box = el('dialog', { 'aria-labelledby': id }, form);
    box.addEventListener('close', () => {
      box.remove();
      resolve(box.returnValue);
    });
    document.body.append(box);
    box.showModal();
  });
}

/* A secret that is shown this once. */
export function showSecret(title, sentence, secret) {
  const field = el('output', { class: 'secret', 'data-test': 'secret' }, secret);
  const copier = copyButton(() => secret, 'Copy');
  return dialog(title, [el('p', {}, sentence), el('div', { class: 'secret-row' }, field, copier)], [['done', 'Done', 'primary']]);
}
