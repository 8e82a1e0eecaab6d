"""Money: the ledger and its CSV, Checkout against stripe-mock, and Stripe's events: signed, forged, late, doubled,
reordered, refunded.

stripe-mock is the one that `make deps-stripe` builds into build/tools, or $STRIPE_MOCK names another."""

import csv
import hashlib
import hmac
import http.server
import io
import json
import os
import pathlib
import subprocess
import threading
import time
import urllib.parse
import uuid

import pytest
import requests
from pages import Visitor, member
from service import ROOT, UNLIMITED, available, command, extract, free_port

STORES = ("sqlite", "postgresql")
SECRET = "whsec_test_secret"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stripe")
    (folder / "key").write_text("sk_test_123\n")
    (folder / "events").write_text(SECRET + "\n")
    return ["--stripe-key-file", str(folder / "key"), "--stripe-webhook-secret-file", str(folder / "events")]


@pytest.fixture
def paid(make_service, secrets):
    return make_service(*UNLIMITED, *secrets, "--stripe-base-url", "http://127.0.0.1:9")


def signature(body, at=None, secret=SECRET):
    at = int(time.time()) if at is None else at
    return at, hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def event(kind, thing):
    return json.dumps({"id": f"evt_{uuid.uuid4().hex}", "type": kind, "data": {"object": thing}}).encode()


def send(service, body, header=None):
    if header is None:
        header = "t={},v1={}".format(*signature(body))
    return requests.post(f"{service.url}/stripe/webhook", data=body, headers={"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": header}, timeout=60)


def session(account_id, credits=1000, status="paid", **more):
    made = uuid.uuid4().hex
    return {"id": f"cs_{made}", "payment_status": status, "payment_intent": f"pi_{made}", "invoice": f"in_{made}",
            "metadata": {"account_id": account_id, "pack": "starter", "credits": str(credits)}, **more}


def refund(bought, amount, refunded):
    return event("charge.refunded", {"id": "ch_1", "payment_intent": bought["payment_intent"], "amount": amount, "amount_refunded": refunded})


