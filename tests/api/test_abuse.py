"""Patient and greedy clients in numbers: memory stays bounded, and newcomers are served meanwhile.

The short forms run in `make test`; `make abuse` (ABUSE_SCALE) runs them with thousands and prints the figures."""

import json
import random
import socket
import time

import numpy
import pytest
from abuse import MIB, SCALE, Crowd, Honest, Memory, allowed, told
from service import INVOICE, UNLIMITED, extract
from wire import post, statuses

SECONDS = 3 if SCALE == 1 else 40
CONNECTIONS = 256 if SCALE == 1 else 4096
CROWD = CONNECTIONS * 3 // 2  # more than the service lets in

SLOW = {
    "silent": (b"", b"", None),
    "heads": (b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"a", None),
    "heads of many lines": (b"GET /livez HTTP/1.1\r\nHost: a\r\n", b"X: a\r\n", None),
    "bodies": (b"POST /web/v1/demo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{", b" ", None),
    "chunks": (b"POST /web/v1/demo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", None),
    "readers": (b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 50, b"", 1),
    "answers never read": (b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 50, b"", 0),
}

UNSEEN = {"readers", "answers never read"}  # what was sent before the end has not been read: these do not see it within the test


@pytest.mark.parametrize("kind", SLOW)
def test_slow_clients_in_numbers(make_service, kind):
    service = make_service(*UNLIMITED, "--connections", str(CONNECTIONS), *(["--idle-timeout", "2"] if SCALE == 1 else []))
    key = service.account()[1]
    start, piece, reading = SLOW[kind]
    memory = Memory(service)
    with Crowd(service, CROWD, start, piece, reading) as crowd, memory:
        time.sleep(1)
        with Honest(service, key) as honest:
            time.sleep(SECONDS)
    told(kind, crowd, honest, memory)
    assert crowd.dialled >= CROWD
    assert crowd.closed > 0 or kind in UNSEEN
    assert not honest.failures, honest.failures[:3]
    assert len(honest.seconds) >= SECONDS and honest.quantile(0.99) < 2
    assert memory.grown < allowed(CONNECTIONS * 32 // 1024 + 64)  # 32 KiB a connection: libmicrohttpd's 16, ours, the stacks


def test_large_bodies_share_a_bound(make_service):
    """Bodies of almost 1 MiB that wait for their last byte: 256 MiB of them are kept, the others are told 503; a newcomer's
    small one always has its place."""
    service = make_service(*UNLIMITED)
    key = service.account()[1]
    body = b'{"document_text": "' + b"a" * (MIB - 100) + b'"'
    bad = []
    with Memory(service) as memory, Honest(service, key) as honest:
        for _ in range(320 if SCALE == 1 else 1500):
            s = socket.create_connection(("127.0.0.1", service.port), timeout=10)
            s.sendall(post(key, body + b" ")[:-1])
            bad.append(s)
        time.sleep(1)
        answers = []
        for s in bad:
            s.sendall(b"}")
        for s in bad:
            answers.append(s.recv(65536))
            s.close()
    codes = [code for answer in answers for code in statuses(answer)]
    told(f"{len(bad)} bodies of 1 MiB", {code: codes.count(code) for code in set(codes)}, honest, memory)
    assert len(codes) == len(bad) and set(codes) == {400, 503}
    assert codes.count(400) >= 200, "what is within the bound is read"
    refused = next(answer for answer in answers if statuses(answer) == [503])
    assert json.loads(refused.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "queue_full" and b"\r\nRetry-After: " in refused
    assert not honest.failures, honest.failures[:3]
    assert honest.quantile(0.99) < 3
    assert memory.grown < allowed(256 + 128)
    assert extract(service, key).status_code == 200


def body_of(text, template='{"a": null}'):
    return f'{{"document_text": {text}, "template": {template}}}'.encode()


def nested(depth):
    return '{"a": ' * depth + "null" + "}" * depth


BOMBS = {  # body: the error's code, None where it is fine
    "500,000 open brackets": (b"[" * 500000, "invalid_json"),
    "100,000 open objects": (b'{"a":' * 100000, "invalid_json"),
    "document of 2,000 lists": (body_of("[" * 2000 + "]" * 2000), "wrong_type"),
    "document of 3,000 lists": (body_of("[" * 3000 + "]" * 3000), "invalid_json"),
    "template 9 deep": (body_of('"a"', nested(9)), "template_too_complex"),
    "template 2,000 deep": (body_of('"a"', nested(2000)), "template_too_complex"),
    "template 100,000 deep": (body_of('"a"', nested(100000)), "invalid_json"),
    "lists of lists": (body_of('"a"', '{"a": ' + "[" * 1000 + "]" * 1000 + "}"), "template_invalid"),
    "60,000 members": (json.dumps({f"k{i}": 0 for i in range(60000)}).encode(), "unknown_field"),
    "template of 60,000 fields": (body_of('"a"', json.dumps({f"k{i}": None for i in range(60000)})), "template_too_complex"),
    "number of 900,000 digits": (body_of("9" * 900000), "invalid_json"),
    "number with 900,000 decimals": (body_of("0." + "9" * 900000), "wrong_type"),
    "1e999999999": (body_of("1e999999999"), "invalid_json"),
    "-1e-999999999": (body_of("-1e-999999999"), "wrong_type"),
    "9223372036854775808": (body_of("9223372036854775808"), "invalid_json"),
    "lone high surrogate": (body_of(r'"\ud800"'), "invalid_json"),
    "lone low surrogate": (body_of(r'"\udc00"'), "invalid_json"),
    "surrogates the wrong way round": (body_of(r'"\udc00\ud800"'), "invalid_json"),
    "surrogate in UTF-8": (b'{"document_text": "\xed\xa0\x80", "template": {"a": null}}', "invalid_json"),
    "overlong UTF-8": (b'{"document_text": "\xc0\xaf", "template": {"a": null}}', "invalid_json"),
    "beyond Unicode": (b'{"document_text": "\xf4\x90\x80\x80", "template": {"a": null}}', "invalid_json"),
    "NUL byte": (b'{"document_text": "a\x00", "template": {"a": null}}', "invalid_json"),
    "NUL in a key": (body_of('"a"', r'{"a\u0000b": null}'), "invalid_value"),
    "NUL in the document": (body_of(r'"Total: 5\u0000 EUR"'), None),
    "NUL in the webhook": (b'{"document_text": "a", "template": {"a": null}, "webhook_url": "https://a.example/\\u0000"}', "invalid_value"),
    "NUL in a choice": (body_of('"a"', r'{"a": ["x\u0000y", "z"]}'), "template_invalid"),
    "NUL in a description": (body_of('"a"', r'{"a": {"$type": null, "$description": "x\u0000y"}}'), "template_invalid"),
    "NUL in a type": (body_of('"a"', r'{"a": "number\u0000"}'), "template_invalid"),
    "50,001 characters": (body_of(json.dumps("a" * 50001)), "document_too_long"),
    "50,000 characters of four bytes": (body_of(json.dumps("\U0001f600" * 50000)), None),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(service, name):
    body, code = BOMBS[name]
    started = time.monotonic()
    with Memory(service) as memory:
        answer = extract(service, service.key, body)
    assert time.monotonic() - started < 5
    assert answer.status_code == (400 if code else 200), answer.text
    assert not code or answer.json()["error"]["code"] == code, answer.text
    assert memory.grown < allowed(64), memory


def hash_of(keys, seed):
    """Bob Jenkins's hashlittle (lookup3), by which jansson sorts keys, of many 8-byte keys: array (n, 2) of uint32."""
    a = b = c = numpy.full(len(keys), (0xDEADBEEF + 8 + seed) & 0xFFFFFFFF, numpy.uint32)
    a, b = a + keys[:, 0], b + keys[:, 1]

    def rotate(x, k):
        return (x << numpy.uint32(k)) | (x >> numpy.uint32(32 - k))

    c = (c ^ b) - rotate(b, 14)
    a = (a ^ c) - rotate(c, 11)
    b = (b ^ a) - rotate(a, 25)
    c = (c ^ b) - rotate(b, 16)
    a = (a ^ c) - rotate(c, 4)
    b = (b ^ a) - rotate(a, 14)
    return (c ^ b) - rotate(b, 24)


def colliding_keys(count, bits, seed=1):
    """Keys of eight letters that all fall into the same of 2**bits buckets under that seed."""
    draw, found = numpy.random.default_rng(5), []
    while len(found) < count:
        keys = draw.integers(97, 123, (1 << 21, 8), dtype=numpy.uint8)
        some = keys[(hash_of(keys.view(numpy.uint32), seed) & ((1 << bits) - 1)) == 0]
        found += [bytes(key).decode() for key in some]
    return list(dict.fromkeys(found))[:count]


def test_keys_that_collide_under_a_known_seed_gain_nothing(service):
    """jansson draws the seed of its hash from the system, so nobody can choose keys that all fall into one bucket. Were it
    fixed, 4,000 of these would cost 8 million comparisons."""
    bad = colliding_keys(4000, 12)
    draw = random.Random(5)
    fair = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in bad]

    bodies = [json.dumps({**INVOICE, "template": {k: None for k in keys}}).encode() for keys in (bad, fair)]
    best = [10.0, 10.0]
    for _ in range(15):  # in turn, so that both meet the same quiet moments
        for i, body in enumerate(bodies):
            started = time.monotonic()
            assert extract(service, service.key, body).json()["error"]["code"] == "template_too_complex"
            best[i] = min(best[i], time.monotonic() - started)
    collided, ordinary = best
    told(f"4,000 keys that would collide: {collided * 1e3:.1f} ms, ordinary ones: {ordinary * 1e3:.1f} ms")
    assert collided < 4 * ordinary + 0.01
