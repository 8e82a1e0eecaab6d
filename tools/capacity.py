#!/usr/bin/env python3
"""What one job costs on this machine, stage by stage: processor time of each thread, bytes on the disk. `make capacity`.

Processor time is the kernel's count for the thread (/proc/PID/task/*/schedstat), so a busy machine blurs it far less than wall
time; of ten rounds the least counts. A stage that shares its thread with another is told by difference:

    admit    HTTP thread, an extraction whose body is {}: head, key, rate window, body, refusal
    parse    HTTP thread, an extraction refused for the last word of its template, less admit: strict JSON, template
    reply    HTTP thread, an answered extraction, less admit and parse: parking, resuming, building the answer
    hold     store writer, jobs that are accepted and never end
    settle   store writer, jobs that end, less hold
    read     engine threads: tokenize, encode, find the values; for documents of three lengths

Prints Markdown, the machine first. deploy/CAPACITY.md reckons with these figures.
"""

import argparse
import concurrent.futures
import http.client
import json
import pathlib
import sqlite3
import sys
import tempfile
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from machine import processor  # noqa: E402
from service import INVOICE, MODEL, UNLIMITED, Service  # noqa: E402

SERVE = [*UNLIMITED, "--queue-limit", "1000000"]
ROUNDS = 10
HTTP, WRITER, ENGINE = "MHD-single", "store writer", "engine"


def page(characters):
    """A text of that length and a template of ten fields."""
    text = (ROOT / "ARCHITECTURE.md").read_text() + (ROOT / "README.md").read_text()
    fields = ["title", "version", "database", "language", "owner", "date", "license", "port", "contact", "limit"]
    return {"document_text": (text * 3)[:characters], "template": dict.fromkeys(fields)}


DOCUMENTS = {"the quick start's invoice, 3 fields": INVOICE, "a page of 2,500 characters, 10 fields": page(2500),
             "ten pages, 25,000 characters, 10 fields": page(25000)}
REFUSED = {**INVOICE, "template": {**INVOICE["template"], "last": "no such type"}}


def spent(service):
    """Processor nanoseconds by thread name so far, and bytes handed to the disk."""
    found = {}
    process = pathlib.Path(f"/proc/{service.process.pid}")
    for task in (process / "task").iterdir():
        name = (task / "comm").read_text().strip()
        found[name] = found.get(name, 0) + int((task / "schedstat").read_text().split()[0])
    written = next(line for line in (process / "io").read_text().splitlines() if line.startswith("write_bytes"))
    return found, int(written.split()[1])


def wait_until_idle(service):
    """No job is queued or running, and the last settlement is written."""
    busy = True
    while busy:
        time.sleep(0.2)
        lines = requests.get(service.url + "/metrics", timeout=60).text.splitlines()
        told = dict(line.rsplit(" ", 1) for line in lines if line and line[0] != "#")
        busy = any(float(told[f"refractr_{name}"]) for name in ("jobs_queued", "jobs_running", "store_writes_queued"))


