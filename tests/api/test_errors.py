"""Every refusal: the right status, the one shape, words that help, and no charge."""

import json
import re
import time

import pytest
import requests
from service import INVOICE, available, command, extract, get
from wire import post, statuses, talk

NESTED_NINE = {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": None}}}}}}}}}


def body(**changes):
    return {k: v for k, v in {**INVOICE, **changes}.items() if v is not ...}


BAD = {
    "empty body": ("", "invalid_json", None, "empty"),
    "cut off": ('{"document_text": "a", ', "invalid_json", None, r"line 1, column \d+"),
    "place is told": ('{\n "document_text": "a",\n "template": nul\n}', "invalid_json", None, r"line 3, column \d+"),
    "trailing comma": ('{"document_text": "a", "template": {"a": null},}', "invalid_json", None, "line 1"),
    "single quotes": ("{'document_text': 'a'}", "invalid_json", None, "line 1"),
    "NaN": ('{"document_text": "a", "template": {"a": NaN}}', "invalid_json", None, "line 1"),
    "comment": ('{"document_text": "a" /* b */, "template": {"a": null}}', "invalid_json", None, "line 1"),
    "two values": ('{"document_text": "a", "template": {"a": null}} {}', "invalid_json", None, "end of file"),
    "raw NUL": (b'{"document_text": "a\x00", "template": {"a": null}}', "invalid_json", None, "NUL"),
    "not UTF-8": (b'{"document_text": "\xff", "template": {"a": null}}', "invalid_json", None, "UTF-8|decode"),
    "overlong UTF-8": (b'{"document_text": "\xc0\xaf", "template": {"a": null}}', "invalid_json", None, "UTF-8|decode"),
    "UTF-8 surrogate": (b'{"document_text": "\xed\xa0\x80", "template": {"a": null}}', "invalid_json", None, "UTF-8|decode"),
    "UTF-16": (json.dumps(INVOICE).encode("utf-16"), "invalid_json", None, ""),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(INVOICE).encode(), "invalid_json", None, ""),
    "lone surrogate": (r'{"document_text": "\ud800", "template": {"a": null}}', "invalid_json", None, "Unicode"),
    "reversed surrogates": (r'{"document_text": "\udc00\ud800", "template": {"a": null}}', "invalid_json", None, "Unicode"),
    "too deep for the parser": ("[" * 100000, "invalid_json", None, "depth"),
    "number beyond a double": ('{"document_text": 1e999, "template": {"a": null}}', "invalid_json", None, "overflow"),
    "duplicate member": ('{"document_text": "a", "document_text": "b", "template": {"a": null}}', "duplicate_key", "document_text", "twice"),
    "duplicate key in the template": ('{"document_text": "a", "template": {"a": null, "b": null, "a": []}}', "duplicate_key", "a", "twice"),
    "NUL in a key": (r'{"document_text": "a", "template": {"a\u0000b": null}}', "invalid_value", ..., "NUL"),
    "a list": ("[]", "wrong_type", None, "object"),
    "a string": ('"a"', "wrong_type", None, "object"),
    "null": ("null", "wrong_type", None, "object"),
    "no document_text": (body(document_text=...), "missing_field", "document_text", "missing"),
    "no template": (body(template=...), "missing_field", "template", "missing"),
    "nothing": ({}, "missing_field", "document_text", "missing"),
    "document_text null": (body(document_text=None), "wrong_type", "document_text", "null"),
    "document_text a number": (body(document_text=1), "wrong_type", "document_text", "number"),
    "document_text a list": (body(document_text=["a"]), "wrong_type", "document_text", "list"),
    "document_text empty": (body(document_text=""), "document_empty", "document_text", "1 character"),
    "document_text too long": (body(document_text="a" * 50001), "document_too_long", "document_text", "50000.*50001"),
    "emoji too long": (body(document_text="😀" * 50001), "document_too_long", "document_text", "50000.*50001"),
    "template null": (body(template=None), "wrong_type", "template", "null"),
    "template a list": (body(template=[]), "wrong_type", "template", "list"),
    "template a string": (body(template="{}"), "wrong_type", "template", "string"),
    "template empty": (body(template={}), "template_invalid", "template", ""),
    "template leaf a number": (body(template={"a": {"b": 1}}), "template_invalid", "template.a.b", ""),
    "template leaf true": (body(template={"a": True}), "template_invalid", "template.a", ""),
    "template leaf an unknown type": (body(template={"a": "float"}), "template_invalid", "template.a", "float"),
    "template key empty": (body(template={"": None}), "template_invalid", ..., "1 to 128"),
    "template key too long": (body(template={"k" * 129: None}), "template_too_complex", ..., "129.*128"),
    "template too deep": (body(template=NESTED_NINE), "template_too_complex", ..., "8"),
    "template too large": (body(template={f"k{i}": None for i in range(201)}), "template_too_complex", ..., "200"),
    "wait a string": (body(wait="true"), "wrong_type", "wait", "string"),
    "wait null": (body(wait=None), "wrong_type", "wait", "null"),
    "details a number": (body(details=1), "wrong_type", "details", "number"),
    "unknown member": (body(documentText="a"), "unknown_field", "documentText", "document_text"),
    "unknown member with a long name": (body(**{"ü" * 300: 1}), "unknown_field", ..., ""),
}