def test_ledger_and_csv(service):
    visitor = member(service, credits=5)
    job = extract(service, visitor.key).json()["job_id"]
    command("credits", "grant", visitor.account_id, "7", "--note", '=cmd "x"', data=service.data, store=service.store)
    entries = visitor.get("billing/ledger")["entries"]
    assert [(e["kind"], e["credits"], e["balance"]) for e in entries] == [("grant", 7, 11), ("extraction", -1, 4), ("grant", 5, 5)]
    assert job in entries[1]["note"]
    answer = visitor.call("GET", "billing/ledger.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["kind"], r["credits"], r["balance"]) for r in rows] == [("grant", "7", "11"), ("extraction", "-1", "4"), ("grant", "5", "5")]
    assert rows[0]["note"] == "'=cmd \"x\"", "no formula for a spreadsheet to run"
    assert len(visitor.get("billing/ledger?limit=2")["entries"]) == 2


def test_without_stripe(service):
    visitor = member(service)
    billing = visitor.get("billing")
    assert billing["stripe"] is False and billing["contact"] and billing["packs"][0].keys() == {"id", "credits", "price_cents", "currency"}
    refused = visitor.call("POST", "billing/checkout", {"pack": billing["packs"][0]["id"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "payments_unavailable")
    assert send(service, event("checkout.session.completed", session(visitor.account_id))).status_code == 503


def test_purchase_once_with_invoice(paid):
    visitor = member(paid, credits=0)
    bought = session(visitor.account_id)
    body = event("checkout.session.completed", bought)
    assert [send(paid, body).status_code for _ in range(3)] == [200] * 3
    assert send(paid, event("checkout.session.async_payment_succeeded", bought)).status_code == 200
    assert available(paid, visitor.key) == 1000, "once, however often and however told"
    assert visitor.get("billing/ledger")["entries"][0]["invoice_url"] is None
    url = "https://invoice.stripe.example/i/1"
    assert send(paid, event("invoice.paid", {"id": bought["invoice"], "hosted_invoice_url": url})).status_code == 200
    assert [(e["kind"], e["credits"], e["invoice_url"]) for e in visitor.get("billing/ledger")["entries"]] == [("purchase", 1000, url)]


def test_paid_at_the_same_instant(paid):
    visitor = member(paid, credits=0)
    body = event("checkout.session.completed", session(visitor.account_id))
    threads = [threading.Thread(target=send, args=(paid, body)) for _ in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert available(paid, visitor.key) == 1000


def test_unpaid_until_the_money_is_there(paid):
    visitor = member(paid, credits=0)
    bought = session(visitor.account_id, status="unpaid")
    assert send(paid, event("checkout.session.completed", bought)).status_code == 200
    assert send(paid, event("checkout.session.async_payment_failed", bought)).status_code == 200
    assert available(paid, visitor.key) == 0
    assert send(paid, event("checkout.session.async_payment_succeeded", {**bought, "payment_status": "paid"})).status_code == 200
    assert available(paid, visitor.key) == 1000


def test_forged_late_and_several_signatures(paid):
    visitor = member(paid, credits=0)
    body = event("checkout.session.completed", session(visitor.account_id))
    at, good = signature(body)
    old, late = signature(body, at - 301)
    soon, early = signature(body, at + 400)
    forged = signature(body, at, "another secret")[1]
    for header in ("", "t=1", f"t={at}", f"v1={good}", f"t={at},v1={forged}", f"t={old},v1={late}", f"t={soon},v1={early}", f"t={at - 1},v1={good}", f"t={at},v0={good}", f"t={at},v1={good[:-1]}"):
        refused = send(paid, body, header)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "signature_invalid"), header
    changed = send(paid, body.replace(b"1000", b"9999"), f"t={at},v1={good}")
    assert changed.status_code == 400 and available(paid, visitor.key) == 0
    assert send(paid, body, f"t={at},v1={forged},v0=x,v1={good}").status_code == 200, "one of several fits"
    assert available(paid, visitor.key) == 1000


def test_refunds(paid):
    visitor = member(paid, credits=0)
    bought = session(visitor.account_id)
    send(paid, event("checkout.session.completed", bought))
    half, again = refund(bought, 900, 450), refund(bought, 900, 450)
    assert [send(paid, b).status_code for b in (half, half, again)] == [200] * 3
    assert available(paid, visitor.key) == 500
    for _ in range(3):
        assert extract(paid, visitor.key).status_code == 200
    assert send(paid, refund(bought, 900, 900)).status_code == 200
    entries = visitor.get("billing/ledger")["entries"]
    assert available(paid, visitor.key) == 0, "spent credits are not claimed back"
    assert (entries[0]["kind"], entries[0]["credits"], entries[0]["balance"]) == ("refund", -497, 0)


def test_refund_told_before_the_purchase(paid):
    visitor = member(paid, credits=10)
    bought = session(visitor.account_id)
    assert send(paid, refund(bought, 900, 900)).status_code == 200
    assert send(paid, event("checkout.session.completed", bought)).status_code == 200
    assert [(e["kind"], e["credits"]) for e in visitor.get("billing/ledger")["entries"]][:2] == [("refund", -1000), ("purchase", 1000)]
    assert available(paid, visitor.key) == 10


def test_what_is_not_ours_is_left_alone(paid):
    for body in (event("customer.created", {"id": "cus_1"}), event("checkout.session.completed", {"id": "cs_1", "payment_status": "paid"}),
                 event("checkout.session.completed", session("0196a2c4-7d1e-7a3b-9c55-1f0e2d3c4b5a")), b"{}", b"[]"):
        assert send(paid, body).status_code == 200, "or Stripe would send it for days"


class Stripe(http.server.BaseHTTPRequestHandler):
    """What was asked, kept; answers as told."""

    asked, status, answer = [], 200, {"url": "https://checkout.stripe.example/c/1"}

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.asked.append((self.path, dict(self.headers), {k: v[0] for k, v in form.items()}))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(json.dumps(self.answer).encode())

    def log_message(self, *_):
        pass


def test_checkout_says_who_and_what(make_service, secrets, tmp_path):
    packs = tmp_path / "packs.json"
    packs.write_text(json.dumps([{"id": "one", "credits": 77, "price_cents": 123, "currency": "USD"}]))
    kind = type("Own", (Stripe,), {"asked": []})
    double = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=double.serve_forever, daemon=True).start()
    service = make_service(*UNLIMITED, *secrets, "--packs", str(packs), "--public-url", "http://r.example",
                           "--stripe-base-url", f"http://127.0.0.1:{double.server_port}")
    visitor = member(service, email="buyer@example.org")
    assert visitor.get("billing")["stripe"] is True
    assert visitor.post("billing/checkout", {"pack": "one"}) == {"url": kind.answer["url"]}
    path, headers, form = kind.asked[0]
    assert path == "/v1/checkout/sessions" and headers["Authorization"] == "Bearer sk_test_123" and headers["Idempotency-Key"]
    assert (form["metadata[account_id]"], form["metadata[credits]"], form["mode"]) == (visitor.account_id, "77", "payment")
    assert (form["line_items[0][price_data][unit_amount]"], form["line_items[0][price_data][currency]"]) == ("123", "usd")
    assert form["success_url"] == "http://r.example/billing/?checkout=success" and form["customer_email"] == "buyer@example.org"
    assert visitor.call("POST", "billing/checkout", {"pack": "two"}).status_code == 400
    kind.status, kind.answer = 402, {"error": {"message": "no"}}
    assert visitor.call("POST", "billing/checkout", {"pack": "one"}).json()["error"]["code"] == "payments_unavailable"
    double.shutdown()


def test_checkout_against_stripe_mock(make_service, secrets):
    mock = pathlib.Path(os.environ.get("STRIPE_MOCK", ROOT / "build" / "tools" / "stripe-mock"))
    if not mock.exists():
        pytest.skip(f"{mock} is not there: make deps-stripe says why")
    port = free_port()
    process = subprocess.Popen([mock, "-http-addr", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        service = make_service(*UNLIMITED, *secrets, "--stripe-base-url", f"http://127.0.0.1:{port}")
        visitor = member(service, email="mock@example.org")
        for _ in range(100):
            answer = visitor.call("POST", "billing/checkout", {"pack": "starter"})
            if answer.ok:
                break
            time.sleep(0.1)
        assert answer.status_code == 200, service.log.read_text()[-2000:]
        assert answer.json()["url"].startswith("http")
    finally:
        process.terminate()
        process.wait()
