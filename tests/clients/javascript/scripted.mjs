/* An HTTP server that plays a script: its answers are given one by one, every request is kept. */
import http from "node:http";

export const JOB = "0196a2c4-7d1e-7a3b-9c55-1f0e2d3c4b5a";
export const HANG_UP = Symbol("close the connection without an answer");

export const success = (data, metadata = {}) => [
  200,
  {},
  { job_id: JOB, status: "success", extracted_data: data, metadata: { latency_ms: 6, credits_charged: 1, ...metadata } },
];
export const pending = (status = 202) => [status, {}, { job_id: JOB, status: "pending" }];
export const fault = (status, type, code, headers = {}, more = {}) => [
  status,
  headers,
  {
    error: { type, code, message: `told: ${code}`, param: "document_text", doc_url: `/docs/#${code}`, request_id: "req_1" },
    ...more,
  },
];

async function listen(server) {
  for (let port = 18550; port < 18600; port++) {
    const error = await new Promise((done) => server.once("error", done).listen(port, "127.0.0.1", () => done(null)));
    server.removeAllListeners("error");
    if (!error) return port;
  }
  throw new Error("no free port for the tests");
}

export async function scripted(t, answers) {
  const asked = [];
  const server = http.createServer(async (request, response) => {
    const at = performance.now();
    let body = "";
    for await (const piece of request) body += piece;
    asked.push({ method: request.method, path: request.url, headers: request.headers, json: body && JSON.parse(body), at });
    const told = answers.shift() ?? [500, {}, {}];
    if (told === HANG_UP) return request.socket.destroy();
    const [status, headers, reply] = told;
    response.writeHead(status, headers).end(typeof reply === "string" ? reply : JSON.stringify(reply));
  });
  const port = await listen(server);
  t.after(() => new Promise((done) => (server.closeAllConnections(), server.close(done))));
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
    gaps: () => asked.slice(1).map((a, i) => a.at - asked[i].at),
    keys: () => asked.filter((a) => a.method === "POST").map((a) => a.headers["idempotency-key"]),
  };
}
