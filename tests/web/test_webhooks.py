"""Events to customers' servers: signed, tried again, never redirected, never to private addresses by default."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time

import pytest
from pages import member, until
from service import INVOICE, UNLIMITED, extract, get

STORES = ("sqlite", "postgresql")


class Receiver:
    """A customer's server: keeps what it gets, answers with the codes given, the last for ever."""

    def __init__(self, *codes):
        receiver, self.got, self.codes = self, [], list(codes) or [204]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, dict(self.headers.items()), body))
                self.send_response(receiver.codes.pop(0) if len(receiver.codes) > 1 else receiver.codes[0])
                self.send_header("Location", f"{receiver.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count=1, seconds=15):
        until(lambda: len(self.got) >= count, seconds)
        return self.got


def verify(secret, headers, body):
    """Standard Webhooks, as a receiver does it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == expected
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    return json.loads(body)


@pytest.fixture
def open_service(make_service):
    return make_service(*UNLIMITED, "--webhook-allow-private", "--webhook-retries", "1,1")


def test_endpoint_gets_what_polling_says(open_service):
    receiver, visitor = Receiver(), member(open_service)
    made = visitor.post("webhooks", {"url": receiver.url + "/hook"}, 201)
    job = extract(open_service, visitor.key, details=True).json()["job_id"]
    path, headers, body = receiver.wait()[0]
    told = verify(made["secret"], headers, body)
    assert path == "/hook" and told["type"] == "job.succeeded" and headers["webhook-id"].startswith("msg_")
    assert told["data"] == get(open_service, visitor.key, f"/api/v1/extract/{job}/").json()
    assert made["secret"] not in str(visitor.get("webhooks"))


def test_test_button_and_log(open_service):
    receiver, visitor = Receiver(), member(open_service)
    made = visitor.post("webhooks", {"url": receiver.url}, 201)
    delivery = visitor.post(f"webhooks/{made['id']}/test", None, 202)["delivery_id"]
    assert verify(made["secret"], *receiver.wait()[0][1:])["type"] == "test"
    log = lambda: visitor.get(f"webhooks/{made['id']}/deliveries")["deliveries"]
    until(lambda: log()[0]["status"] == "delivered")
    row = log()[0]
    assert (row["id"], row["event"], row["attempts"], row["response_status"], row["next_attempt_at"]) == (delivery, "test", 1, 204, None)


def test_tried_again_then_given_up(open_service):
    receiver, visitor = Receiver(500, 204), member(open_service)
    made = visitor.post("webhooks", {"url": receiver.url}, 201)
    visitor.post(f"webhooks/{made['id']}/test", None, 202)
    first, second = receiver.wait(2)
    assert first[1]["webhook-id"] == second[1]["webhook-id"] and first[2] == second[2], "the same event, to be known again"
    log = lambda: visitor.get(f"webhooks/{made['id']}/deliveries")["deliveries"][0]
    until(lambda: log()["status"] == "delivered")
    assert log()["attempts"] == 2
    receiver.codes = [500]
    visitor.post(f"webhooks/{made['id']}/test", None, 202)
    until(lambda: log()["status"] == "failed")
    assert (log()["attempts"], log()["response_status"]) == (3, 500)


def test_no_redirect_and_gone(open_service):
    receiver, visitor = Receiver(302), member(open_service)
    made = visitor.post("webhooks", {"url": receiver.url}, 201)
    visitor.post(f"webhooks/{made['id']}/test", None, 202)
    log = lambda: visitor.get(f"webhooks/{made['id']}/deliveries")["deliveries"][0]
    until(lambda: log()["status"] == "failed")
    assert {path for path, _, _ in receiver.got} == {"/"} and log()["response_status"] == 302
    receiver.codes = [410]
    visitor.post(f"webhooks/{made['id']}/test", None, 202)
    until(lambda: visitor.get("webhooks")["endpoints"][0]["disabled_at"])
    count = len(receiver.got)
    extract(open_service, visitor.key)
    time.sleep(1.5)
    assert len(receiver.got) == count, "an endpoint that is gone gets nothing more"


def test_webhook_url_of_one_extraction(open_service):
    receiver, visitor = Receiver(), member(open_service)
    answer = extract(open_service, visitor.key, wait=False, webhook_url=receiver.url + "/once")
    assert answer.status_code == 202, answer.text
    path, headers, body = receiver.wait()[0]
    secret = "whsec_" + base64.b64encode(hashlib.sha256(visitor.key.encode()).digest()).decode()
    assert path == "/once" and verify(secret, headers, body)["data"]["job_id"] == answer.json()["job_id"]
    for bad in (7, "ftp://x", "http://user:pass@127.0.0.1/", "", "http://a b"):
        refused = extract(open_service, visitor.key, webhook_url=bad)
        assert refused.status_code == 400 and refused.json()["error"]["param"] == "webhook_url", bad
    assert visitor.call("POST", "extract", {**INVOICE, "webhook_url": receiver.url}).status_code == 400


def test_delivered_after_a_kill(make_service):
    receiver = Receiver(500, 204)
    service = make_service(*UNLIMITED, "--webhook-allow-private", "--webhook-retries", "3")
    visitor = member(service)
    visitor.post("webhooks", {"url": receiver.url}, 201)
    extract(service, visitor.key)
    receiver.wait(1)
    time.sleep(0.5)
    service.kill()
    service.start()
    assert len(receiver.wait(2)) == 2


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "localhost.", "10.0.0.1", "169.254.169.254", "168.63.129.16", "0.0.0.0", "0",
    "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "3232235521", "127.0.0.1.", "%31%32%37.0.0.1", "①②⑦.0.0.1",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fd00::1]", "[fe80::1%25lo]"])
def test_private_addresses_are_refused(service, host):
    """However the address is written, nothing is connected to; a form that is no host at all is refused at once."""
    receiver, visitor = Receiver(), member(service)
    assert visitor.call("POST", "webhooks", {"url": receiver.url}).status_code == 400, "plain http"
    answer = visitor.call("POST", "webhooks", {"url": f"https://{host}:{receiver.server.server_port}/"})
    if answer.status_code == 400:
        assert answer.json()["error"]["param"] == "url"
        return
    made = answer.json()
    delivery = visitor.post(f"webhooks/{made['id']}/test", None, 202)["delivery_id"]
    log = lambda: visitor.get(f"webhooks/{made['id']}/deliveries")["deliveries"][0]
    until(lambda: log()["attempts"] == 1)
    assert log()["status"] == "retrying" and log()["response_status"] is None and log()["next_attempt_at"]
    why = [line["why"] for line in map(json.loads, service.log.read_text().splitlines()) if line.get("delivery") == int(delivery)]
    assert why[0] in ("the address is not public", "Couldn't resolve host name", "URL using bad/illegal format or missing URL"), why
    if host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0177.0.0.1"):
        assert why[0] == "the address is not public", "it was understood, and still refused"
    visitor.call("DELETE", f"webhooks/{made['id']}")


def test_others_endpoints_are_not_found(open_service):
    owner, other = member(open_service), member(open_service)
    made = owner.post("webhooks", {"url": "https://hooks.example/"}, 201)
    assert other.call("DELETE", f"webhooks/{made['id']}").status_code == 404
    assert other.call("POST", f"webhooks/{made['id']}/test").status_code == 404
    assert other.call("GET", f"webhooks/{made['id']}/deliveries").status_code == 404
    assert owner.call("DELETE", f"webhooks/{made['id']}").json() == {"ok": True} and owner.get("webhooks")["endpoints"] == []
