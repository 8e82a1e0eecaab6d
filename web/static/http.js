/* http.js - calls to the service: the pages' own with cookie and CSRF token, the public API with a key.
 * Every failure becomes a CallError with the service's own words. */

export class CallError extends Error {
  constructor(status, error) {
    super(error.message || `The service answered ${status}.`);
    this.status = status;
    this.code = error.code || '';
    this.param = error.param || '';
    this.docUrl = error.doc_url || '';
    this.requestId = error.request_id || '';
    this.retryAfter = error.retryAfter || 0;
  }
}

let csrf = '';

async function call(method, path, body, headers) {
  const options = { method, headers: { Accept: 'application/json', ...headers }, credentials: 'same-origin' };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new CallError(0, { message: 'The service cannot be reached. Check the connection and try again.' });
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return { answer, response };
  const error = (answer && answer.error) || {};
  throw new CallError(response.status, { ...error, retryAfter: Number(response.headers.get('Retry-After')) });
}

/* One of the pages' own calls (docs/web-api.md). */
export async function web(method, path, body) {
  const { answer } = await call(method, `/web/v1/${path}`, body, method === 'GET' ? {} : { 'X-CSRF-Token': csrf });
  return answer;
}

/* Who is here; also renews the CSRF token. */
export async function session() {
  return remember(await web('GET', 'session'));
}

/* Calls that answer with a session: signing in, up, by link. */
export async function enter(path, body) {
  if (!csrf) await session();
  return remember(await web('POST', path, body));
}

function remember(answer) {
  if (answer.csrf_token) csrf = answer.csrf_token;
  return answer;
}

/* An extraction: with a key by the public API, without one for the session's account. -> {answer, response} */
export function extract(body, key) {
  if (key) return call('POST', '/api/v1/extract/', body, { Authorization: `Bearer ${key}` });
  return call('POST', '/web/v1/extract', body, { 'X-CSRF-Token': csrf });
}
