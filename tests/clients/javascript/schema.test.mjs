/* Zod schemas of both versions as templates: what is asked for, and what comes back. */
import assert from "node:assert/strict";
import test from "node:test";
import { Refractr, ResultValidationError, TemplateError, templateOf } from "refractr";
import { z as z4 } from "zod";
import { z as z3 } from "zod3";
import { JOB, scripted, success } from "./scripted.mjs";

const TEMPLATE = {
  number: { $type: "string", $description: "without the #" },
  count: "integer",
  total: "number",
  due: "date",
  sent: "date",
  paid: "boolean",
  currency: ["EUR", "USD"],
  level: ["low", "high"],
  anything: null,
  mixed: null,
  tags: ["string"],
  dates: ["date"],
  words: [],
  levels: [["low", "high"]],
  items: [{ name: "string", price: { $type: "number", $description: "each" } }],
  buyer: { name: "string", city: "string" },
};

for (const [version, z] of [["3", z3], ["4", z4]]) {
  const Invoice = z.object({
    number: z.string().nullable().describe("without the #"),
    count: z.number().int().nullable(),
    total: z.number().nullable(),
    due: z.date().nullable(),
    sent: z.string().date().optional(),
    paid: z.boolean().default(false),
    currency: z.enum(["EUR", "USD"]).nullable(),
    level: z.union([z.literal("low"), z.literal("high"), z.null()]),
    anything: z.any(),
    mixed: z.union([z.string(), z.number()]).nullable(),
    tags: z.array(z.string()),
    dates: z.array(z.date()),
    words: z.array(z.any()),
    levels: z.array(z.enum(["low", "high"])),
    items: z.array(z.object({ name: z.string().nullable(), price: z.number().nullable().describe("each") })),
    buyer: z.object({ name: z.string(), city: z.string().nullable() }).nullable(),
  });

  const extract = async (t, data, schema = Invoice) => {
    const server = await scripted(t, [success(data)]);
    const result = await new Refractr({ apiKey: "dm_test", baseUrl: server.url }).extract("t", schema);
    assert.deepEqual(server.asked[0].json.template, templateOf(schema));
    return result.data;
  };

  test(`zod ${version}: schema becomes template, in order`, () => {
    assert.equal(JSON.stringify(templateOf(Invoice)), JSON.stringify(TEMPLATE));
  });

  test(`zod ${version}: the answer is parsed`, async (t) => {
    const data = {
      number: "7", count: 2, total: 12.5, due: "2026-01-15", sent: "2026-01-16", paid: true, currency: "EUR", level: "low",
      anything: 3, mixed: "x", tags: ["a"], dates: ["2026-01-01"], words: ["w"], levels: ["high"],
      items: [{ name: "Pen", price: 1.5 }], buyer: { name: "Ann", city: null },
    };
    assert.deepEqual(await extract(t, data), { ...data, due: new Date("2026-01-15"), dates: [new Date("2026-01-01")] });
  });

  test(`zod ${version}: what is missing takes defaults`, async (t) => {
    const lists = { tags: [], dates: [], words: [], levels: [], items: [] };
    const nothing = Object.fromEntries(Object.keys(TEMPLATE).map((key) => [key, lists[key] ?? null]));
    const invoice = await extract(t, { ...nothing, buyer: { name: null, city: null } });
    assert.equal(invoice.paid, false);
    assert.equal("sent" in invoice, false);
    assert.equal(invoice.buyer, null);
    assert.equal(invoice.due, null);
  });

  test(`zod ${version}: a required value that is missing is told with the answer`, async (t) => {
    await assert.rejects(extract(t, { name: null }, z.object({ name: z.string() })), (e) => {
      assert.ok(e instanceof ResultValidationError);
      assert.deepEqual([e.data, e.jobId], [{ name: null }, JOB]);
      return true;
    });
  });

  test(`zod ${version}: what a template cannot say is refused by name`, () => {
    for (const member of [z.record(z.string(), z.string()), z.literal("one"), z.array(z.array(z.string())), z.bigint()])
      assert.throws(() => templateOf(z.object({ field: member })), (e) => e instanceof TemplateError && e.param === "field");
    assert.throws(() => templateOf(z.string()), TemplateError);
  });
}
