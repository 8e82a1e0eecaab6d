#!/usr/bin/env python3
"""Soak: a long run over a mix of calls, with the engine stubbed, then with the model. Memory (resident), open descriptors and
the 99th percentile are printed at every tenth. From the middle on, when SQLite's cache (16 MB) is full, memory must not grow by
more than a tenth, descriptors not by more than the four readers of the database, opened when first needed, may bring, p99 not
by more than half and a few milliseconds. Exit status 1 when one does."""

import argparse
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time

from faults import check_books, unfinished
from service import INVOICE, MODEL, UNLIMITED, Service

# Retention is short, so that the sweep is part of what is measured and the database does not grow for ever.
OPTIONS = [*UNLIMITED, "--retention", "20", "--queue-limit", "10000"]
READERS_DESCRIPTORS = 8


def status(service):
    """Resident kilobytes and open descriptors."""
    folder = pathlib.Path(f"/proc/{service.process.pid}")
    resident = int(re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text()).group(1))
    return resident, len(list((folder / "fd").iterdir()))


def caller(service, key, count, took):
    """`count` requests over connections that are renewed now and then: extractions, one in five async, polls between."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection, job = None, None
    for i in range(count):
        if i % 500 == 0:
            if connection:
                connection.close()
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)
        if i % 5 == 4 and job:
            method, path, body = "GET", f"/api/v1/extract/{job}/", None
        else:
            method, path, body = "POST", "/api/v1/extract/", json.dumps({**INVOICE, "wait": i % 5 != 3})
        began = time.perf_counter()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = json.loads(answer.read())
        took.append(time.perf_counter() - began)
        assert answer.status in (200, 202), said
        job = said.get("job_id", job)
    connection.close()


def soak(service, requests, callers, say=print):
    """Returns rows of (requests so far, resident kB, descriptors, p99 in ms)."""
    key = service.account(credits=requests + 1)[1]
    rows, problems = [], []
    say(f"{'requests':>10} {'RSS kB':>9} {'fds':>5} {'p99 ms':>8} {'a second':>9}")
    for tenth in range(1, 11):
        took, began = [[] for _ in range(callers)], time.monotonic()

        def guarded(i):
            try:
                caller(service, key, requests // 10 // callers, took[i])
            except Exception as problem:
                problems.append(repr(problem))

        threads = [threading.Thread(target=guarded, args=(i,)) for i in range(callers)]
        [t.start() for t in threads], [t.join() for t in threads]
        seconds = time.monotonic() - began
        while unfinished(service.data):
            time.sleep(0.05)
        time.sleep(1)  # closed connections are gone
        times = sorted(t for one in took for t in one)
        rows.append((tenth * requests // 10, *status(service), times[int(len(times) * 0.99)] * 1000))
        say(f"{rows[-1][0]:10} {rows[-1][1]:9} {rows[-1][2]:5} {rows[-1][3]:8.1f} {len(times) / seconds:9.0f}", flush=True)
    assert not problems, problems[:3]
    return rows


def judge(rows):
    """What grew, in words."""
    settled, last, wrong = rows[4], rows[-1], []
    if last[1] > settled[1] * 1.1:
        wrong.append(f"memory grew from {settled[1]} to {last[1]} kB")
    if last[2] > settled[2] + READERS_DESCRIPTORS:
        wrong.append(f"descriptors grew from {settled[2]} to {last[2]}")
    if last[3] > settled[3] * 1.5 + 5:
        wrong.append(f"p99 grew from {settled[3]:.1f} to {last[3]:.1f} ms")
    return wrong


def run(requests, callers, model, say=print):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="refractr-soak-"))
    service = Service(folder / "data", *OPTIONS, *(["--model", str(MODEL)] if model else []), stub=not model).start()
    try:
        wrong = judge(soak(service, requests, callers, say))
        service.stop()
        return wrong + check_books(service.data, whole=True)
    finally:
        with contextlib.suppress(ProcessLookupError):
            service.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=1_000_000, help="with the engine stubbed [1000000]; 0: none")
    arguments.add_argument("--extractions", type=int, default=50_000, help="with the model [50000]; 0: none")
    arguments.add_argument("--callers", type=int, default=16)
    given = arguments.parse_args()
    wrong = []
    for count, model in ((given.requests, False), (given.extractions, True)):
        if count:
            print(f"{count} requests, {'the model' if model else 'engine stubbed'}, {given.callers} callers")
            wrong += run(count, given.callers, model)
    print("; ".join(wrong) or "memory flat, no descriptor left open, p99 stable, books balanced")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
