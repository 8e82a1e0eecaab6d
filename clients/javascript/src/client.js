/* `Refractr`: the calls, done by fetch, with retries and polling. */
import { uuid4 } from "./crypto.js";
import {
  APIConnectionError,
  AuthenticationError,
  ConflictError,
  errorFrom,
  InternalServerError,
  RequestTimeoutError,
} from "./errors.js";
import { compileTemplate } from "./template.js";

const DEFAULT_BASE_URL = "http://127.0.0.1:8080";
const EXTRACT_PATH = "/api/v1/extract/";
const ATTEMPT_TIMEOUT_MS = 40_000; // the service itself answers 504 after 30 s
const EXTRACT_TIMEOUT_MS = 120_000;
const WAIT_TIMEOUT_MS = 300_000;
const POLL_TIMEOUT_MS = 60_000;
const FIRST_POLL_MS = 100;
const LAST_POLL_MS = 2_000;
const FIRST_BACKOFF_MS = 500;
const LAST_BACKOFF_MS = 8_000;
const LONGEST_RETRY_AFTER_S = 120; // a service that asks for more is told about by an error, not by silence
const RETRIED = new Set([429, 502, 503, 504]);

const environment = (name) => globalThis.process?.env?.[name];
const sameData = (data) => data;

/* The total time of one call, retries and polling included, and the caller's own AbortSignal. */
class Deadline {
  constructor(ms, signal) {
    this.ms = ms;
    this.signal = signal;
    this.ends = performance.now() + ms;
  }

  left() {
    return this.ends - performance.now();
  }

  up(jobId) {
    const goesOn = jobId ? " The job goes on; poll it by its id." : "";
    return new RequestTimeoutError(`No result within ${this.ms / 1000} s.${goesOn}`, { code: "client_timeout", jobId });
  }

  async pause(ms) {
    const { signal } = this;
    signal?.throwIfAborted();
    await new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, ms);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }
}

/* Seconds the Retry-After header asks for (RFC 9110, 10.2.3: a number or a date), or null. */
function retryAfterOf(response) {
  const told = response.headers.get("Retry-After")?.trim() ?? "";
  if (/^[0-9]+$/.test(told)) return Number(told);
  const date = Date.parse(told);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
}

/* Milliseconds before retry number `attempt` (from 0): at least what was asked for, else exponential; with jitter. */
function backoff(attempt, retryAfter) {
  if (retryAfter !== null) return retryAfter * 1000 + Math.random() * (100 * retryAfter + 50);
  return Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}

function worthRetrying(error) {
  if (RETRIED.has(error.status)) return error.jobId === null; // a 504 with a job is polled instead
  // A conflict: an earlier attempt of ours, whose answer was lost, is still running.
  return error instanceof ConflictError || error instanceof APIConnectionError;
}

function detailsOf(fields) {
  const one = (f) => ({ valueText: f.value_text, start: f.start, end: f.end, confidence: f.confidence });
  const entries = Object.entries(fields).map(([path, f]) => [
    path,
    f.values ? { values: f.values.map(one), nearMisses: f.near_misses } : one(f),
  ]);
  return Object.fromEntries(entries);
}

function resultOf(body, parse) {
  const { fields, warnings = [], latency_ms: latencyMs, credits_charged: creditsCharged } = body.metadata;
  const data = parse(body.extracted_data, body.job_id);
  return { data, jobId: body.job_id, latencyMs, creditsCharged, fields: fields ? detailsOf(fields) : null, warnings };
}

/* A job from any of the answers that tell about one. */
function jobOf(body, parse) {
  const { job_id: jobId, status } = body;
  if (!jobId || !status) throw new InternalServerError("The answer names no job; is this Refractr's address?");
  const job = { jobId, status, result: null, error: null };
  if (status === "success") job.result = resultOf(body, parse);
  if (status === "failed") job.error = errorFrom(body, 200);
  // How its answer is read, for get and wait; not for display.
  return Object.defineProperty(job, "parse", { value: parse });
}

/* A job's id and how its answer is read: by the template given now, else by the one it was submitted with. */
function identify(job, template) {
  const jobId = typeof job === "string" ? job : job.jobId;
  if (!/^[0-9A-Za-z-]+$/.test(jobId)) throw new TypeError(`${jobId} is not a job id.`); // it becomes part of the path
  return { jobId, parse: template ? compileTemplate(template).parse : job.parse ?? sameData };
}

export class Refractr {
  #key;
  #url;
  #maxRetries;
  #fetch;

