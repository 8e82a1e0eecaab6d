#!/usr/bin/env python3
"""Crash: the service is killed (or its power taken) at thousands of points while it takes in, claims, runs and settles jobs,
rotates keys, is paid and refunded, and while it starts again. After each restart, without a person's help:

    no acknowledged job is lost, and each runs to its end       every Idempotency-Key has one job, charged once
    no hold is left, every balance is the sum of its ledger     every payment told is credited once, every refund taken once
    a key that was handed out works, what it replaced does not  PRAGMA integrity_check and foreign_key_check find nothing

With --power all that was written and not yet synced is undone (or, every other time, each such write with an even chance)
before the process ends: `--durability full` must hold all of the above, `normal` the books and the database's checks.

With --nodes the store is PostgreSQL, calls go to all nodes, and one of them is killed again and again. What a dead node had in
hand runs elsewhere when its lease (10 s) is over, so jobs and payments are checked every 20 points only, keys at each.
Prints the points by stage, and what was wrong; exit status 1 when anything was."""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import uuid

from faults import DISK, KILL, OPEN, POWER_LOSS, POWER_LOSS_IN_PART, SEND, SQL, FaultyService, check_books, jobs_of, open_books, wait_for_jobs
from endpoints import event, everything_on, purchase, talk
from pages import member
from postgres import Postgres
from service import INVOICE, Service

# stage -> (calls that count, counted from the first statement that holds this text on, the last point tried)
STAGES = {
    "enqueue": (DISK | SQL, "INSERT INTO jobs", 30),
    "claim": (DISK | SQL, "SET state = 1", 30),
    "extract": (0, "", 0),  # by the clock, with jobs in the engine
    "settle": (DISK | SQL, "SET state = 2", 40),
    "reply": (SEND, "", 30),
    "rotation": (DISK | SQL, "INTO api_keys", 15),
    "purchase": (DISK | SQL, "INTO purchases", 20),
    "refund": (DISK | SQL, "INTO refunds", 20),
    "any write": (DISK, "", 120),
    "start": (DISK | SQL | OPEN, "", 90),
}
POSTGRES_TEXTS = {"enqueue": "INSERT INTO open_jobs", "settle": "DELETE FROM open_jobs"}
FOLDER_ROUNDS = 200  # then a fresh data folder: checks of a large one take their time
CHECK_EVERY = 20     # points, with several nodes
KEY_SECONDS = 1.1    # a node may go by what it knows of a key for a second
CALLERS = 6


