"""refractr backup and restore: a copy taken under load holds everything that was acknowledged before it, balances, and serves."""

import concurrent.futures
import json
import os
import sqlite3
import stat
import subprocess
import threading
import time

import pytest
import requests
from service import BINARY, UNLIMITED, Service, available, command, extract, held, poll

CREDITS = 100_000


def refused(*args, data):
    """A command that must fail; returns what it says."""
    done = subprocess.run([BINARY, *args, "--data", data], capture_output=True, text=True, timeout=60)
    assert done.returncode not in (0, 2), done.stdout
    assert done.stderr.startswith("refractr: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


class Load:
    """Clients that hand in jobs until it ends; `acknowledged` holds the job ids answered so far."""

    def __init__(self, service, key, threads=8):
        self.service, self.key, self.threads = service, key, threads
        self.acknowledged, self.ending = [], threading.Event()

    def work(self, _):
        with requests.Session() as session:
            while not self.ending.is_set():
                answer = extract(self.service, self.key, wait=False, session=session)
                assert answer.status_code in (202, 503), answer.text
                if answer.status_code == 202:
                    self.acknowledged.append(answer.json()["job_id"])

    def __enter__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(self.threads)
        self.running = [self.pool.submit(self.work, i) for i in range(self.threads)]
        return self

    def __exit__(self, *_):
        self.ending.set()
        [r.result() for r in self.running]


def wait_until_idle(service, key):
    deadline = time.monotonic() + 30
    while held(service, key) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert held(service, key) == 0


def test_backup_under_load(make_service, tmp_path):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "5")
    key = service.account(credits=CREDITS)[1]
    copies = []
    with Load(service, key) as load:
        for i in range(3):
            time.sleep(0.5)
            before = list(load.acknowledged)
            command("backup", tmp_path / f"{i}.db", data=service.data)
            copies.append((tmp_path / f"{i}.db", before))
    assert len(load.acknowledged) > len(before) > 0, "the service went on"
    wait_until_idle(service, key)
    assert available(service, key) == CREDITS - len(load.acknowledged), "and lost nothing by it"
    service.stop()
    for file, before in copies:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        told = json.loads(command("restore", file, data=tmp_path / f"from-{file.stem}"))
        assert told["bytes"] == file.stat().st_size
        restored = Service(tmp_path / f"from-{file.stem}", *UNLIMITED).start()
        try:
            with requests.Session() as session:
                assert {poll(restored, key, j, session=session)["status"] for j in before} == {"success"}
            wait_until_idle(restored, key)
            assert CREDITS - len(load.acknowledged) <= available(restored, key) <= CREDITS - len(before)
            assert extract(restored, key).status_code == 200
        finally:
            restored.stop()
        command("backup", tmp_path / f"again-{file.stem}.db", data=restored.data)  # audits what it copies


@pytest.fixture
def copy(make_service, tmp_path):
    """A backup of a stopped service's folder, with one account."""
    service = make_service(*UNLIMITED)
    service.account(credits=7)
    service.stop()
    command("backup", tmp_path / "copy.db", data=service.data)
    return tmp_path / "copy.db"


def test_a_copy_that_is_not_whole_is_refused(copy, tmp_path):
    whole = copy.read_bytes()
    damaged = bytearray(whole)
    for page in range(4096, 8 * 4096, 4096):
        damaged[page:page + 16] = b"\xff" * 16
    target = tmp_path / "new"
    for name, content in {"cut": whole[: len(whole) // 2], "text": b"not a database" * 100, "empty": b"",
                          "damaged": bytes(damaged)}.items():
        (tmp_path / name).write_bytes(content)
        assert name in refused("restore", tmp_path / name, data=target)
    with sqlite3.connect(copy) as db:
        db.execute("UPDATE accounts SET balance = balance + 1")
    db.close()
    assert "ledger 7" in refused("restore", copy, data=target), "the books must balance"
    assert not (target / "refractr.db").exists() and not list(tmp_path.rglob("*.part"))


def test_nothing_is_replaced(copy, make_service, tmp_path):
    assert "copy.db is there already" in refused("backup", copy, data=make_service().data)
    running = make_service()
    assert "serves the data folder" in refused("restore", copy, data=running.data)
    running.stop()
    assert "move it away" in refused("restore", copy, data=running.data)
    os.rename(running.data / "refractr.db", tmp_path / "old.db")
    (running.data / "refractr.db-wal").write_bytes(b"x")
    assert "refractr.db-wal" in refused("restore", copy, data=running.data), "a log left behind would be applied to the copy"


def test_a_copy_that_cannot_be_written_leaves_nothing(make_service, tmp_path):
    service = make_service()
    assert "cannot make" in refused("backup", tmp_path / "no" / "folder.db", data=service.data)
    assert "no database" in refused("backup", tmp_path / "x.db", data=tmp_path)
    small = f'ulimit -f 8; trap "" XFSZ; exec "{BINARY}" backup "{tmp_path}/x.db" --data "{service.data}"'
    done = subprocess.run(["sh", "-c", small], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "cannot write" in done.stderr, done.stderr
    assert not list(tmp_path.glob("x.db*"))
