/* The client against the real program, whose address and key come from the environment. */
import assert from "node:assert/strict";
import test from "node:test";
import { AuthenticationError, InvalidRequestError, NotFoundError, Refractr } from "refractr";
import { z } from "zod";

const TEXT = "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00";
const TEMPLATE = { invoice_number: null, items: [] };
const EMPTY = { invoice_number: null, items: [] }; // the stub engine finds nothing
const client = new Refractr();

test("every way to an answer", async () => {
  const before = (await client.account()).credits.available;
  assert.deepEqual((await client.extract(TEXT, TEMPLATE)).data, EMPTY);
  assert.deepEqual((await client.extractAndWait(TEXT, TEMPLATE)).data, EMPTY);
  assert.deepEqual((await client.wait(await client.submit(TEXT, TEMPLATE))).data, EMPTY);
  const schema = z.object({ invoice_number: z.string().nullable(), items: z.array(z.string()) });
  assert.deepEqual((await client.extract(TEXT, schema, { details: true })).data, EMPTY);
  assert.equal((await client.account()).credits.available, before - 4);
});

test("the same key is charged once", async () => {
  const options = { idempotencyKey: "same" };
  const [first, again] = await Promise.all([client.extract(TEXT, TEMPLATE, options), client.extract(TEXT, TEMPLATE, options)]);
  assert.equal(first.jobId, again.jobId);
});

test("errors", async () => {
  await assert.rejects(client.extract("", TEMPLATE), (e) => e instanceof InvalidRequestError && e.param === "document_text");
  await assert.rejects(client.get("00000000-0000-4000-8000-000000000000"), NotFoundError);
  await assert.rejects(new Refractr({ apiKey: "dm_wrong" }).account(), AuthenticationError);
});
