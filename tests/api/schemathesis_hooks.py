"""Loaded by schemathesis: what the description cannot say about a request on its own."""

import os
import uuid

import schemathesis


@schemathesis.auth()
class Key:
    def get(self, case, context):
        return os.environ["REFRACTR_TEST_KEY"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, **kwargs):
    """A webhook_url of the described form may still be no URL; it is made one nobody lives at.
    An Idempotency-Key is bound to its first body; a second body under it is refused, as documented. Well-formed keys are
    therefore made unique; malformed ones stay as they were generated."""
    url = case.body.get("webhook_url") if isinstance(case.body, dict) else None
    if isinstance(url, str) and url.startswith("https://") and len(url) <= 2000:
        case.body["webhook_url"] = "https://receiver.invalid/"
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) < 256 and all("!" <= c <= "~" for c in key):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
