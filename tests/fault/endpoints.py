"""Every endpoint once, as a call that can be repeated: what is sent, what must come back when nothing fails.

Cast sets the stage: a service with everything switched on, a Stripe and a webhook receiver of our own, one account that
acts and one (`reader`) whose lists stay as they are, so that two answers to the same question have the same shape."""

import hashlib
import hmac
import http.client
import http.server
import json
import re
import threading
import time
import uuid

from pages import member, token_of
from service import INVOICE, UNLIMITED, command, extract

EVENT_SECRET = "whsec_test_secret"
PASSWORD = "a horse, a boat"
VOLATILE_HEADERS = {"date", "content-length"}


class Double(http.server.BaseHTTPRequestHandler):
    """Stripe and a customer's webhook receiver in one: takes everything, answers with where to pay."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"url":"https://checkout.stripe.example/c/1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Answer:
    """status None: the connection ended without an answer, or in its middle (`cut`)."""

    def __init__(self, status=None, headers=(), body=b"", cut=False):
        self.status, self.headers, self.body, self.cut = status, {k.lower(): v for k, v in headers}, body, cut

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def shape(self):
        """What stays the same from one good answer to the next."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/json"):
            body = shape_of(self.json())
        elif "version=0.0.4" in kind:
            body = tuple(line for line in self.body.decode().splitlines() if line.startswith("#"))
        elif kind.startswith("text/csv"):
            body = self.body.count(b"\n")
        else:
            body = self.body
        return self.status, frozenset(set(self.headers) - VOLATILE_HEADERS), body


def shape_of(value):
    if isinstance(value, dict):
        return tuple(sorted((k, shape_of(v)) for k, v in value.items()))
    if isinstance(value, list):
        return tuple(shape_of(v) for v in value)
    return type(value).__name__ if not isinstance(value, bool) else value


