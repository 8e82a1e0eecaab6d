"""Checks what Refractr posts to your endpoint (Standard Webhooks: https://www.standardwebhooks.com/)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any, Dict, Mapping, Union

from .errors import WebhookVerificationError

__all__ = ["secret_of", "verify"]


def secret_of(api_key: str) -> str:
    """The secret that signs what is posted to the `webhook_url` of an extraction made with this key."""
    return "whsec_" + base64.b64encode(hashlib.sha256(api_key.encode()).digest()).decode()


def _key(secret: str) -> bytes:
    encoded = secret[len("whsec_") :] if secret.startswith("whsec_") else secret
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as e:
        raise WebhookVerificationError("The secret is not whsec_ and Base64; copy it from the dashboard.") from e
    if not key:
        raise WebhookVerificationError("The secret is empty; copy it from the dashboard.")
    return key


def _check_time(timestamp: str, tolerance: float) -> None:
    # str.isdigit would let other scripts' digits through
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise WebhookVerificationError("webhook-timestamp is not a number of seconds.")
    if abs(time.time() - int(timestamp)) > tolerance:
        raise WebhookVerificationError(f"webhook-timestamp is more than {tolerance:g} seconds from now.")


def verify(payload: Union[bytes, str], headers: Mapping[str, str], secret: str, *, tolerance: float = 300) -> Dict[str, Any]:
    """Returns the event, {"type", "timestamp", "data"}; raises WebhookVerificationError.

    payload: the request's body exactly as it came, before any JSON parser touches it.
    headers: the request's headers, in any case. secret: the endpoint's, "whsec_...", or secret_of(api_key).
    tolerance: seconds the timestamp may be off. Deliveries may be repeated: `webhook-id` tells them apart.
    """
    body = payload.encode() if isinstance(payload, str) else payload
    given = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not given.get(name)]
    if missing:
        raise WebhookVerificationError(f"The header {missing[0]} is missing.")
    _check_time(given["webhook-timestamp"], tolerance)
    signed = f"{given['webhook-id']}.{given['webhook-timestamp']}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
    # Several signatures stand there while a secret is being replaced.
    if not any(hmac.compare_digest(expected, one.encode()) for one in given["webhook-signature"].split(" ")):
        raise WebhookVerificationError("No signature fits: another secret, or the body was changed on the way.")
    try:
        event = json.loads(body)
    except ValueError as e:
        raise WebhookVerificationError("The body is not JSON.") from e
    if not isinstance(event, dict):
        raise WebhookVerificationError("The body is not a JSON object.")
    return event
