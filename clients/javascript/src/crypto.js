/* Web Crypto, which Node 18 keeps in a module of its own; and UUIDs without randomUUID, which plain http pages lack. */

export async function webCrypto() {
  return globalThis.crypto ?? (await import(/* webpackIgnore: true */ "node:crypto")).webcrypto;
}

/* A random UUID (version 4, RFC 9562). */
export async function uuid4() {
  const bytes = (await webCrypto()).getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