class World:
    """One store, what was sent to it, and what it has acknowledged. `service` is killed, `others` (on `store`) live on."""

    def __init__(self, folder, options, store=None, others=0):
        self.service = FaultyService(folder / "data", *options, store=store)
        self.service.start()
        self.others = [Service(folder / f"other{n}", *options, store=store).start() for n in range(others)]
        self.place = store or self.service.data
        self.visitor = member(self.service, credits=1_000_000)
        self.lock = threading.Lock()
        self.jobs, self.waits = {}, {} # idempotency key -> job id acknowledged, or None; whether the request waits
        self.purchases = {}            # the payment's id -> (payment, acknowledged)
        self.refunded = set()
        self.key, self.ended = self.rotate(self.web("POST", "keys", {"name": "turning"}).json()["id"]), []
        self.key_unsure = False

    def port(self):
        return random.choice([self.service, *self.others]).port

    def kill(self):
        for service in (self.service, *self.others):
            service.kill()

    def stop(self):
        for service in (self.service, *self.others):
            service.stop()

    def web(self, method, path, body=None):
        headers = {"Cookie": f"refractr_session={self.visitor.cookie}", "X-CSRF-Token": self.visitor.csrf, "Content-Type": "application/json"}
        return talk(self.port(), method, f"/web/v1/{path}", json.dumps(body) if body is not None else None, headers)

    def rotate(self, key_id):
        answer = self.web("POST", f"keys/{key_id}/regenerate", {"overlap": "none"})
        return answer.json() if answer.status == 201 else None

    # ---- calls under load; each writes down what was acknowledged ----

    def submit(self, wait, key=None):
        key = key or str(uuid.uuid4())
        with self.lock:
            self.jobs.setdefault(key, None)
            wait = self.waits.setdefault(key, wait)
        headers = {"Authorization": f"Bearer {self.visitor.key}", "Content-Type": "application/json", "Idempotency-Key": key}
        answer = talk(self.port(), "POST", "/api/v1/extract/", json.dumps({**INVOICE, "wait": wait}), headers)
        body = answer.json() if answer.status in (200, 202) else None
        if body:
            with self.lock:
                before, self.jobs[key] = self.jobs[key], body["job_id"]
            if before not in (None, body["job_id"]):
                raise AssertionError(f"{key} is job {before} and job {body['job_id']}")
        return answer.status

    def pay(self, bought=None):
        bought = bought or purchase(self.visitor.account_id)
        with self.lock:
            self.purchases.setdefault(bought["id"], [bought, False])
        if talk(self.port(), "POST", "/stripe/webhook", *event("checkout.session.completed", bought)).status == 200:
            self.purchases[bought["id"]][1] = True

    def refund(self, bought=None):
        with self.lock:
            paid = [b for b, known in self.purchases.values() if known and b["payment_intent"] not in self.refunded]
        if bought := bought or (random.choice(paid) if paid else None):
            self.refunded.add(bought["payment_intent"])
            charge = {"id": "ch_1", "payment_intent": bought["payment_intent"], "amount": 100, "amount_refunded": 50}
            return talk(self.port(), "POST", "/stripe/webhook", *event("charge.refunded", charge)).status
        return 0

    def turn_key(self):
        with self.lock:
            if self.key_unsure or not self.key:
                return
            old, self.key_unsure = self.key, True
        new = self.rotate(old["id"])
        with self.lock:
            if new:
                self.ended.append(old["api_key"])
                self.key, self.key_unsure = new, False

    def load(self, stage, seconds):
        """From many threads, until the process is dead or the time is up."""
        end = time.monotonic() + seconds
        mixed = [lambda: self.submit(False), lambda: self.submit(True), self.turn_key, self.pay, self.refund]
        own = {"rotation": [self.turn_key], "purchase": [self.pay], "refund": [self.pay, self.refund], "any write": mixed}
        calls = own.get(stage, mixed[:2])

        def work(i):
            while time.monotonic() < end and self.service.process.poll() is None:
                calls[i % len(calls)]()
                i += 1

        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(work, range(CALLERS)))

    # ---- afterwards ----

    def check(self, promised):
        """`promised`: what was acknowledged must be there. Returns what is wrong."""
        left = wait_for_jobs(self.place, 30)
        wrong = check_books(self.place, whole=True)
        if left:
            wrong.append(f"{left} jobs did not end")
        with contextlib.closing(open_books(self.place)) as books:
            ended = {str(job): state for job, state in books.execute(f"SELECT id, state FROM {jobs_of(self.place)} j")}
            if promised:
                lost = [job for job in self.jobs.values() if job and ended.get(job) != 2]
                wrong += [f"{len(lost)} acknowledged jobs lost or failed, such as {lost[0]}"] if lost else []
                credited = {row[0] for row in books.execute("SELECT session_id FROM purchases")}
                gone = [made for made, (_, known) in self.purchases.items() if known and made not in credited]
                wrong += [f"{len(gone)} acknowledged payments not credited"] if gone else []
        return wrong if promised else wrong + self.forget()

    def check_key(self):
        wrong = []
        if self.others:
            time.sleep(KEY_SECONDS)
        living = [k for k in self.web("GET", "keys").json()["keys"] if k["name"] == "turning" and not k["revoked_at"]]
        if len(living) != 1:
            return [f"{len(living)} keys live where one should"]
        works = lambda key: talk(self.service.port, "GET", "/api/v1/account/", None, {"Authorization": f"Bearer {key}"}).status  # noqa: E731
        if not self.key_unsure and works(self.key["api_key"]) != 200:
            wrong.append("the newest key does not work")
        wrong += [f"a replaced key answers {works(key)}" for key in self.ended if works(key) != 401]
        if self.key_unsure:  # nobody was told the new key, or it was never made: go on from the one that lives
            self.key, self.ended, self.key_unsure = self.rotate(living[0]["id"]), [], False
        return wrong

    def forget(self):
        """After a power loss under durability normal: what was acknowledged may be gone."""
        self.jobs, self.purchases, self.refunded, self.ended = {}, {}, set(), []
        living = [k for k in self.web("GET", "keys").json()["keys"] if not k["revoked_at"]]
        self.key, self.key_unsure = self.rotate(living[0]["id"]), False
        return [] if self.key else ["no key can be made"]

    def repeat(self):
        """Every caller left in doubt asks again: then each key has one job and each payment one purchase. Returns what is wrong."""
        for key in [k for k, job in self.jobs.items() if job is None]:
            deadline = time.monotonic() + 20
            while (status := self.submit(True, key)) not in (200, 202) and time.monotonic() < deadline:
                time.sleep(0.02)
            if status not in (200, 202):
                return [f"a request asked again is answered {status}"]
        for bought, known in list(self.purchases.values()):
            if not known:
                self.pay(bought)
        for bought, _ in list(self.purchases.values()):
            if bought["payment_intent"] in self.refunded:
                self.refund(bought)
        wait_for_jobs(self.place, 20)
        wrong = []
        with contextlib.closing(open_books(self.place)) as books:
            count = lambda sql: books.execute(sql).fetchone()[0] or 0  # noqa: E731
            jobs, paid = count("SELECT count(*) FROM jobs WHERE state = 2"), count("SELECT sum(amount) FROM ledger WHERE kind = 'purchase'")
            back = count("SELECT sum(amount) FROM ledger WHERE kind = 'refund'")
        if jobs != len(self.jobs):
            wrong.append(f"{jobs} jobs were charged for {len(self.jobs)} requests")
        if paid != 10 * len(self.purchases):
            wrong.append(f"{paid} credits for {len(self.purchases)} payments of 10")
        if back != -5 * len(self.refunded):
            wrong.append(f"{back} credits taken for {len(self.refunded)} refunds of 5")
        return wrong