def check_shape(answer, code):
    error = answer.json()["error"]
    assert list(error) == ["type", "code", "message", "param", "doc_url", "request_id"]
    assert error["code"] == code
    assert error["doc_url"].endswith(f"#error-{code}")
    assert error["request_id"] == answer.headers["X-Request-Id"]
    assert error["message"] and answer.headers["Content-Type"] == "application/json"
    return error


@pytest.mark.parametrize("name", BAD)
def test_bad_request(service, name):
    sent, code, param, words = BAD[name]
    answer = extract(service, service.key, body=sent)
    assert answer.status_code == 400, answer.text
    error = check_shape(answer, code)
    assert param is ... or error["param"] == param
    assert re.search(words, error["message"]), error["message"]
    assert error["type"] == "invalid_request_error"


def test_bad_requests_are_not_charged(service):
    key = service.account(credits=3)[1]
    for sent, *_ in BAD.values():
        assert extract(service, key, body=sent).status_code == 400
    assert available(service, key) == 3


AUTHORIZATIONS = {
    "missing": None, "empty": "", "scheme alone": "Bearer", "scheme and blank": "Bearer ", "another scheme": "Basic dXNlcjpwYXNz",
    "key alone": "dm_abc", "no prefix": "Bearer abc", "prefix alone": "Bearer dm_", "wrong checksum": "Bearer dm_" + "a" * 38,
    "very long": "Bearer dm_" + "a" * 5000, "not ASCII": "Bearer dm_ü",
}


@pytest.mark.parametrize("name", AUTHORIZATIONS)
@pytest.mark.parametrize("path", ["/api/v1/extract/", "/api/v1/account/"])
def test_unauthenticated(service, path, name):
    sent = AUTHORIZATIONS[name]
    headers = {"Content-Type": "application/json"}
    if sent is not None:
        headers["Authorization"] = sent.encode()
    call = requests.post if "extract" in path else requests.get
    answer = call(service.url + path, json=INVOICE if "extract" in path else None, headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    error = answer.json()["error"]
    check_shape(answer, error["code"])
    assert error["type"] == "authentication_error"
    assert error["code"] == ("api_key_missing" if sent is None else error["code"])


def test_unknown_and_revoked_keys_cannot_be_told_apart(service):
    account_id, key = service.account()
    assert extract(service, key).status_code == 200
    listed = command("key", "list", account_id, data=service.data, store=service.store)
    assert key not in listed
    command("key", "revoke", key, data=service.data, store=service.store)
    deadline = time.monotonic() + 20  # a command beside the service: it notices within seconds
    while (revoked := extract(service, key)).status_code != 401 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert revoked.status_code == 401
    assert revoked.json()["error"]["code"] == "api_key_invalid"


def test_method_not_allowed(service, key):
    for method, path, allowed in [("GET", "/api/v1/extract/", "POST"), ("DELETE", "/api/v1/extract/", "POST"), ("PUT", "/api/v1/account/", "GET"),
                                  ("POST", "/livez", "GET"), ("PATCH", "/api/v1/extract/0196a2c4-7d1e-7a3b-9c55-1f0e2d3c4b5a/", "GET"), ("BREW", "/livez", "GET")]:
        answer = requests.request(method, service.url + path, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 405, (method, path)
        assert allowed in answer.headers["Allow"].split(", ")
        check_shape(answer, "method_not_allowed")


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v2/extract/", "/API/v1/extract/", "/api/v1/extract/a/b", "/api//v1/extract/", "/../etc/passwd",
                                  "/%2e%2e/etc/passwd", "/livez/x"])
