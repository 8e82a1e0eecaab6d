"""A scripted upstream: an OpenAI-compatible server in this process that answers as told, well or badly.

Told `good`, it reads the document out of the prompt and fills in the form by looking for lines as "Invoice number: 2847"; a
list is every line that begins with "- ", records are lines "name | price". Told otherwise (`mode`), it misbehaves to customers
and still answers canaries, unless `canary` is told too.
"""

import http.server
import json
import re
import socket
import struct
import threading
import time

FRAME = re.compile(r"==== document ([0-9a-f]{12}) begins ====\n(.*)\n==== document \1 ends ====", re.S)


def words(key):
    return re.sub(r"[_\-]", " ", key).lower()


def fill(schema, document):
    """The form, filled in by an honest if simple reader."""
    kind = schema.get("type")
    if kind == "object":
        return {key: answer_of(key, inner, document) for key, inner in schema["properties"].items()}
    raise AssertionError(f"no form: {schema}")


def answer_of(key, schema, document):
    if schema.get("type") == "object":
        return fill(schema, document)
    if schema.get("type") == "array":
        items = schema["items"]
        if items.get("type") == "object":
            rows = [line.split("|") for line in document.splitlines() if "|" in line]
            return [dict(zip(items["properties"], (cell.strip() for cell in row))) for row in rows]
        return [line[2:].strip() for line in document.splitlines() if line.startswith("- ")]
    line = re.search(rf"^{re.escape(words(key))}\s*[:#]\s*(.+)$", document, re.I | re.M)
    if not line:
        return None
    found = line[1].strip()
    if "enum" in schema:
        return found if found in schema["enum"] else None
    return found == "yes" if "boolean" in schema["type"] else found


class Upstream:
    def __init__(self, mode="good", canary="good", port=0, model="scripted-7b", key=None, owner="scripted", context=None, delay=0):
        self.mode, self.canary, self.model, self.key, self.owner = mode, canary, model, key, owner
        self.context, self.delay, self.logprob = context, delay, -0.01
        self.requests, self.canaries, self.looks = [], 0, 0
        self.now = self.peak = 0
        self.lock = threading.Lock()
        self.change = lambda form: form
        self.server = None
        self.start(port)

    def start(self, port=0):
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def log_message(self, *_):
                pass

            def do_GET(self):
                upstream.look(self)

            def do_POST(self):
                upstream.completion(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass  # clients that hang up are a part of the tests

        self.server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self):
        return self.server.server_address[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    def reply(self, handler, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def look(self, handler):
        self.looks += 1
        if self.key and handler.headers.get("Authorization") != f"Bearer {self.key}":
            self.reply(handler, 401, {"error": {"message": "no key"}})
        elif handler.path == "/v1/models":
            entry = {"id": self.model, "object": "model", "owned_by": self.owner}
            if self.context:
                entry["max_model_len"] = self.context
            self.reply(handler, 200, {"object": "list", "data": [entry]})
        else:
            self.reply(handler, 404, {"error": {"message": "no such page"}})

    def completion(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        framed = FRAME.search(prompt)
        document = framed[2] if framed else prompt.split("# Context:\n", 1)[1]
        is_canary = "Harbour Lights Ltd." in document and "RX-" in document
        with self.lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
            if is_canary:
                self.canaries += 1
            else:
                self.requests.append({"body": body, "document": document, "headers": dict(handler.headers)})
        try:
            mode = self.canary if is_canary else self.mode
            if not is_canary and self.delay:
                time.sleep(self.delay)
            schema = body["response_format"]["json_schema"]["schema"]
            getattr(self, "be_" + mode)(handler, schema, document)
        finally:
            with self.lock:
                self.now -= 1

    def say(self, handler, text, finish="stop", **message):
        tokens = [{"token": c, "logprob": self.logprob, "bytes": list(c.encode())} for c in re.findall(r"\w+|\W", text)]
        choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
        if self.logprob is not None:
            choice["logprobs"] = {"content": tokens}
        self.reply(handler, 200, {"id": "x", "object": "chat.completion", "model": self.model, "choices": [choice]})

    def form(self, schema, document):
        form = fill(schema, document)
        if "$check" in schema["properties"]:
            form["$check"] = schema["properties"]["$check"]["enum"][0]
        return form

    # ---- one per way to behave ---------------------------------------------------------------------------------------

    def be_good(self, handler, schema, document):
        self.say(handler, json.dumps(self.change(self.form(schema, document)), ensure_ascii=False))

    def be_slow(self, handler, schema, document):
        time.sleep(5)
        self.be_good(handler, schema, document)

    def be_wrong(self, handler, schema, document):
        """The right shape, with values that stand nowhere."""
        made_up = lambda value: "Zanzibar Quux" if isinstance(value, str) else value
        form = self.form(schema, document)
        check = form.pop("$check", None)
        form = {key: made_up(value or "x") for key, value in form.items()}
        self.say(handler, json.dumps({**({"$check": check} if check else {}), **form}))

    def be_truncated(self, handler, schema, document):
        text = json.dumps(self.form(schema, document))
        self.say(handler, text[: len(text) // 2], finish="length")

    def be_broken(self, handler, schema, document):
        text = json.dumps(self.form(schema, document))
        self.say(handler, text[: len(text) // 2])

    def be_enormous(self, handler, schema, document):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.close_connection = True
        for _ in range(64):
            handler.wfile.write(b" " * (1 << 20))

    def be_deep(self, handler, schema, document):
        self.reply(handler, 200, b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}")

    def be_refusing(self, handler, schema, document):
        self.say(handler, "I'm sorry, I can't help with that.")

    def be_dead(self, handler, schema, document):
        """Promises an answer, sends half of it and resets the connection."""
        handler.send_response(200)
        handler.send_header("Content-Length", "4000")
        handler.end_headers()
        handler.wfile.write(b'{"choices": [{"message"')
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        handler.connection.close()

    def be_failing(self, handler, schema, document):
        self.reply(handler, 500, {"error": {"message": "out of luck"}})

    def be_busy(self, handler, schema, document):
        self.reply(handler, 429, {"error": {"message": "later"}}, [("Retry-After", "1")])

    def be_small(self, handler, schema, document):
        """A window smaller than it says: long prompts are refused."""
        if len(document) > 1500:
            self.reply(handler, 400, {"error": {"message": "This model's maximum context length is 700 tokens."}})
        else:
            self.be_good(handler, schema, document)

    def be_redirecting(self, handler, schema, document):
        self.reply(handler, 302, {}, [("Location", "http://127.0.0.1:9/stolen")])

    def be_others(self, handler, schema, document):
        """The answer to somebody else's request: another document's mark and values."""
        form = {key: "Somebody Else Inc" for key in schema["properties"]}
        form["$check"] = "0123456789ab"
        self.say(handler, json.dumps(form))

    def be_unmarked(self, handler, schema, document):
        form = {key: "Somebody Else Inc" for key in schema["properties"] if key != "$check"}
        self.say(handler, json.dumps(form))
