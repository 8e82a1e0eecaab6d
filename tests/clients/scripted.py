"""An HTTP server that plays a script: its answers are given one by one, every request is kept."""

import http.server
import json
import threading
import time
from dataclasses import dataclass, field

JOB = "0196a2c4-7d1e-7a3b-9c55-1f0e2d3c4b5a"
HANG_UP = object()  # an answer: close the connection without one
PORTS = range(18500, 18550)


def success(data, **metadata):
    return 200, {}, {"job_id": JOB, "status": "success", "extracted_data": data,
                     "metadata": {"latency_ms": 6, "credits_charged": 1, **metadata}}


def pending(status=202):
    return status, {}, {"job_id": JOB, "status": "pending"}


def fault(status, kind, code, headers=None, **more):
    told = {"type": kind, "code": code, "message": f"told: {code}", "param": "document_text",
            "doc_url": f"/docs/#{code}", "request_id": "req_1"}
    return status, headers or {}, {"error": told, **more}


@dataclass
class Asked:
    method: str
    path: str
    headers: dict
    json: object
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)


class ScriptedServer:
    def __init__(self):
        self.answers, self.asked = [], []
        self.http = self._bind()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)

    def _bind(self):
        for port in PORTS:
            try:
                return http.server.ThreadingHTTPServer(("127.0.0.1", port), self._handler())
            except OSError:
                continue
        raise RuntimeError(f"no free port in {PORTS}")

    def _handler(script):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.asked.append(Asked(self.command, self.path, dict(self.headers), json.loads(body) if body else None, body))
                told = script.answers.pop(0) if script.answers else (500, {}, {})
                if told is HANG_UP:
                    self.close_connection = True
                    return
                status, headers, reply = told
                sent = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(sent)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_POST = answer

        return Handler

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def gaps(self):
        """Seconds between one request and the next."""
        return [b.at - a.at for a, b in zip(self.asked, self.asked[1:])]

    def keys(self):
        """The Idempotency-Key of every request that extracts."""
        return [a.headers.get("Idempotency-Key") for a in self.asked if a.method == "POST"]
