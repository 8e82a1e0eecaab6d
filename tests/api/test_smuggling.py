"""Request heads that two programs could read in two ways: 400 in the API's error shape, and the connection is closed."""

import json

import pytest
from wire import post, statuses, talk

BODY = b'{"document_text": "a", "template": {"b": null}}'
SECOND = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def head(*lines, method="POST", path="/api/v1/extract/"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


CASES = {
    "TE beside CL": head("Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n",
    "CL beside TE": head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "TE that is not chunked": head("Transfer-Encoding: gzip") + b"0\r\n\r\n",
    "TE chunked after another": head("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "TE identity": head("Transfer-Encoding: identity") + b"0\r\n\r\n",
    "TE with a trailing blank": head("Transfer-Encoding: chunked ") + b"0\r\n\r\n",
    "TE twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "TE in HTTP/1.0": b"POST /api/v1/extract/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two different CL": head("Content-Length: 5", "Content-Length: 6") + b"12345",
    "the same CL twice": head("Content-Length: 5", "Content-Length: 5") + b"12345",
    "white space before the colon": head("Content-Length : 5") + b"12345",
    "tab before the colon": head("Content-Length\t: 5") + b"12345",
    "continued line": head("X-A: b", " c", "Content-Length: 0"),
    "continued line at the end": head("Content-Length: 0", "X-A: b", "\tc"),
    "bare LF in the middle": b"POST /api/v1/extract/ HTTP/1.1\r\nHost: a\nContent-Length: 0\r\n\r\n",
    "bare LF at the end": b"POST /api/v1/extract/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\n\r\n",
    "bare LF as the empty line": b"POST /api/v1/extract/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\n",
    "bare LF after the request line": b"POST /api/v1/extract/ HTTP/1.1\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "NUL in a value": head("X-A: b\x00c", "Content-Length: 0"),
    "CR in a value": head("X-A: b\rc", "Content-Length: 0"),
    "control character in a value": head("X-A: b\x01c", "Content-Length: 0"),
    "bad character in a name": head("X(A): b", "Content-Length: 0"),
    "no Host": b"POST /api/v1/extract/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "two Hosts": head("Host: other", "Content-Length: 0"),
    "NUL in the target": head("Content-Length: 0", path="/livez%00/x"),
}


@pytest.mark.parametrize("name", CASES)
def test_ambiguous_head_is_refused_and_closed(service, name):
    received, closed = talk(service.port, CASES[name] + SECOND)
    assert statuses(received) == [400], received
    assert closed
    answer = json.loads(received.split(b"\r\n\r\n", 1)[1])
    assert answer["error"]["code"] == "malformed_request"
    assert answer["error"]["request_id"].encode() in received.split(b"\r\n\r\n", 1)[0]


# libmicrohttpd answers these itself, before our code sees a request (0.9.75 writes the head of its 400 twice): what counts
# is that nothing is let through and the connection ends.
PARSER_CASES = {
    "negative CL": head("Content-Length: -1") + b"1",
    "CL with a plus": head("Content-Length: +5") + b"12345",
    "CL in hexadecimal": head("Content-Length: 0x5") + b"12345",
    "CL as a list": head("Content-Length: 5, 5") + b"12345",
    "CL empty": head("Content-Length: ") + b"12345",
    "CL beyond 64 bits": head("Content-Length: 99999999999999999999999") + b"12345",
    "header without a colon": head("nonsense", "Content-Length: 0"),
    "HTTP/2.0 in HTTP/1 form": b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /livez\r\n\r\n",
    "head of 64 KiB": head("X-A: " + "a" * 65536, "Content-Length: 0"),
    "target of 64 KiB": head("Content-Length: 0", path="/" + "a" * 65536),
    "10,000 headers": head(*[f"X-{i}: a" for i in range(10000)], "Content-Length: 0"),
}


@pytest.mark.parametrize("name", PARSER_CASES)
def test_malformed_head_is_refused_and_closed(service, name):
    received, closed = talk(service.port, PARSER_CASES[name] + SECOND)
    assert closed
    assert all(code in (400, 413, 414, 431, 505) for code in statuses(received)), received


@pytest.mark.parametrize("chunk", [b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\na\r\n0\r\n\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n",
                                   b"ffffffffffffffffff\r\n"], ids=["not hex", "negative", "too long", "overflow"])
def test_malformed_chunk_is_refused_and_closed(service, chunk):
    received, closed = talk(service.port, post(service.key, b"", length=False, head=["Transfer-Encoding: chunked"]) + chunk + SECOND)
    assert closed
    assert all(code in (400, 413) for code in statuses(received)), received
    assert 200 not in statuses(received)


def test_chunked_body_is_read(service):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (BODY[:7], BODY[7:30], BODY[30:])) + b"0\r\n\r\n"
    received, _ = talk(service.port, post(service.key, b"", length=False, head=["Transfer-Encoding: chunked"]) + chunks, timeout=2)
    assert statuses(received) == [200], received


def test_pipelined_requests_are_answered_in_order(service):
    received, _ = talk(service.port, post(service.key, BODY) + SECOND, timeout=2)
    assert statuses(received) == [200, 200], received
    assert received.index(b'"job_id"') < received.index(b'{"status":"ok"}')