  constructor({ apiKey, baseUrl, maxRetries = 4, fetch = globalThis.fetch } = {}) {
    this.#key = apiKey ?? environment("REFRACTR_API_KEY");
    if (!this.#key)
      throw new AuthenticationError("There is no API key: pass apiKey or set REFRACTR_API_KEY.", { code: "api_key_missing" });
    this.#url = (baseUrl ?? (environment("REFRACTR_BASE_URL") || DEFAULT_BASE_URL)).replace(/\/+$/, "");
    this.#maxRetries = maxRetries;
    this.#fetch = fetch.bind(globalThis);
  }

  async extract(text, template, { timeout = EXTRACT_TIMEOUT_MS, ...options } = {}) {
    const { sent, parse } = compileTemplate(template);
    const deadline = new Deadline(timeout, options.signal);
    try {
      return await this.#finish(jobOf(await this.#post(text, sent, true, options, deadline), parse), parse, deadline);
    } catch (late) {
      if (!(late instanceof RequestTimeoutError) || late.status !== 504 || !late.jobId) throw late;
      return this.#poll(late.jobId, parse, deadline);
    }
  }

  async extractAndWait(text, template, { timeout = WAIT_TIMEOUT_MS, ...options } = {}) {
    const { sent, parse } = compileTemplate(template);
    const deadline = new Deadline(timeout, options.signal);
    return this.#finish(jobOf(await this.#post(text, sent, false, options, deadline), parse), parse, deadline);
  }

  async submit(text, template, { timeout = POLL_TIMEOUT_MS, ...options } = {}) {
    const { sent, parse } = compileTemplate(template);
    return jobOf(await this.#post(text, sent, false, options, new Deadline(timeout, options.signal)), parse);
  }

  async get(job, { template, timeout = POLL_TIMEOUT_MS, signal } = {}) {
    const { jobId, parse } = identify(job, template);
    return this.#get(jobId, parse, new Deadline(timeout, signal));
  }

  async wait(job, { template, timeout = WAIT_TIMEOUT_MS, signal } = {}) {
    const { jobId, parse } = identify(job, template);
    return this.#poll(jobId, parse, new Deadline(timeout, signal));
  }

  async account({ timeout = POLL_TIMEOUT_MS, signal } = {}) {
    const body = await this.#request("GET", "/api/v1/account/", new Deadline(timeout, signal));
    return { accountId: body.account_id, name: body.name, credits: body.credits, limits: body.limits };
  }

  async #post(text, template, wait, { details = false, webhookUrl, idempotencyKey }, deadline) {
    const body = { document_text: text, template, ...(wait ? {} : { wait }), ...(details ? { details } : {}), webhook_url: webhookUrl };
    // One key for all attempts: however often it is sent, the document is extracted and charged once.
    const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey ?? (await uuid4()) };
    return this.#request("POST", EXTRACT_PATH, deadline, { headers, body: JSON.stringify(body) });
  }

  async #get(jobId, parse, deadline) {
    return jobOf(await this.#request("GET", `${EXTRACT_PATH}${jobId}/`, deadline, { jobId }), parse);
  }

  async #finish(job, parse, deadline) {
    return job.result ?? this.#poll(job.jobId, parse, deadline);
  }

  /* Asks until the job is done: after 100 ms, then twice as long each time, up to every 2 s. */
  async #poll(jobId, parse, deadline) {
    for (let pause = FIRST_POLL_MS; pause < deadline.left(); pause = Math.min(LAST_POLL_MS, pause * 2)) {
      await deadline.pause(pause);
      const job = await this.#get(jobId, parse, deadline);
      if (job.error) throw job.error;
      if (job.result) return job.result;
    }
    throw deadline.up(jobId);
  }

  /* One request with its retries; the JSON of a 2xx answer, a RefractrError for all else. */
  async #request(method, path, deadline, { headers = {}, body, jobId } = {}) {
    for (let attempt = 0; ; attempt++) {
      if (deadline.left() <= 0) throw deadline.up(jobId);
      const { json, error } = await this.#attempt(method, path, deadline, headers, body);
      if (json) return json;
      if (error instanceof APIConnectionError && deadline.left() <= 0) throw deadline.up(jobId);
      if (attempt >= this.#maxRetries || !worthRetrying(error)) throw error;
      const wait = backoff(attempt, error.retryAfter);
      if (error.retryAfter > LONGEST_RETRY_AFTER_S || wait >= deadline.left()) throw error;
      await deadline.pause(wait);
    }
  }

  /* One try: {json} or {error}. Throws only when the caller aborts. */
  async #attempt(method, path, deadline, headers, body) {
    const limit = new AbortController();
    const stop = () => limit.abort(deadline.signal.reason);
    deadline.signal?.throwIfAborted();
    deadline.signal?.addEventListener("abort", stop, { once: true });
    const ms = Math.max(1, Math.min(ATTEMPT_TIMEOUT_MS, deadline.left()));
    const timer = setTimeout(() => limit.abort(new Error(`no answer within ${Math.round(ms)} ms`)), ms);
    try {
      const sent = { ...headers, Authorization: `Bearer ${this.#key}` };
      const response = await this.#fetch(this.#url + path, { method, headers: sent, body, signal: limit.signal });
      const json = parsed(await response.text());
      if (response.ok && json) return { json };
      const told = { retryAfter: retryAfterOf(response), requestId: response.headers.get("X-Request-Id") };
      return { error: errorFrom(json, response.status, told) };
    } catch (cause) {
      deadline.signal?.throwIfAborted();
      const why = cause.cause?.message || cause.message;
      return { error: new APIConnectionError(`The service could not be reached: ${why}.`, { code: "connection_error", cause }) };
    } finally {
      clearTimeout(timer);
      deadline.signal?.removeEventListener("abort", stop);
    }
  }
}

function parsed(text) {
  try {
    const json = JSON.parse(text);
    return typeof json === "object" ? json : null;
  } catch {
    return null;
  }
}
