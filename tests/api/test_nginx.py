"""deploy/nginx.conf in a real nginx in front of the real program: TLS, request ids, limits, and both refusing the same heads."""

import json
import shutil
import socket
import ssl
import subprocess
import time

import pytest
import requests
from service import INVOICE, ROOT, free_port
from test_smuggling import BROKEN_CHUNKS, CASES, LENIENT_CHUNKS, PARSER_CASES, chunked
from wire import statuses

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # the certificate is the test's own

MAIN = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{ log_format seen '$status $upstream_status'; access_log {folder}/access.log seen; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
        uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; include {folder}/refractr.conf; }}
"""


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)


class Proxy:
    def __init__(self, folder, upstream):
        self.folder = folder
        self.port = free_port()
        self.plain = plain = free_port(besides=self.port)
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for old, new in [("127.0.0.1:8080", f"127.0.0.1:{upstream}"), ("listen 80;", f"listen 127.0.0.1:{plain};"),
                         ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.port} ssl http2;"),
                         ("/etc/letsencrypt/live/refractr.example.com/fullchain.pem", str(folder / "cert.pem")),
                         ("/etc/letsencrypt/live/refractr.example.com/privkey.pem", str(folder / "key.pem"))]:
            assert old in text
            text = text.replace(old, new)
        (folder / "refractr.conf").write_text(text)
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        self.process = subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-e", folder / "error.log"], stderr=subprocess.PIPE)
        self.url = f"https://127.0.0.1:{self.port}"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.stderr.read()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


@pytest.fixture(scope="module")
def proxy(service, tmp_path_factory):
    if not shutil.which("nginx") or not shutil.which("openssl"):
        pytest.skip("nginx or openssl is not installed (make deps-test)")
    folder = tmp_path_factory.mktemp("nginx")
    certificate(folder)
    p = Proxy(folder, service.port)
    yield p
    p.stop()


def post(proxy, key, **more):
    return requests.post(proxy.url + "/api/v1/extract/", json=more.pop("json", INVOICE), verify=False, timeout=30,
                         headers={"Authorization": f"Bearer {key}", **more.pop("headers", {})}, **more)


def test_extraction_through_tls(proxy, service):
    answer = post(proxy, service.key, headers={"X-Request-Id": "through-nginx"})
    assert answer.status_code == 200 and answer.json()["status"] == "success"
    assert answer.headers["X-Request-Id"] == "through-nginx"
    assert answer.headers["Strict-Transport-Security"]
    deadline = time.monotonic() + 5
    while "through-nginx" not in service.log.read_text() and time.monotonic() < deadline:  # written after the answer
        time.sleep(0.02)
    assert "through-nginx" in service.log.read_text()


def test_errors_of_the_service_pass_unchanged(proxy, service):
    for key, sent, status, code in [("dm_wrong", INVOICE, 401, "api_key_malformed"), (service.key, {}, 400, "missing_field")]:
        answer = post(proxy, key, json=sent)
        assert answer.status_code == status and answer.json()["error"]["code"] == code
        assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"]


def test_errors_of_nginx_have_the_same_shape(proxy, service):
    answer = requests.post(proxy.url + "/api/v1/extract/", data=b" " * (1 << 21), verify=False, timeout=30,
                           headers={"Authorization": f"Bearer {service.key}", "Content-Type": "application/json"})
    assert answer.status_code == 413
    assert list(answer.json()["error"]) == ["type", "code", "message", "param", "doc_url", "request_id"]
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"]


def test_browsers_are_told_to_stay_with_tls(proxy, service):
    """Every answer carries the header, those that nginx makes itself too."""
    large = requests.post(proxy.url + "/api/v1/extract/", data=b" " * (1 << 21), verify=False, timeout=30)
    malformed = requests.get(proxy.url + "/", headers={"Host": "a b"}, verify=False, timeout=30)
    answers = [requests.get(proxy.url + path, verify=False, timeout=30) for path in ("/", "/web/v1/session", "/web/v1/keys", "/nowhere")]
    assert [a.status_code for a in (large, malformed, *answers)] == [413, 400, 200, 200, 401, 404]
    for answer in (large, malformed, *answers):
        assert answer.headers.get("Strict-Transport-Security") == "max-age=31536000", answer.url


def test_plain_http_is_sent_to_tls(proxy):
    answer = requests.post(f"http://127.0.0.1:{proxy.plain}/api/v1/extract/", allow_redirects=False, timeout=10)
    assert answer.status_code == 308 and answer.headers["Location"].startswith("https://")


def test_unreachable_service_is_503(service, tmp_path):
    if not shutil.which("nginx") or not shutil.which("openssl"):
        pytest.skip("nginx or openssl is not installed (make deps-test)")
    certificate(tmp_path)
    p = Proxy(tmp_path, 1)
    try:
        answer = post(p, service.key)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["error"]["type"] == "service_unavailable"
    finally:
        p.stop()


def talk_tls(port, data):
    """(bytes received, True when the peer closed)"""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    received = b""
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=3)) as s:
        try:
            s.sendall(data)
            while piece := s.recv(65536):
                received += piece
        except TimeoutError:
            return received, False
        except OSError:
            pass
    return received, True


MARKER = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

# What nginx mends: it writes a head of its own, in which nothing is left to doubt, and the service answers that. For each, the
# status of that answer (401: the cases carry no key).
MENDED = {
    "TE with a trailing blank": 401,      # a blank RFC 9112 allows; the service refuses it all the same
    "bare LF in the middle": 401, "bare LF at the end": 401, "bare LF as the empty line": 401, "bare LF after the request line": 401,
    "two spaces before the target": 200, "two spaces before the version": 200,
    "header without a colon": 401,        # sent on as an empty one
    "HTTP/0.9": 200, "blank after the version": 200, "version of two digits": 200,
    "control character in a value": 400, "bad character in a name": 400,  # sent on as they are, and refused there
}


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def served(service):
    """(path, status) of every request the service has answered."""
    told = [json.loads(line) for line in service.log.read_text().splitlines() if '"msg":"request"' in line.replace(": ", ":")]
    return [(line["path"], line["status"]) for line in told]


def seen_by_both(proxy, service, sent):
    """(statuses the client got, closed, statuses nginx got from the service, what the service answered)"""
    before, log = len(served(service)), proxy.folder / "access.log"
    told = len(lines_of(log))
    received, closed = talk_tls(proxy.port, sent)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # both logs are written after the answer
        lines, answered = lines_of(log)[told:], served(service)[before:]
        passed = [int(line.split()[1]) for line in lines if line.split()[1] != "-"]
        if lines and len(lines) >= len(statuses(received)) and len(passed) == len(answered):
            break
        time.sleep(0.02)
    return statuses(received), closed, passed, answered


@pytest.mark.parametrize("name", {**CASES, **PARSER_CASES})
def test_ambiguous_heads_are_refused_or_mended(proxy, service, name):
    codes, closed, passed, answered = seen_by_both(proxy, service, {**CASES, **PARSER_CASES}[name] + MARKER)
    assert closed
    assert passed == [status for _, status in answered], "the service answered what nginx sent on, one for one"
    if name in MENDED:
        assert passed[0] == MENDED[name] and passed[1:] in ([], [404])
    else:
        assert codes in ([400], []), codes  # []: the head was still being sent when nginx had seen enough
        assert all(status == 400 for status in passed) and not any(path == "/smuggled" for path, _ in answered)


@pytest.mark.parametrize("name", {**BROKEN_CHUNKS, **LENIENT_CHUNKS})
def test_chunks_reach_the_service_as_a_length(proxy, service, name):
    chunks = {**BROKEN_CHUNKS, **LENIENT_CHUNKS}[name]
    codes, closed, passed, answered = seen_by_both(proxy, service, chunked(service.key, chunks) + MARKER)
    assert closed and passed == [status for _, status in answered]
    assert codes[0] in (200, 400) and codes[1:] in ([], [404])
    assert name in BROKEN_CHUNKS or codes == [200, 404], "nginx reads the body to its end and then the next request"
