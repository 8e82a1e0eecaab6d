"""deploy/nginx.conf in a real nginx in front of the real program: TLS, request ids, limits, and both refusing the same heads."""

import shutil
import socket
import ssl
import subprocess
import time

import pytest
import requests
from service import INVOICE, ROOT, free_port
from test_smuggling import CASES
from wire import statuses

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # the certificate is the test's own

MAIN = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
        uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; include {folder}/refractr.conf; }}
"""


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)


class Proxy:
    def __init__(self, folder, upstream):
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
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    received = b""
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=3)) as s:
        s.sendall(data)
        try:
            while piece := s.recv(65536):
                received += piece
        except OSError:
            pass
    return received


# What nginx mends on the way (it writes a new head for the service) is fine; what counts is that no request in such a head
# is understood as two, by either of them.
@pytest.mark.parametrize("name", CASES)
def test_ambiguous_heads_never_become_two_requests(proxy, name):
    marker = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = talk_tls(proxy.port, CASES[name] + marker)
    codes = statuses(received)
    if len(codes) == 2:  # refused but kept alive: the marker was read as the second request, as it was sent
        assert codes[1] == 404, received
    assert 200 not in codes, received
