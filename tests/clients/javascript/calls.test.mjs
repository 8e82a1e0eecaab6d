/* The client against a scripted server: retries, idempotency, polling, errors. */
import assert from "node:assert/strict";
import test from "node:test";
import * as refractr from "refractr";
import { fault, HANG_UP, JOB, pending, scripted, success } from "./scripted.mjs";

const { Refractr } = refractr;
const TEMPLATE = { a: null };

async function start(t, answers, options = {}) {
  const server = await scripted(t, answers);
  return { server, client: new Refractr({ apiKey: "dm_test", baseUrl: server.url, ...options }) };
}

const between = (value, low, high) => assert.ok(value >= low && value < high, `${value} is not within ${low} and ${high}`);
const oneKey = (server, times) => {
  assert.equal(server.keys().length, times);
  assert.equal(new Set(server.keys()).size, 1);
};

test("extract sends what the service wants", async (t) => {
  const { server, client } = await start(t, [success({ a: "x" })]);
  const result = await client.extract("text", TEMPLATE);
  assert.deepEqual(result, { data: { a: "x" }, jobId: JOB, latencyMs: 6, creditsCharged: 1, fields: null, warnings: [] });
  const [sent] = server.asked;
  assert.deepEqual([sent.method, sent.path], ["POST", "/api/v1/extract/"]);
  assert.deepEqual(sent.json, { document_text: "text", template: TEMPLATE });
  assert.equal(sent.headers.authorization, "Bearer dm_test");
  assert.match(server.keys()[0], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("calls have keys of their own and take a given one", async (t) => {
  const { server, client } = await start(t, [success({}), success({}), success({})]);
  await client.extract("t", TEMPLATE);
  await client.extract("t", TEMPLATE);
  await client.extract("t", TEMPLATE, { idempotencyKey: "mine" });
  const [first, second, third] = server.keys();
  assert.notEqual(first, second);
  assert.equal(third, "mine");
});

test("webhookUrl goes with every extraction", async (t) => {
  const { server, client } = await start(t, [success({}), pending(), success({}), pending()]);
  const options = { webhookUrl: "https://hooks.example/in" };
  await client.extract("t", TEMPLATE, options);
  await client.extractAndWait("t", TEMPLATE, options);
  await client.submit("t", TEMPLATE, options);
  const sent = server.asked.filter((a) => a.method === "POST").map((a) => a.json);
  assert.deepEqual(sent.map((b) => b.webhook_url), Array(3).fill(options.webhookUrl));
  assert.deepEqual(sent.map((b) => b.wait), [undefined, false, false]);
});

for (const [status, type, code] of [
  [429, "rate_limit_error", "rate_limit_exceeded"],
  [503, "service_unavailable", "queue_full"],
])
  test(`${status}: waits as asked, then sends the same key`, async (t) => {
    const { server, client } = await start(t, [fault(status, type, code, { "Retry-After": "1" }), success({ a: 1 })]);
    assert.deepEqual((await client.extract("t", TEMPLATE)).data, { a: 1 });
    oneKey(server, 2);
    between(server.gaps()[0], 990, 6000);
  });

test("proxy faults, lost connections and running twins are retried", async (t) => {
  const conflict = fault(409, "conflict_error", "idempotent_request_in_progress");
  const { server, client } = await start(t, [[502, {}, "<html>"], HANG_UP, conflict, success({ a: 1 })]);
  assert.deepEqual((await client.extract("t", TEMPLATE)).data, { a: 1 });
  oneKey(server, 4);
  const [first, second, third] = server.gaps(); // at least half of 0.5 s, 1 s, 2 s; a busy machine adds to them
  between(first, 240, 5000);
  between(second, 490, 6000);
  between(third, 990, 7000);
});

test("retries are bounded", async (t) => {
  const down = fault(503, "service_unavailable", "engine_unavailable");
  const { server, client } = await start(t, [down, down, down], { maxRetries: 1 });
  await assert.rejects(client.extract("t", TEMPLATE), refractr.ServiceUnavailableError);
  assert.equal(server.asked.length, 2);
});

test("a wait longer than the time left is told at once", async (t) => {
  const { server, client } = await start(t, [fault(429, "rate_limit_error", "rate_limit_exceeded", { "Retry-After": "60" })]);
  await assert.rejects(client.extract("t", TEMPLATE, { timeout: 5000 }), (e) => {
    assert.ok(e instanceof refractr.RateLimitError);
    return e.retryAfter === 60;
  });
  assert.equal(server.asked.length, 1);
});

test("504 goes on by polling its job", async (t) => {
  const late = fault(504, "timeout_error", "deadline_exceeded", {}, { job_id: JOB });
  const { server, client } = await start(t, [late, pending(200), success({ a: "late" })]);
  assert.deepEqual((await client.extract("t", TEMPLATE)).data, { a: "late" });
  assert.deepEqual(server.asked.slice(1).map((a) => a.path), Array(2).fill(`/api/v1/extract/${JOB}/`));
  oneKey(server, 1);
});

test("a proxy's 504 without a job is retried with the same key", async (t) => {
  const { server, client } = await start(t, [[504, {}, "gateway timeout"], success({ a: 1 })]);
  await client.extract("t", TEMPLATE);
  oneKey(server, 2);
});

test("extractAndWait polls with growing pauses", async (t) => {
  const { server, client } = await start(t, [pending(), pending(200), pending(200), pending(200), success({ a: 1 })]);
  assert.deepEqual((await client.extractAndWait("t", TEMPLATE)).data, { a: 1 });
  assert.equal(server.asked[0].json.wait, false);
  server.gaps().forEach((gap, i) => between(gap, 98 * 2 ** i, 100 * 2 ** i + 3000));
});

test("waiting ends with the job named", async (t) => {
  const { client } = await start(t, [pending(), ...Array(20).fill(pending(200))]);
  await assert.rejects(client.extractAndWait("t", TEMPLATE, { timeout: 600 }), (e) => {
    assert.ok(e instanceof refractr.RequestTimeoutError);
    return e.jobId === JOB;
  });
});

test("the caller's signal ends a call at once", async (t) => {
  const { client } = await start(t, [pending(), ...Array(50).fill(pending(200))]);
  await assert.rejects(client.extractAndWait("t", TEMPLATE, { signal: AbortSignal.timeout(300) }), { name: "TimeoutError" });
});

test("submit, get, wait", async (t) => {
  const { client } = await start(t, [pending(), pending(200), success({ a: 1 })]);
  const job = await client.submit("t", TEMPLATE);
  assert.deepEqual(job, { jobId: JOB, status: "pending", result: null, error: null });
  assert.equal((await client.get(job)).status, "pending");
  assert.deepEqual((await client.wait(JOB)).data, { a: 1 });
});

test("a failed job is told by get and thrown by wait", async (t) => {
  const failed = [200, {}, { job_id: JOB, status: "failed", error: fault(500, "api_error", "internal_error")[2].error }];
  const { client } = await start(t, [failed, failed]);
  const job = await client.get(JOB);
  assert.equal(job.status, "failed");
  assert.equal(job.error.code, "internal_error");
  await assert.rejects(client.wait(JOB), refractr.InternalServerError);
});

for (const [status, type, code, Expected] of [
  [400, "invalid_request_error", "document_too_long", refractr.InvalidRequestError],
  [401, "authentication_error", "api_key_invalid", refractr.AuthenticationError],
  [402, "payment_required", "insufficient_credits", refractr.InsufficientCreditsError],
  [403, "permission_error", "forbidden", refractr.PermissionDeniedError],
  [404, "not_found_error", "job_not_found", refractr.NotFoundError],
  [500, "api_error", "internal_error", refractr.InternalServerError],
])
  test(`${status} is a ${Expected.name}, not retried`, async (t) => {
    const { server, client } = await start(t, [fault(status, type, code)]);
    const e = await client.extract("t", TEMPLATE).catch((error) => error);
    assert.ok(e instanceof Expected && e instanceof refractr.RefractrError);
    assert.deepEqual(
      [e.name, e.code, e.message, e.param, e.requestId, e.docUrl, e.status],
      [Expected.name, code, `told: ${code}`, "document_text", "req_1", `/docs/#${code}`, status],
    );
    assert.equal(server.asked.length, 1);
  });

test("an unreachable service is a connection error", async (t) => {
  const { server, client } = await start(t, [], { maxRetries: 1 });
  await server.stop();
  await assert.rejects(client.extract("t", TEMPLATE), refractr.APIConnectionError);
});

test("an answer of something else is an error", async (t) => {
  const { client } = await start(t, [[200, {}, "<html>"], [200, {}, { hello: 1 }]]);
  await assert.rejects(client.extract("t", TEMPLATE), refractr.InternalServerError);
  await assert.rejects(client.extract("t", TEMPLATE), refractr.InternalServerError);
});

test("details", async (t) => {
  const one = { value_text: "x", start: 3, end: 4, confidence: 0.9 };
  const { server, client } = await start(t, [success({ a: "x" }, { fields: { a: one, b: { values: [one], near_misses: 2 } } })]);
  const { fields } = await client.extract("t", TEMPLATE, { details: true });
  assert.equal(server.asked[0].json.details, true);
  const found = { valueText: "x", start: 3, end: 4, confidence: 0.9 };
  assert.deepEqual(fields, { a: found, b: { values: [found], nearMisses: 2 } });
});

test("job ids do not wander into the path", async (t) => {
  const { server, client } = await start(t, []);
  await assert.rejects(client.get("../account"), TypeError);
  assert.equal(server.asked.length, 0);
});

test("settings come from the environment", async (t) => {
  delete process.env.REFRACTR_API_KEY;
  assert.throws(() => new Refractr(), refractr.AuthenticationError);
  const server = await scripted(t, [success({})]);
  Object.assign(process.env, { REFRACTR_API_KEY: "dm_env", REFRACTR_BASE_URL: `${server.url}/` });
  t.after(() => ["REFRACTR_API_KEY", "REFRACTR_BASE_URL"].forEach((name) => delete process.env[name]));
  await new Refractr().extract("t", TEMPLATE);
  assert.equal(server.asked[0].headers.authorization, "Bearer dm_env");
  assert.equal(server.asked[0].path, "/api/v1/extract/");
});

test("only plain objects and schemas are templates", async () => {
  const client = new Refractr({ apiKey: "dm_test" });
  for (const template of ["string", null, [], 5]) await assert.rejects(client.extract("t", template), refractr.TemplateError);
});
