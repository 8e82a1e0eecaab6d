/* verifyWebhook against signatures made here, by Standard Webhooks' rules. */
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import test from "node:test";
import { verifyWebhook, webhookSecretOf, WebhookVerificationError } from "refractr";

const KEY = Buffer.from("0123456789abcdef0123456789abcdef");
const SECRET = `whsec_${KEY.toString("base64")}`;
const BODY = JSON.stringify({ type: "extraction.completed", data: { total: "€5" } });
const now = () => Math.floor(Date.now() / 1000);

function headers({ at = now(), ...changes } = {}) {
  const signature = createHmac("sha256", KEY).update(`msg_1.${at}.${BODY}`).digest("base64");
  return { "Webhook-Id": "msg_1", "Webhook-Timestamp": String(at), "Webhook-Signature": `v1,${signature}`, ...changes };
}

test("the reference implementation's known signature", async () => {
  const told = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  assert.deepEqual(await verifyWebhook('{"test": 2432232314}', told, secret, { tolerance: 1e10 }), { test: 2432232314 });
});

test("genuine events are returned", async () => {
  assert.equal((await verifyWebhook(BODY, headers(), SECRET)).data.total, "€5");
  assert.equal((await verifyWebhook(Buffer.from(BODY), new Headers(headers()), SECRET)).type, "extraction.completed");
  const both = headers();
  both["Webhook-Signature"] = `v1,AAAA v1a,BBBB ${both["Webhook-Signature"]}`;
  assert.ok(await verifyWebhook(BODY, both, SECRET));
});

test("the secret of a key is whsec_ and the Base64 of its SHA-256", async () => {
  const hash = createHash("sha256").update("dm_test").digest("base64");
  assert.equal(await webhookSecretOf("dm_test"), `whsec_${hash}`);
});

test("forged, changed, old and future ones are refused", async () => {
  const other = `whsec_${Buffer.from("another").toString("base64")}`;
  for (const [body, told, secret] of [
    [`${BODY} `, headers(), SECRET],
    [BODY, headers(), other],
    [BODY, headers({ "Webhook-Id": "msg_2" }), SECRET],
    [BODY, headers({ at: now() - 302 }), SECRET],
    [BODY, headers({ at: now() + 310 }), SECRET],
    [BODY, headers({ "Webhook-Timestamp": "1e9" }), SECRET],
    [BODY, headers({ "Webhook-Signature": "" }), SECRET],
    [BODY, headers({ "Webhook-Signature": "v1,é" }), SECRET],
    [BODY, {}, SECRET],
    [BODY, headers(), "whsec_!"],
    [BODY, headers(), ""],
  ])
    await assert.rejects(verifyWebhook(body, told, secret), WebhookVerificationError);
});
