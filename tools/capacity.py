#!/usr/bin/env python3
"""What one job costs on this machine, stage by stage: processor time of each thread, bytes on the disk. `make capacity`.

Processor time is the kernel's count for the thread (/proc/PID/task/*/schedstat), so a busy machine blurs it far less than wall
time; of three rounds the least counts. A stage that shares its thread with another is told by difference:

    admit    HTTP thread, GET of the account: head, key, rate window, answer
    parse    HTTP thread, an extraction refused for the last word of its template, less admit: body, strict JSON, template
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
from service import INVOICE, MODEL, UNLIMITED, Service  # noqa: E402

SERVE = [*UNLIMITED, "--queue-limit", "1000000"]
ROUNDS = 3
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


class Client:
    """One kept connection that sends the same request again and again; each answer must have `status`."""

    def __init__(self, service, key, method, path, body, status):
        self.port, self.status = service.port, status
        self.request = (method, path, json.dumps(body).encode() if body else None,
                        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})

    def send(self, count):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        for _ in range(count):
            connection.request(*self.request)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != self.status:
                sys.exit(f"capacity: answered {answer.status} instead of {self.status}: {told.decode()[:300]}")
        connection.close()


def wait_until_idle(service):
    """No job is queued or running, and the last settlement is written."""
    busy = True
    while busy:
        time.sleep(0.5)
        lines = requests.get(service.url + "/metrics", timeout=60).text.splitlines()
        told = dict(line.rsplit(" ", 1) for line in lines if line and line[0] != "#")
        busy = any(float(told[f"refractr_{name}"]) for name in ("jobs_queued", "jobs_running", "store_writes_queued"))


def cost(service, key, count, clients, method="POST", path="/api/v1/extract/", body=INVOICE, status=200, until_idle=True):
    """Microseconds of each thread, and bytes written, per request; the least of ROUNDS, as other programs only add to it."""
    client = Client(service, key, method, path, body, status)
    client.send(4)  # what is done once: connections, statements, buffers
    found = []
    for _ in range(ROUNDS):
        if until_idle:
            wait_until_idle(service)
        before, written_before = spent(service)
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(client.send, count // clients) for _ in range(clients)]:
                done.result()
        if until_idle:
            wait_until_idle(service)
        after, written = spent(service)
        sent = count // clients * clients
        per_job = {name: (after[name] - before.get(name, 0)) / 1e3 / sent for name in after}
        found.append(per_job | {"disk": (written - written_before) / sent})
    return {name: min(f.get(name, 0) for f in found) for name in found[0]}


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
    with tempfile.TemporaryDirectory() as folder, Running(folder) as (service, key):
        admit = cost(service, key, count, clients, "GET", "/api/v1/account/", None)[HTTP]
        refused = cost(service, key, count, clients, body=REFUSED, status=400)[HTTP]
        whole = cost(service, key, count, clients)
    with tempfile.TemporaryDirectory() as folder, Running(folder, "--stub-delay-ms", "600000") as (service, key):
        hold = cost(service, key, count, clients, body={**INVOICE, "wait": False}, status=202, until_idle=False)[WRITER]
    rest = sum(us for name, us in whole.items() if name not in (HTTP, WRITER, ENGINE, "disk"))
    return {"admit": admit, "parse": refused - admit, "hold": hold, "settle": whole[WRITER] - hold, "reply": whole[HTTP] - refused,
            "other threads": rest + whole[ENGINE]}, whole["disk"]


def reading(count):
    """Engine microseconds for each document."""
    with tempfile.TemporaryDirectory() as folder, Running(folder, "--model", str(MODEL), stub=False) as (service, key):
        for name, body in DOCUMENTS.items():
            say(f"the engine: {name}")
            jobs = max(2, min(count // 20, 50_000 // len(body["document_text"])))
            yield name, cost(service, key, jobs, 1, body={**body, "wait": False}, status=202)[ENGINE]


def kept(count):
    """Bytes of the database per finished job: in all, and for good (ledger and usage)."""
    say("bytes on the disk")
    with tempfile.TemporaryDirectory() as folder:
        with Running(folder) as (service, key):
            cost(service, key, count, 4)
        with sqlite3.connect(pathlib.Path(folder) / "data" / "refractr.db") as db:
            sizes = dict(db.execute("SELECT CASE WHEN name LIKE '%ledger%' THEN 'good' ELSE 'job' END, sum(pgsize) FROM dbstat "
                                    "WHERE name GLOB '*ledger*' OR name GLOB '*job*' GROUP BY 1"))
            jobs = db.execute("SELECT count(*) FROM jobs").fetchone()[0]
        db.close()
    return sizes["job"] / jobs, sizes["good"] / jobs


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    cores = sum(1 for line in open("/proc/cpuinfo") if line.startswith("processor"))
    memory = int(open("/proc/meminfo").readline().split()[1]) / 1048576
    return f"{model}, {cores} cores, {memory:.0f} GiB; load average before: {' '.join(open('/proc/loadavg').read().split()[:3])}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1500, help="requests of each round of a measurement (default %(default)s)")
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
    for name, us in reading(count):
        print(f"| {name} | {us / 1e3:.1f} |")
    per_job, for_good = kept(count)
    print("\n| disk, bytes per job | |\n|---|---|")
    print(f"| written, one client | {disk_alone:.0f} |\n| written, 32 clients | {disk_many:.0f} |")
    print(f"| kept until --retention has passed | {per_job:.0f} |\n| kept for good (ledger) | {for_good:.0f} |")


if __name__ == "__main__":
    main()
