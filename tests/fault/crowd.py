#!/usr/bin/env python3
"""Crowd: many callers at the same instant. A thousand connections want fewer credits than they are: exactly the credits
there are, are spent. A hundred send the same Idempotency-Key: one job, one charge. Keys are regenerated while requests go
on: a caller with a living key is never refused. Prints what was seen; exit status 1 when any of it differs."""

import argparse
import collections
import contextlib
import http.client
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time

from faults import check_books, open_books
from pages import member
from service import INVOICE, UNLIMITED, Service, available, held

OPTIONS = [*UNLIMITED, "--queue-limit", "10000", "--connections", "8000"]


def at_once(service, requests):
    """Each request over a connection of its own, all connected before the first is sent. Returns the answers' (status, JSON)."""
    answers, ready = [None] * len(requests), threading.Barrier(len(requests))

    def call(i, key, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)
        connection.connect()
        ready.wait(120)
        try:
            connection.request("POST", "/api/v1/extract/", body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            answers[i] = answer.status, json.loads(answer.read())
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(i, *request)) for i, request in enumerate(requests)]
    [t.start() for t in threads], [t.join() for t in threads]
    return answers


def ended(service, account):
    """Jobs of the account by state, and what it was charged."""
    with contextlib.closing(open_books(service.data)) as books:
        states = dict(books.execute("SELECT state, count(*) FROM jobs WHERE account_id = ? GROUP BY state", (account,)))
        charged = books.execute("SELECT count(*) FROM ledger WHERE account_id = ? AND kind = 'usage'", (account,)).fetchone()[0]
    return states, charged


def credits(service, callers, amount):
    account, key = service.account(credits=amount)
    body = json.dumps(INVOICE)
    codes = collections.Counter(a[0] for a in at_once(service, [(key, body, {})] * callers))
    states, charged = ended(service, account)
    print(f"credits: {callers} callers, {amount} credits: answers {dict(codes)}, jobs {states}, charged {charged}", flush=True)
    right = codes == {200: amount, 402: callers - amount} and charged == amount and states == {2: amount}
    return right and (available(service, key), held(service, key)) == (0, 0)


def same_key(service, callers, wait):
    account, key = service.account(credits=callers)
    request = (key, json.dumps({**INVOICE, "wait": wait}), {"Idempotency-Key": "the-same-for-all"})
    answers = at_once(service, [request] * callers)
    codes, jobs = collections.Counter(a[0] for a in answers), {a[1].get("job_id") for a in answers if a[0] in (200, 202)}
    time.sleep(0.5)
    states, charged = ended(service, account)
    print(f"one Idempotency-Key: {callers} callers, wait {wait}: answers {dict(codes)}, jobs {states}, charged {charged}", flush=True)
    return set(codes) <= {200, 202, 409} and len(jobs) == 1 and states == {2: 1} and charged == 1


def regenerate(service, seconds, callers):
    """The callers always use the newest key; the overlap covers those already on their way."""
    visitor = member(service, credits=10_000_000)
    current, codes, done = [visitor.post("keys", {"name": "turning"}, 201)], collections.Counter(), threading.Event()

    def call():
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)) as connection:
            while not done.is_set():
                connection.request("POST", "/api/v1/extract/", json.dumps(INVOICE), {"Authorization": f"Bearer {current[-1]['api_key']}", "Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                codes[answer.status] += 1

    threads = [threading.Thread(target=call) for _ in range(callers)]
    [t.start() for t in threads]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        current.append(visitor.post(f"keys/{current[-1]['id']}/regenerate", {"overlap": "1h"}, 201))
    done.set()
    [t.join() for t in threads]
    print(f"regenerate: {len(current) - 1} times while {callers} callers were answered {dict(codes)}", flush=True)
    return set(codes) == {200} and codes[200] > callers and len(current) > 2


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--callers", type=int, default=1000)
    arguments.add_argument("--credits", type=int, default=377)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="refractr-crowd-"))
    service = Service(folder / "data", *OPTIONS).start()
    right = []
    for _ in range(given.rounds):
        right.append(credits(service, given.callers, given.credits))
        right += [same_key(service, 100, wait) for wait in (True, False)]
    right.append(regenerate(service, 10, 16))
    service.stop()
    wrong = check_books(service.data, whole=True)
    print(f"{right.count(True)} of {len(right)} right; books: {wrong or 'balanced'}")
    shutil.rmtree(folder, ignore_errors=True)
    return 0 if all(right) and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
