/* Checks what Refractr posts to your endpoint (Standard Webhooks: https://www.standardwebhooks.com/). */
import { WebhookVerificationError } from "./errors.js";
import { webCrypto } from "./crypto.js";

const fail = (message) => {
  throw new WebhookVerificationError(message);
};

function bytesOfBase64(text) {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

function header(headers, name) {
  if (typeof headers.get === "function") return headers.get(name) ?? "";
  const found = Object.keys(headers).find((given) => given.toLowerCase() === name);
  return String((found && headers[found]) ?? "");
}

async function keyOf(secret) {
  const bytes = bytesOfBase64(secret.replace(/^whsec_/, ""));
  if (!bytes?.length) fail("The secret is not whsec_ and Base64; copy it from the dashboard.");
  const crypto = await webCrypto();
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/* Some of `signatures` fits; subtle.verify compares in constant time. */
async function anyFits(signatures, signed, key) {
  const crypto = await webCrypto();
  for (const one of signatures.split(" ")) {
    const given = one.startsWith("v1,") ? bytesOfBase64(one.slice(3)) : null;
    if (given && (await crypto.subtle.verify("HMAC", key, given, signed))) return true;
  }
  return false;
}

export async function webhookSecretOf(apiKey) {
  const hash = await (await webCrypto()).subtle.digest("SHA-256", new TextEncoder().encode(apiKey));
  return `whsec_${btoa(String.fromCharCode(...new Uint8Array(hash)))}`;
}

export async function verifyWebhook(payload, headers, secret, { tolerance = 300 } = {}) {
  const body = typeof payload === "string" ? new TextEncoder().encode(payload) : new Uint8Array(payload);
  const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map(
    (name) => header(headers, `webhook-${name}`) || fail(`The header webhook-${name} is missing.`),
  );
  if (!/^[0-9]{1,15}$/.test(timestamp)) fail("webhook-timestamp is not a number of seconds.");
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > tolerance)
    fail(`webhook-timestamp is more than ${tolerance} seconds from now.`);
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  if (!(await anyFits(signatures, signed, await keyOf(secret))))
    fail("No signature fits: another secret, or the body was changed on the way.");
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return fail("The body is not JSON.");
  }
}