class Load:
    """`count` requests over `clients` kept connections, in rounds; each answer must have `status`."""

    def __init__(self, running, count, clients, body=INVOICE, status=200, until_idle=True):
        self.service, key = running
        self.each, self.status, self.until_idle = max(1, count // clients), status, until_idle
        self.request = ("POST", "/api/v1/extract/", json.dumps(body).encode(),
                        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        self.connections = [http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=120) for _ in range(clients)]
        self.found = []

    def send(self, connection):
        for _ in range(self.each):
            connection.request(*self.request)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != self.status:
                sys.exit(f"capacity: answered {answer.status} instead of {self.status}: {told.decode()[:300]}")

    def settled(self):
        if self.until_idle:
            wait_until_idle(self.service)
        return spent(self.service)

    def round(self):
        """Adds one measurement: microseconds of each thread and bytes written, per request."""
        before, written_before = self.settled()
        with concurrent.futures.ThreadPoolExecutor(len(self.connections)) as pool:
            list(pool.map(self.send, self.connections))
        after, written = self.settled()
        sent = self.each * len(self.connections)
        self.found.append({name: (after[name] - before.get(name, 0)) / 1e3 / sent for name in after} |
                          {"disk": (written - written_before) / sent})

    def least(self):
        return {name: min(f[name] for f in self.found) for name in self.found[0]}


def measure(rounds, *loads):
    """The least that each load cost; the rounds go in turns, so that what disturbs one disturbs the others. One more goes before:
    connections, statements and buffers are made once."""
    for number in range(rounds + 1):
        for load in loads:
            load.round()
            if number == 0:
                load.found.clear()
    return [load.least() for load in loads]


class Running:
    def __init__(self, folder, *options, stub=True):
        self.service = Service(pathlib.Path(folder) / "data", *SERVE, *options, stub=stub)

    def __enter__(self):
        self.service.start()
        return self.service, self.service.account(credits=100_000_000)[1]

    def __exit__(self, *_):
        if "--stub-delay-ms" in self.service.options:
            self.service.kill()  # its jobs never end
        else:
            self.service.stop()


def say(text):
    print(f"capacity: {text}", file=sys.stderr, flush=True)


def stages(count, clients):
    """(rows of the table of stages, bytes written per job)."""
    say(f"the service's own stages, {clients} clients")
    with (tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, Running(one) as ending,
          Running(two, "--stub-delay-ms", "600000") as endless):
        admit, refused, whole, held = measure(
            ROUNDS, Load(ending, count, clients, body={}, status=400), Load(ending, count, clients, body=REFUSED, status=400),
            Load(ending, count, clients), Load(endless, count, clients, body={**INVOICE, "wait": False}, status=202, until_idle=False))
    rest = sum(us for name, us in whole.items() if name not in (HTTP, WRITER, "disk"))
    return {"admit": admit[HTTP], "parse": refused[HTTP] - admit[HTTP], "hold": held[WRITER], "settle": whole[WRITER] - held[WRITER],
            "reply": whole[HTTP] - refused[HTTP], "other threads": rest}, whole["disk"]


def reading():
    """Engine microseconds for each document."""
    with tempfile.TemporaryDirectory() as folder, Running(folder, "--model", str(MODEL), stub=False) as running:
        for name, body in DOCUMENTS.items():
            say(f"the engine: {name}")
            jobs = max(1, min(50, 5000 // len(body["document_text"])))
            yield name, measure(3, Load(running, jobs, 1, body={**body, "wait": False}, status=202))[0][ENGINE]


def kept(count):
    """Bytes of the database per finished job: until it is swept, and for good (its entry in the ledger)."""
    say("bytes on the disk")
    with tempfile.TemporaryDirectory() as folder:
        with Running(folder) as running:
            measure(ROUNDS, Load(running, count, 8))
        with sqlite3.connect(pathlib.Path(folder) / "data" / "refractr.db") as db:
            sizes = dict(db.execute("SELECT iif(name GLOB '*ledger*', 'good', 'job'), sum(pgsize) FROM dbstat "
                                    "WHERE name GLOB '*ledger*' OR name GLOB '*job*' GROUP BY 1"))
            jobs = db.execute("SELECT count(*) FROM jobs").fetchone()[0]
        db.close()
    return sizes["job"] / jobs, sizes["good"] / jobs


def machine():
    memory = int(open("/proc/meminfo").readline().split()[1]) / 1048576
    return f"{processor()}, {memory:.0f} GiB; load average before: {' '.join(open('/proc/loadavg').read().split()[:3])}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=320, help="requests of each round of a measurement (default %(default)s)")
    count = parser.parse_args().jobs
    print(f"Machine: {machine()}\n")
    alone, disk_alone = stages(count, 1)
    many, disk_many = stages(count, 32)
    print("| stage, µs of processor time per job | one client | 32 clients |\n|---|---|---|")
    for name in alone:
        print(f"| {name} | {alone[name]:.0f} | {many[name]:.0f} |")
    print(f"| sum | {sum(alone.values()):.0f} | {sum(many.values()):.0f} |")
    print(f"| of the HTTP thread | {alone['admit'] + alone['parse'] + alone['reply']:.0f} | {many['admit'] + many['parse'] + many['reply']:.0f} |")
    print(f"| of the store's writer | {alone['hold'] + alone['settle']:.0f} | {many['hold'] + many['settle']:.0f} |")
    print("\n| read, ms of processor time per job | |\n|---|---|")
    read = []
    for name, us in reading():
        read.append((name, us))
        print(f"| {name} | {us / 1e3:.1f} |")
    per_job, for_good = kept(count)
    print("\n| disk, bytes per job | |\n|---|---|")
    print(f"| written, one client | {disk_alone:.0f} |\n| written, 32 clients | {disk_many:.0f} |")
    print(f"| kept until --retention has passed | {per_job:.0f} |\n| kept for good (ledger) | {for_good:.0f} |")
    print("\n| jobs per second at which it gives way | |\n|---|---|")
    for name, us in read:
        print(f"| the engine, each core: {name} | {1e6 / us:.1f} |")
    print(f"| the store's writer | {1e6 / (many['hold'] + many['settle']):.0f} |")
    print(f"| the HTTP thread | {1e6 / (many['admit'] + many['parse'] + many['reply']):.0f} |")


if __name__ == "__main__":
    main()
