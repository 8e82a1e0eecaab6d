/* theme.js - light, dark or the system's choice. A plain script in every page's head, so that no page flashes the wrong
 * colours; the choice is kept in this browser. */
(function () {
  'use strict';
  var root = document.documentElement;
  var stored = null;
  try { stored = localStorage.getItem('refractr-theme'); } catch (e) { stored = null; }
  if (stored === 'light' || stored === 'dark') root.dataset.theme = stored;

  function current() {
    if (root.dataset.theme) return root.dataset.theme;
    return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  }

  function toggle(button) {
    root.dataset.theme = current() === 'dark' ? 'light' : 'dark';
    try { localStorage.setItem('refractr-theme', root.dataset.theme); } catch (e) { /* private mode: for this page only */ }
    label(button);
  }

  function label(button) {
    button.setAttribute('aria-label', current() === 'dark' ? 'Use light colours' : 'Use dark colours');
  }

  document.addEventListener('DOMContentLoaded', function () {
    var button = document.getElementById('theme');
    if (!button) return;
    label(button);
    button.addEventListener('click', function () { toggle(button); });
  });
}());
