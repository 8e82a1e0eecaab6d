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
    "NUL and a byte before two LF": b"GET /livez HTTP/1.1\r\nHost: a\x00b\n\n",
    "CR in a value": head("X-A: b\rc", "Content-Length: 0"),
    "control character in a value": head("X-A: b\x01c", "Content-Length: 0"),
    "bad character in a name": head("X(A): b", "Content-Length: 0"),
    "no Host": b"POST /api/v1/extract/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "two Hosts": head("Host: other", "Content-Length: 0"),
    "NUL in the target": head("Content-Length: 0", path="/livez%00/x"),
    "two spaces before the target": b"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces before the version": b"GET /livez  HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in the target": b"GET /livez x HTTP/1.1\r\nHost: a\r\n\r\n",
    "Host that is none": b"GET /livez HTTP/1.1\r\nHost: a b/@c\r\n\r\n",
    "nameless header": b"GET /livez HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "TE after a NUL": head("X-A: b\x00Transfer-Encoding: chunked", "Content-Length: 0"),
    "TE with a vertical tab": head("Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "TE chunked twice in a list": head("Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "CL twice, one in another case": head("Content-Length: 0", "CONTENT-LENGTH: 5") + b"12345",
    "CL continued": head("Content-Length:", " 5") + b"12345",
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
    "CL with a blank inside": head("Content-Length: 1 2") + b"1",
    "CL of minus nought": head("Content-Length: -0"),
    "tabs in the request line": b"GET\t/livez\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "blank after the version": b"GET /livez HTTP/1.1 \r\nHost: a\r\n\r\n",
    "version in lower case": b"GET /livez http/1.1\r\nHost: a\r\n\r\n",
    "version of two digits": b"GET /livez HTTP/1.10\r\nHost: a\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "continued request line": b"GET /livez HTTP/1.1\r\n x\r\nHost: a\r\n\r\n",
    "10,000 headers": head(*[f"X-{i}: a" for i in range(10000)], "Content-Length: 0"),
}


@pytest.mark.parametrize("name", PARSER_CASES)
def test_malformed_head_is_refused_and_closed(service, name):
    received, closed = talk(service.port, PARSER_CASES[name] + SECOND)
    assert closed
    assert all(code in (400, 413, 414, 431, 505) for code in statuses(received)), received


SIZE = b"%x" % len(BODY)
BROKEN_CHUNKS = {
    "not hex": b"zz\r\nabc\r\n0\r\n\r\n",
    "negative": b"-1\r\na\r\n0\r\n\r\n",
    "too long": b"5\r\nabcdefgh\r\n0\r\n\r\n",
    "overflow": b"ffffffffffffffffff\r\n",
    "0x": b"0x" + SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "plus": b"+" + SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "blank before the size": b" " + SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "blank after the size": SIZE + b" \r\n" + BODY + b"\r\n0\r\n\r\n",
    "bare CR": SIZE + b"\r" + BODY + b"\r\n0\r\n\r\n",
    "no end of the data": SIZE + b"\r\n" + BODY + b"0\r\n\r\n",
    "empty line first": b"\r\n" + SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "extension of 20 KB": SIZE + b";" + b"a" * 20000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
}

# libmicrohttpd 0.9.75 reads these; others might see the body's end elsewhere. Therefore the connection ends with the answer.
LENIENT_CHUNKS = {
    "well-formed": SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "extension": SIZE + b";a=b\r\n" + BODY + b"\r\n0;c\r\n\r\n",
    "bare LF after an extension": SIZE + b";a\n" + BODY + b"\r\n0\r\n\r\n",
    "bare LF after the size": SIZE + b"\n" + BODY + b"\r\n0\r\n\r\n",
    "bare LF after the data": SIZE + b"\r\n" + BODY + b"\n0\r\n\r\n",
    "bare LF everywhere": SIZE + b"\n" + BODY + b"\n0\n\n",
    "leading noughts": b"00000000" + SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "trailer": SIZE + b"\r\n" + BODY + b"\r\n0\r\nX: y\r\n\r\n",
    "trailer that would be a length": SIZE + b"\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n",
    "continued trailer": SIZE + b"\r\n" + BODY + b"\r\n0\r\nX: y\r\n z\r\n\r\n",
}


def chunked(key, chunks):
    return post(key, b"", length=False, head=["Transfer-Encoding: chunked"]) + chunks


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_malformed_chunk_is_refused_and_closed(service, name):
    received, closed = talk(service.port, chunked(service.key, BROKEN_CHUNKS[name]) + SECOND)
    assert closed
    assert all(code in (400, 413, 500) for code in statuses(received)), received  # 500: libmicrohttpd's, for the long extension
    assert len(statuses(received)) <= 1


@pytest.mark.parametrize("name", LENIENT_CHUNKS)
def test_nothing_after_a_chunked_body_is_read(service, name):
    received, closed = talk(service.port, chunked(service.key, LENIENT_CHUNKS[name]) + SECOND)
    assert statuses(received) == [200] and closed, received
    assert b"\r\nConnection: close\r\n" in received


def test_chunked_body_is_read(service):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (BODY[:7], BODY[7:30], BODY[30:])) + b"0\r\n\r\n"
    received, _ = talk(service.port, post(service.key, b"", length=False, head=["Transfer-Encoding: chunked"]) + chunks, timeout=2)
    assert statuses(received) == [200], received


def test_pipelined_requests_are_answered_in_order(service):
    received, _ = talk(service.port, post(service.key, BODY) + SECOND, timeout=2)
    assert statuses(received) == [200, 200], received
    assert received.index(b'"job_id"') < received.index(b'{"status":"ok"}')