class Crash:
    """`nodes`: how many on one PostgreSQL; 0: one on SQLite."""

    def __init__(self, folder, power="", stages=tuple(STAGES), seconds=0.4, seed=None, nodes=0):
        self.folder, self.power, self.stages, self.seconds = pathlib.Path(folder), power, stages, seconds
        self.nodes, self.postgres = nodes, Postgres() if nodes else None
        self.random = random.Random(seed)
        self.world, self.rounds, self.points, self.wrong = None, 0, collections.Counter(), []

    def options(self):
        return [*everything_on(self.folder / "secrets", 9), "--threads", "1", "--stub-delay-ms", "4", "--durability", self.power or "normal"]

    def fresh(self):
        if self.world:
            self.world.kill()
        shutil.rmtree(self.folder / "world", ignore_errors=True)
        store = self.postgres.place() if self.postgres else None
        self.world = World(self.folder / "world", self.options(), store, others=max(0, self.nodes - 1))

    def round(self):
        if not self.world or self.rounds % FOLDER_ROUNDS == 0:
            self.settle()
            self.fresh()
        stage, service = self.stages[self.rounds % len(self.stages)], self.world.service
        self.rounds += 1
        classes, match, last = STAGES[stage]
        if self.nodes:
            match, classes = POSTGRES_TEXTS.get(stage, match), classes | SQL if classes & DISK else classes
        at = self.random.randint(1, last) if last else 0
        action = self.random.choice((POWER_LOSS, POWER_LOSS_IN_PART)) if self.power else KILL
        if stage == "start":
            service.kill()
        service.control.arm(classes, action, at or 1 << 60, match=match)
        if stage == "start":
            with contextlib.suppress(AssertionError):
                service.start()
        elif stage == "extract":
            seconds = self.random.uniform(0.01, self.seconds)
            self.world.load(stage, seconds)
        else:
            self.world.load(stage, self.seconds)
        if service.process.poll() is None and self.power:  # not reached: the power goes with the next call that writes
            service.control.arm(DISK | SQL, action)
            with contextlib.suppress(Exception):
                self.world.submit(False)
            time.sleep(0.05)
        hit = service.control.hit
        if service.process.poll() is None:
            service.kill()
        service.process.wait()
        service.control.disarm()
        self.points[stage, "reached" if hit else "by the clock"] += 1
        self.restart(stage, at, promised=self.power != "normal")

    def restart(self, stage, at, promised):
        service = self.world.service
        service.log.unlink(missing_ok=True)
        where = f"round {self.rounds}, {stage} {at}"
        try:
            service.start()
            wrong = self.world.check_key() if promised else []
            if not self.nodes or self.rounds % CHECK_EVERY == 0:
                wrong += self.world.check(promised)
                wrong += self.world.repeat() if promised else []
        except (AssertionError, OSError) as problem:
            wrong = [f"not serving again: exit status {service.process.poll()}, {problem}"[:2000]]
        for line in wrong:
            print(f"  WRONG {where}: {line}", flush=True)
            self.wrong.append(f"{where}: {line}")
        if wrong:
            keep = self.folder / f"kept-{self.rounds}"
            with contextlib.suppress(OSError):
                shutil.copytree(service.data, keep)
            self.world.kill()
            self.world = None

    def settle(self):
        """What several nodes were not yet asked about."""
        if self.world and self.nodes:
            self.wrong += self.world.check(True) + self.world.repeat()

    def stop(self):
        self.settle()
        if self.world:
            self.world.stop()
            self.wrong += check_books(self.world.place, whole=True)
        if self.postgres:
            self.postgres.remove()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--points", type=int, default=2000, help="kills [2000]")
    arguments.add_argument("--power", choices=["full", "normal"], default="", help="take the power away, under this durability")
    arguments.add_argument("--nodes", type=int, default=0, help="this many on one PostgreSQL; 0: one on SQLite [0]")
    arguments.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    arguments.add_argument("--seed", type=int, help="of the choice of points")
    arguments.add_argument("--folder", help="works here and keeps it; default: a folder that is removed unless something was wrong")
    given = arguments.parse_args()
    if given.power and given.nodes:
        arguments.error("--power goes with SQLite; PostgreSQL keeps its own disk")
    crash = Crash(given.folder or tempfile.mkdtemp(prefix="refractr-crash-"), given.power, given.stages, seed=given.seed, nodes=given.nodes)
    began = time.monotonic()
    for done in range(1, given.points + 1):
        crash.round()
        if done % 50 == 0:
            print(f"{done} of {given.points} points, {len(crash.wrong)} wrong, {time.monotonic() - began:.0f} s", flush=True)
    crash.stop()
    for stage in given.stages:
        print(f"{stage:12} {crash.points[stage, 'reached']:5} at the call, {crash.points[stage, 'by the clock']:5} by the clock")
    print(f"{given.points} points in {time.monotonic() - began:.0f} s; {len(crash.wrong)} wrong")
    if not given.folder and not crash.wrong:
        shutil.rmtree(crash.folder, ignore_errors=True)
    return 1 if crash.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
