"""Starts and stops the real program for tests, each time in a data folder and on a port of its own."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = pathlib.Path(os.environ.get("REFRACTR_BINARY", ROOT / "build" / "refractr"))
MODEL = pathlib.Path(os.environ.get("REFRACTR_MODEL", ROOT / "models" / "refractr-mini"))
PORTS = range(int(os.environ.get("REFRACTR_TEST_PORT", "18200")), 18299)
START_SECONDS = 60
UNLIMITED = ["--rate-limit", "1000000", "--poll-limit", "1000000"]  # only the tests of a limit itself meet it

INVOICE = {
    "document_text": "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00",
    "template": {"invoice_number": None, "date": None, "total_amount": None},
}


def free_port(besides=None):
    """A port nobody listens on; the range is searched from a place that differs between processes."""
    offset = os.getpid() * 7 % len(PORTS)
    for i in range(len(PORTS)):
        port = PORTS[(offset + i) % len(PORTS)]
        if port == besides:
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port for the tests")


def command(*args, data, store=None):
    """Runs `refractr ARGS --data DATA` to its end (or with --store); returns its standard output."""
    place = ["--store", store] if store else ["--data", data]
    done = subprocess.run([BINARY, *args, *place], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sanitizers():
    """Those that the program under test was built with."""
    program = pathlib.Path(BINARY).read_bytes()
    return {name for name, mark in (("address", b"__asan_init"), ("thread", b"__tsan_init")) if mark in program}


class Service:
    """`store`: URL of a database, which other services may use too; otherwise the store is SQLite in `data`. `wrapper`: words
    before the program's, of another one that runs it."""

    def __init__(self, data, *options, stub=True, store=None, wrapper=(), binary=None):
        self.data = pathlib.Path(data)
        self.store = store
        self.command = [*wrapper, binary or BINARY]
        self.options = [*options, *(["--stub-engine"] if stub else []), *(["--store", store] if store else [])]
        self.log = self.data.parent / f"{self.data.name}.log"
        self.process = None
        self.port = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """On any free port, which the service tells in its log; returns when it is ready."""
        with self.log.open("ab") as log:
            told = log.tell()
            self.process = subprocess.Popen([*self.command, "serve", "--data", self.data, "--port", "0", *self.options], stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.port = self.told_port(told)
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(requests.ConnectionError):  # it may end just now
                if self.port and requests.get(self.url + "/readyz", timeout=5).ok:
                    return self
            time.sleep(0.02)
        raise AssertionError("the service did not become ready:\n" + self.log.read_text())

    def told_port(self, since):
        for line in self.log.read_bytes()[since:].splitlines():
            if b'"listening"' in line:
                return json.loads(line)["port"]
        return None

    def account(self, credits=1_000_000, name="test"):
        """A fresh account; returns (account_id, api_key)."""
        made = json.loads(command("account", "create", name, "--credits", str(credits), data=self.data, store=self.store))
        return made["account_id"], made["api_key"]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=60):
        return self.process.wait(timeout=seconds)

    def stop(self):
        """SIGTERM; the exit status must be 0. One that ended before must have been killed by the test: a sanitizer's report
        ends it as well, perhaps after the last answer."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGTERM)
            self.wait()
        assert not self.process or self.process.returncode in (0, -signal.SIGKILL), self.log.read_text()[-4000:]

    def kill(self):
        self.process.kill()
        self.process.wait()


def extract(service, key, body=None, *, path="/api/v1/extract/", timeout=60, headers=None, session=requests, **changes):
    """POST of the invoice with changes (or of `body`: bytes, text or JSON value)."""
    sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **(headers or {})}
    if body is None:
        body = {**INVOICE, **changes}
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    return session.post(service.url + path, data=body, headers=sent, timeout=timeout)


def get(service, key, path, session=requests, **more):
    return session.get(service.url + path, headers={"Authorization": f"Bearer {key}", **more}, timeout=60)


def available(service, key):
    """Credits the account can still spend."""
    return get(service, key, "/api/v1/account/").json()["credits"]["available"]


def held(service, key):
    return get(service, key, "/api/v1/account/").json()["credits"]["held"]


def poll(service, key, job_id, seconds=60, session=requests):
    """Polls until the job is done; returns the last answer's JSON."""
    deadline = time.monotonic() + seconds
    while True:
        answer = get(service, key, f"/api/v1/extract/{job_id}/", session)
        assert answer.status_code == 200, answer.text
        if answer.json()["status"] != "pending" or time.monotonic() > deadline:
            return answer.json()
        time.sleep(0.05)
