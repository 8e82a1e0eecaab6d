/* What a type checker must know of the client; checked by tsc --noEmit, never run. */
import { Refractr, verifyWebhook, type ExtractResult, type Job } from "refractr";
import { z } from "zod";
import { z as z3 } from "zod3";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <A, B>(_: Same<A, B>): void => {};

const client = new Refractr({ apiKey: "dm_..." });

const plain = await client.extract("t", {
  any: null,
  text: "string",
  total: "number",
  count: "integer",
  due: "date",
  paid: "boolean",
  currency: ["EUR", "USD"],
  words: [],
  dates: ["date"],
  levels: [["low", "high"]],
  items: [{ name: "string", price: "number" }],
  buyer: { city: null },
  described: { $type: "number", $description: "without tax" },
});
type Data = typeof plain.data;
is<Data["any"], string | number | null>(true);
is<Data["text"], string | null>(true);
is<Data["total"], number | null>(true);
is<Data["count"], number | null>(true);
is<Data["due"], string | null>(true);
is<Data["paid"], boolean | null>(true);
is<Data["currency"], "EUR" | "USD" | null>(true);
is<Data["words"], (string | number)[]>(true);
is<Data["dates"], string[]>(true);
is<Data["levels"], ("low" | "high")[]>(true);
is<Data["items"][number]["price"], number | null>(true);
is<Data["buyer"]["city"], string | number | null>(true);
is<Data["described"], number | null>(true);
// @ts-expect-error: not a key of the template
plain.data.other;
// @ts-expect-error: not a type's name
await client.extract("t", { a: "text" });

const Invoice = z.object({ number: z.string().nullable(), due: z.date().nullable() });
is<Awaited<ReturnType<typeof client.account>>["credits"]["held"], number>(true);
const typed = await client.extractAndWait("t", Invoice);
is<typeof typed, ExtractResult<{ number: string | null; due: Date | null }>>(true);
const job = await client.submit("t", Invoice);
is<typeof job, Job<{ number: string | null; due: Date | null }>>(true);
const waited = await client.wait(job);
is<typeof waited.data.due, Date | null>(true);
const byId = await client.get("id", { template: Invoice });
await client.extract("t", Invoice, { details: true, webhookUrl: "https://hooks.example/in" });
is<typeof byId, typeof job>(true);
const third = await client.extract("t", z3.object({ n: z3.number().nullable() }));
is<typeof third.data.n, number | null>(true);
const event = await verifyWebhook("{}", new Headers(), "whsec_");
is<typeof event.type, string>(true);
