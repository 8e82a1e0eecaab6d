/* signin.js - a one-time sign-in link was opened: hand its token over, then go to the dashboard. */
import { byId, el } from './dom.js';
import { enter } from './http.js';
import { showError } from './ui.js';

async function start() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  history.replaceState(null, '', location.pathname); /* the token belongs into no history and no Referer */
  if (!token) {
    location.replace('/dashboard/');
    return;
  }
  try {
    await enter('signin-link', { token });
    location.replace('/dashboard/');
  } catch (error) {
    byId('state').replaceChildren('This link does not work: each works once, and not for ever. ', el('a', { href: '/dashboard/' }, 'Sign in with a password'), ' or ask for a new link.');
    showError(byId('problem'), error);
  }
}

start();