def test_not_found(service, path):
    received, _ = talk(service.port, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert statuses(received) == [404]
    assert json.loads(received.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "not_found"


@pytest.mark.parametrize("job_id", ["x", "0196a2c4-7d1e-7a3b-9c55-1f0e2d3c4b5", "0196a2c4-7d1e-7a3b-9c55-1f0e2d3c4b5ag", "' or 1=1 --", "%00", "é"])
def test_no_such_job(service, key, job_id):
    answer = get(service, key, f"/api/v1/extract/{job_id}/")
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["error"]["code"] in ("job_not_found", "not_found", "malformed_request")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json; charset=latin-1", ""])
def test_unsupported_media_type(service, key, media):
    answer = extract(service, key, headers={"Content-Type": media})
    assert answer.status_code == 415
    check_shape(answer, "unsupported_media_type")


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", 'application/json; charset="utf-8"'])
def test_json_media_types(service, key, media):
    assert extract(service, key, headers={"Content-Type": media}).status_code == 200


def test_body_too_large(service, key):
    big = json.dumps({"document_text": "a", "template": {"a": None}}) + " " * (1 << 20)
    answer = extract(service, key, body=big)
    assert answer.status_code == 413
    error = check_shape(answer, "body_too_large")
    assert "1048576" in error["message"]


def test_body_is_refused_before_it_is_sent(service, key):
    """The heads alone are answered: no byte of the body is waited for."""
    for head, code in [(post("dm_wrong", b"", length=False, head=["Content-Length: 1000"]), 401),
                       (post(key, b"", length=False, head=["Content-Length: 99999999"]), 413),
                       (post(key, b"", length=False, head=["Content-Length: 99999999", "Expect: 100-continue"]), 413)]:
        received, _ = talk(service.port, head, timeout=2)
        assert statuses(received) == [code], received


def test_largest_legal_body_is_accepted(service, key):
    text = json.dumps("😀" * 50000)  # \uXXXX pairs: 600 KB
    answer = extract(service, key, body='{"document_text": %s, "template": {"a": null}}' % text)
    assert answer.status_code == 200, answer.text


def test_expect_100_continue(service, key):
    sent = json.dumps(INVOICE).encode()
    received, _ = talk(service.port, post(key, b"", length=False, head=[f"Content-Length: {len(sent)}", "Expect: 100-continue"]), sent, pause=0.3, timeout=2)
    assert statuses(received) == [100, 200], received


@pytest.mark.parametrize("value", ["", "a" * 256, "with space", "tab\there", "ümlaut"], ids=["empty", "256", "space", "tab", "not ASCII"])
def test_bad_idempotency_key(service, key, value):
    answer = extract(service, key, headers={"Idempotency-Key": value.encode()})
    assert answer.status_code == 400, answer.text
    error = check_shape(answer, "invalid_value")
    assert error["param"] == "Idempotency-Key"


def test_head_counts_before_the_body_is_looked_at(service, key):
    """Order: path, method, key, rate, media type, size, JSON."""
    assert extract(service, "dm_wrong", body="{", headers={"Content-Type": "text/plain"}).status_code == 401
    assert extract(service, key, body="{", headers={"Content-Type": "text/plain"}).status_code == 415
    assert extract(service, key, body="{" + " " * (1 << 20)).status_code == 413
    assert extract(service, key, body="{").status_code == 400
