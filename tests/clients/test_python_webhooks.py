"""webhooks.verify against signatures made here, by Standard Webhooks' rules."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from refractr import WebhookVerificationError, webhooks

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = json.dumps({"type": "extraction.completed", "data": {"total": "€5"}}, ensure_ascii=False).encode()


def signature(body=BODY, at=None, key=KEY, name="msg_1"):
    return "v1," + base64.b64encode(hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()).decode()


def headers(at=None, **changes):
    at = str(int(time.time()) if at is None else at)
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": at, "Webhook-Signature": signature(at=at), **changes}


def test_known_signature():
    """The example of the Standard Webhooks specification's reference implementation."""
    told = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
    event = webhooks.verify('{"test": 2432232314}', told, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", tolerance=10**10)
    assert event == {"test": 2432232314}


def test_genuine_events_are_returned():
    assert webhooks.verify(BODY, headers(), SECRET)["data"] == {"total": "€5"}
    assert webhooks.verify(BODY.decode(), headers(), SECRET)["type"] == "extraction.completed"


def test_one_of_several_signatures_is_enough():
    both = headers()
    both["Webhook-Signature"] = "v1,AAAA v1a,BBBB " + both["Webhook-Signature"]
    assert webhooks.verify(BODY, both, SECRET)


def test_forged_changed_old_and_future_ones_are_refused():
    now = int(time.time())
    for body, told, secret in [
        (BODY + b" ", headers(), SECRET),
        (BODY, headers(), "whsec_" + base64.b64encode(b"another").decode()),
        (BODY, headers(**{"Webhook-Id": "msg_2"}), SECRET),
        (BODY, headers(at=now - 301), SECRET),
        (BODY, headers(at=now + 310), SECRET),
        (BODY, headers(**{"Webhook-Timestamp": "²"}), SECRET),
        (BODY, headers(**{"Webhook-Signature": ""}), SECRET),
        (BODY, headers(**{"Webhook-Signature": "v1,é"}), SECRET),
        (BODY, {}, SECRET),
        (BODY, headers(), "whsec_!"),
        (BODY, headers(), ""),
    ]:
        with pytest.raises(WebhookVerificationError):
            webhooks.verify(body, told, secret)