def talk(port, method, path, body=None, headers=None, timeout=40):
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, {"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        try:
            return Answer(answer.status, answer.getheaders(), answer.read())
        except (http.client.HTTPException, OSError):
            return Answer(answer.status, answer.getheaders(), cut=True)
    except (http.client.HTTPException, ConnectionError):
        return Answer()
    finally:
        connection.close()


def event(kind, thing):
    """An event as Stripe sends it; returns body and headers."""
    body = json.dumps({"id": f"evt_{uuid.uuid4().hex}", "type": kind, "data": {"object": thing}}).encode()
    at = int(time.time())
    mac = hmac.new(EVENT_SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "Stripe-Signature": f"t={at},v1={mac}"}


def purchase(account_id, credits=10):
    made = uuid.uuid4().hex
    return {"id": f"cs_{made}", "payment_status": "paid", "payment_intent": f"pi_{made}", "invoice": f"in_{made}",
            "metadata": {"account_id": account_id, "pack": "starter", "credits": str(credits)}}


def everything_on(folder, stripe_port):
    """Options of a service with nothing switched off."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stripe-key").write_text("sk_test_123\n")
    (folder / "stripe-events").write_text(EVENT_SECRET + "\n")
    return [*UNLIMITED, "--signup", "--trust-proxy", "--signin-tries", "100000", "--demo-limit", "1000000", "--webhook-allow-private",
            "--stripe-key-file", str(folder / "stripe-key"), "--stripe-webhook-secret-file", str(folder / "stripe-events"),
            "--stripe-base-url", f"http://127.0.0.1:{stripe_port}"]


def open_double():
    double = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Double)
    double.daemon_threads = True
    threading.Thread(target=double.serve_forever, daemon=True).start()
    return double


class Cast:
    def __init__(self, service, double):
        self.service, self.double = service, double
        self.actor, self.reader = member(service, 1_000_000, f"{uuid.uuid4().hex}@example.org"), member(service)
        self.changer = member(service, 1_000_000, f"{uuid.uuid4().hex}@example.org")  # a new password ends all sessions but one
        for visitor in (self.actor, self.changer):
            visitor.post("password", {"password": PASSWORD})
        self.email = self.actor.get("session")["email"]
        self.reader_job = extract(service, self.reader.key, details=True).json()["job_id"]
        self.hook = self.reader.post("webhooks", {"url": f"http://127.0.0.1:{double.server_port}/hook"}, 201)["id"]
        self.reader.post(f"webhooks/{self.hook}/test", None, 202)
        self.replayed = str(uuid.uuid4())
        extract(service, self.actor.key, headers={"Idempotency-Key": self.replayed})
        self.bought = purchase(self.actor.account_id)
        self.cases = {case.name: case for case in self.make()}

    def api(self, method, path, body=None, key=None, **headers):
        return self.call(method, path, body, {"Authorization": f"Bearer {key or self.actor.key}", **headers})

    def web(self, method, path, body=None, visitor=None):
        """As the pages do it: with the visitor's cookie and token; None: with those of a visitor who is not signed in."""
        cookie, csrf = (visitor.cookie, visitor.csrf) if visitor else self.stranger
        return self.call(method, f"/web/v1/{path}", body, {"Cookie": f"refractr_session={cookie}", "X-CSRF-Token": csrf})

    def call(self, method, path, body=None, headers=None):
        sent = {"X-Forwarded-For": str(uuid.uuid4()), **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        return talk(self.service.port, method, path, body, sent)

    def stripe(self, kind, thing):
        return self.call("POST", "/stripe/webhook", *event(kind, thing))

    # What a call uses up is made anew before each, while nothing fails.

    def new_link(self, visitor=None):
        made = json.loads(command("account", "link", (visitor or self.actor).account_id, data=self.service.data, store=self.service.store))
        return token_of(made)

    def new_session(self, visitor=None):
        """Signed in once more: cookie and CSRF token."""
        answer = self.web("POST", "signin-link", {"token": self.new_link(visitor)})
        cookie = re.search(r"refractr_session=([^;]+)", answer.headers["set-cookie"]).group(1)
        return cookie, answer.json()["csrf_token"]

    def new_key(self):
        return self.web("POST", "keys", {"name": "used up"}, self.actor).json()["id"]

    def new_hook(self):
        return self.web("POST", "webhooks", {"url": f"http://127.0.0.1:{self.double.server_port}/x"}, self.actor).json()["id"]

    def remove_hooks(self):
        for hook in self.actor.get("webhooks")["endpoints"]:
            self.web("DELETE", f"webhooks/{hook['id']}", None, self.actor)

    def make(self):
        visitor = self.reader.service
        first = talk(visitor.port, "GET", "/web/v1/session")
        self.stranger = re.search(r"refractr_session=([^;]+)", first.headers["set-cookie"]).group(1), first.json()["csrf_token"]
        address = lambda: f"{uuid.uuid4().hex}@example.org"  # noqa: E731
        within = lambda s: {"Cookie": f"refractr_session={s[0]}", "X-CSRF-Token": s[1]}  # noqa: E731
        signed_out = lambda s: self.call("DELETE", "/web/v1/session", None, within(s))  # noqa: E731
        changed = {"password": PASSWORD, "current_password": PASSWORD}
        sign_up = {"password": PASSWORD, "name": "New"}
        return [
            Case("extract", 200, lambda _: self.api("POST", "/api/v1/extract/", INVOICE)),
            Case("extract-details", 200, lambda _: self.api("POST", "/api/v1/extract/", {**INVOICE, "details": True})),
            Case("extract-async", 202, lambda _: self.api("POST", "/api/v1/extract/", {**INVOICE, "wait": False})),
            Case("extract-webhook", 200, lambda _: self.api("POST", "/api/v1/extract/", {**INVOICE, "webhook_url": f"http://127.0.0.1:{self.double.server_port}/j"})),
            Case("extract-key", 200, lambda _: self.api("POST", "/api/v1/extract/", INVOICE, **{"Idempotency-Key": str(uuid.uuid4())})),
            Case("extract-replay", 200, lambda _: self.api("POST", "/api/v1/extract/", INVOICE, **{"Idempotency-Key": self.replayed})),
            Case("job", 200, lambda _: self.api("GET", f"/api/v1/extract/{self.reader_job}/", key=self.reader.key)),
            Case("account", 200, lambda _: self.api("GET", "/api/v1/account/")),
            Case("session", 200, lambda _: self.call("GET", "/web/v1/session")),
            Case("session-signed-in", 200, lambda _: self.web("GET", "session", None, self.actor)),
            Case("sign-in", 200, lambda _: self.web("POST", "session", {"email": self.email, "password": PASSWORD})),
            Case("sign-out", 200, signed_out, self.new_session),
            Case("sign-up", 200, lambda _: self.web("POST", "signup", {"email": address(), **sign_up})),
            Case("signin-link", 200, lambda token: self.web("POST", "signin-link", {"token": token}), self.new_link),
            Case("password", 200, lambda s: self.call("POST", "/web/v1/password", changed, within(s)), lambda: self.new_session(self.changer)),
            Case("keys", 200, lambda _: self.web("GET", "keys", None, self.reader)),
            Case("key-create", 201, lambda _: self.web("POST", "keys", {"name": "new"}, self.actor)),
            Case("key-regenerate", 201, lambda key: self.web("POST", f"keys/{key}/regenerate", {"overlap": "24h"}, self.actor), self.new_key),
            Case("key-revoke", 200, lambda key: self.web("DELETE", f"keys/{key}", None, self.actor), self.new_key),
            Case("usage", 200, lambda _: self.web("GET", "usage", None, self.reader)),
            Case("jobs", 200, lambda _: self.web("GET", "jobs", None, self.reader)),
            Case("web-extract", 200, lambda _: self.web("POST", "extract", INVOICE, self.actor)),
            Case("demo", 200, lambda _: self.call("POST", "/web/v1/demo", {"example": "invoice"})),
            Case("webhooks", 200, lambda _: self.web("GET", "webhooks", None, self.reader)),
            Case("webhook-create", 201, lambda _: self.web("POST", "webhooks", {"url": "https://hooks.example.org/"}, self.actor), self.remove_hooks),
            Case("webhook-delete", 200, lambda hook: self.web("DELETE", f"webhooks/{hook}", None, self.actor), lambda: (self.remove_hooks(), self.new_hook())[1]),
            Case("webhook-test", 202, lambda hook: self.web("POST", f"webhooks/{hook}/test", b"", self.actor), lambda: (self.remove_hooks(), self.new_hook())[1]),
            Case("deliveries", 200, lambda _: self.web("GET", f"webhooks/{self.hook}/deliveries", None, self.reader)),
            Case("billing", 200, lambda _: self.web("GET", "billing", None, self.reader)),
            Case("ledger", 200, lambda _: self.web("GET", "billing/ledger", None, self.reader)),
            Case("ledger-csv", 200, lambda _: self.web("GET", "billing/ledger.csv", None, self.reader)),
            Case("checkout", 200, lambda _: self.web("POST", "billing/checkout", {"pack": "starter"}, self.actor)),
            Case("stripe-purchase", 200, lambda _: self.stripe("checkout.session.completed", purchase(self.actor.account_id))),
            Case("stripe-purchase-again", 200, lambda _: self.stripe("checkout.session.completed", self.bought)),
            Case("stripe-refund", 200, lambda _: self.stripe("charge.refunded", {"id": "ch_1", "payment_intent": self.bought["payment_intent"], "amount": 900, "amount_refunded": 450})),
            Case("stripe-invoice", 200, lambda _: self.stripe("invoice.paid", {"id": self.bought["invoice"], "hosted_invoice_url": "https://invoice.example/1"})),
            Case("livez", 200, lambda _: self.call("GET", "/livez")),
            Case("readyz", 200, lambda _: self.call("GET", "/readyz")),
            Case("metrics", 200, lambda _: self.call("GET", "/metrics")),
            Case("page", 200, lambda _: self.call("GET", "/")),
            Case("openapi", 200, lambda _: self.call("GET", "/openapi.json")),
            Case("preflight", 204, lambda _: self.call("OPTIONS", "/api/v1/extract/")),
            Case("unknown-path", 404, lambda _: self.call("GET", "/nothing")),
            Case("bad-key", 401, lambda _: self.api("GET", "/api/v1/account/", key="dm_wrong")),
            Case("bad-json", 400, lambda _: self.call("POST", "/api/v1/extract/", b"{", {"Authorization": f"Bearer {self.actor.key}", "Content-Type": "application/json"})),
        ]


class Case:
    """`call(made)` sends the request; `prepare()` makes what it uses up."""

    def __init__(self, name, status, call, prepare=lambda: None):
        self.name, self.status, self.call, self.prepare = name, status, call, prepare
