#!/usr/bin/env python3
"""Torture: each call of a kind (allocation, write, sync, SQL statement, ...) that an endpoint makes is made to fail, one at
a time: count, then fail the n-th. Also the service's start and the commands.

Clean is: the right answer, or an error that says so (5xx as documented), or a connection closed before any answer; the
service lives on and answers the same call rightly, every account's books balance, no job is left behind. Prints one line
per endpoint and kind, what was wrong, and totals; exit status 1 when anything was."""

import argparse
import collections
import errno
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from faults import CLASSES, FAIL, FOR_EVER, SQLITE_FULL, SQLITE_IOERR, FaultyService, check_books, environment, wait_for_jobs
from endpoints import Cast, everything_on, open_double
from postgres import Postgres
import service
from service import MODEL, command, extract, held, poll

# kind -> (classes, error, for ever or once)
KINDS = {
    "alloc": ("alloc", 0, 1),
    "write": ("write", errno.EIO, 1),
    "full": ("write", errno.ENOSPC, FOR_EVER),
    "sync": ("sync", errno.EIO, 1),
    "read": ("read", errno.EIO, 1),
    "open": ("open", errno.EMFILE, 1),
    "read-only": ("write sync open", errno.EROFS, FOR_EVER),
    "sql": ("sql", SQLITE_IOERR, 1),
    "sql-full": ("sql", SQLITE_FULL, FOR_EVER),
    "send": ("send", errno.ECONNRESET, 1),
    "send-again": ("send", errno.EAGAIN, 1),
    "receive": ("receive", errno.ECONNRESET, 1),
    "accept": ("accept", errno.EMFILE, 1),
}
FIRST_ACCEPT = "livez readyz account extract"  # accept knows nothing of what is asked: a few cases say it all
CLEAR = {500: {"internal_error"}, 503: {"store_unavailable", "engine_unavailable", "queue_full", "payments_unavailable"}, 504: {"deadline_exceeded"}}
# Not ours to mend: libsodium calls memory that ends within its hash a hash that differs, so the right password is "wrong" once.
DECIDED = {("sign-in", "alloc"): "invalid_credentials", ("password", "alloc"): "invalid_credentials"}
NETWORK = {"send", "send-again", "receive", "accept"}


def classes_of(kind):
    return sum(CLASSES[name] for name in KINDS[kind][0].split())


def judge(answer, good, kind):
    """right, error, closed, or wrong in words."""
    if answer.status is None or (answer.cut and kind in NETWORK):
        return "closed", ""
    if answer.cut:
        return "wrong", f"{answer.status}, cut off"
    if answer.shape() == good:
        return "right", ""
    body = answer.json() if answer.status in CLEAR else None
    if isinstance(body, dict) and body.get("error", {}).get("code") in CLEAR[answer.status]:
        return "error", ""
    return "wrong", f"{answer.status} {sorted(set(good[1]) ^ (set(answer.headers) - {'date', 'content-length'}))} {answer.body[:300]!r}"


class Torture:
    def __init__(self, folder, options, trace=False, stub=True, say=print, store=None):
        self.folder, self.trace, self.say = pathlib.Path(folder), trace, say
        self.double = open_double()
        self.service = FaultyService(self.folder / "data", *everything_on(self.folder, self.double.server_port), *options, stub=stub, store=store)
        self.service.start()
        self.place = store or self.service.data
        self.cast = Cast(self.service, self.double)
        self.points, self.wrong = collections.Counter(), []

    def blame(self, where, what):
        self.wrong.append(f"{where}: {what}")
        self.say(f"  WRONG {where}: {what}")

    def alive(self, where):
        if self.service.process.poll() is None:
            return True
        tail = self.service.log.read_text(errors="replace")[-1500:]
        self.blame(where, f"the service died ({self.service.process.returncode}): {tail}")
        self.service.start()
        return False

    def settle(self, where):
        """Nothing fails any more: within ten seconds no job is left, then the books must balance."""
        left = wait_for_jobs(self.place, 10)
        for line in check_books(self.place, whole=True) or []:
            self.blame(where, line)
        if left:
            self.blame(where, f"{left} jobs left behind")

    def good(self, case):
        case.call(case.prepare())
        deadline = time.monotonic() + 5  # a store that was lost a moment ago is looked for again after a pause
        while (answer := case.call(case.prepare())).status != case.status and time.monotonic() < deadline:
            time.sleep(0.05)
        assert answer.status == case.status, (case.name, answer.status, answer.body[:500])
        return answer.shape()

    def point(self, case, kind, n, good):
        """The n-th call fails. Returns how it went; None: there was no n-th call."""
        made = case.prepare()
        _, error, length = KINDS[kind]
        self.service.control.arm(classes_of(kind), FAIL, n, length, error, trace=self.trace)
        answer = case.call(made)
        _, hit = self.service.control.disarm()
        where = f"{case.name}, {kind} {n}"
        if not self.alive(where):
            return "died"
        how, what = judge(answer, good, kind)
        if how == "wrong" and answer.status == 401 and answer.json()["error"]["code"] == DECIDED.get((case.name, kind)):
            how = "decided"
        if how == "wrong":
            self.blame(where, what)
        if hit and length != 1:
            self.recovers(case, where, good)
        return how if hit else None

    def recovers(self, case, where, good):
        """After a lasting failure is over, the next answer is right (a moment later: the writer may be busy)."""
        deadline = time.monotonic() + 5
        while (answer := case.call(case.prepare())).shape() != good and time.monotonic() < deadline:
            time.sleep(0.05)
        if answer.shape() != good:
            self.blame(where, f"not right again afterwards: {answer.status} {answer.body[:200]!r}")

    def run(self, case, kind, most=None, stride=1):
        good = self.good(case)
        counts, n, missed = collections.Counter(), 1, 0
        while missed < 3 and (most is None or n <= most):
            how = self.point(case, kind, n, good)
            missed = missed + 1 if how is None else 0
            counts[how or "none"] += 1
            n += stride
        del counts["none"]
        self.recovers(case, f"{case.name}, {kind}", good)
        self.settle(f"{case.name}, {kind}")
        self.points.update(counts)
        self.say(f"{case.name:22} {kind:10} {sum(counts.values()):5} points: " + (", ".join(f"{counts[k]} {k}" for k in ("right", "error", "closed", "decided", "wrong", "died") if counts[k]) or "no such call"))

    def stop(self):
        if self.service.process.poll() is None:
            self.service.stop()
        self.double.shutdown()


def torture_start(folder, say, points):
    """The n-th call of each kind fails while the service starts on a folder with a job that must run again: it says why and
    ends, or serves."""
    service = FaultyService(pathlib.Path(folder) / "start", "--stub-delay-ms", "60000")
    service.start()
    account, key = service.account(credits=10)
    job = extract(service, key, wait=False).json()["job_id"]
    service.kill()
    wrong, counts = [], collections.Counter()
    for kind in ("alloc", "write", "sync", "read", "open", "sql"):
        for n in points(kind):
            copy = pathlib.Path(folder) / "start-copy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(service.data, copy)
            one = FaultyService(copy, stub=True)
            one.control.arm(classes_of(kind), FAIL, n, 1, KINDS[kind][1])
            where = f"start, {kind} {n}"
            try:
                one.start()
                started = True
            except AssertionError:
                started = False
            _, hit = one.control.disarm()
            if not hit:
                if started:
                    one.kill()
                break
            if started:
                ended = poll(one, key, job, seconds=10)["status"]  # failed, and not charged: its memory was what was missing
                if ended not in ("success", "failed" if kind == "alloc" else "success") or held(one, key):
                    wrong.append(f"{where}: served, but the job of before is {ended}")
                one.stop()
            else:
                said = one.log.read_text(errors="replace")
                code = one.process.wait(10)
                if code < 0 or ("refractr: " not in said and "libgomp: Out of memory" not in said):
                    wrong.append(f"{where}: exit status {code}, said {said[-300:]!r}")
            one.log.unlink()
            wrong += [f"{where}: {line}" for line in check_books(copy, whole=True)]
            counts[kind, "served" if started else "refused"] += 1
        say(f"{'start':22} {kind:10} {counts[kind, 'served'] + counts[kind, 'refused']:5} points: {counts[kind, 'served']} served, {counts[kind, 'refused']} refused to start")
    return sum(counts.values()), wrong


COMMANDS = (["account", "create", "new", "--credits", "5"], ["credits", "grant", None, "5"], ["credits", "show", None],
            ["key", "create", None, "--name", "new"], ["key", "list"], ["account", "list"])


def torture_commands(folder, say, points):
    """The n-th call fails within a command: it ends 0 having done it, or not 0, saying why, with the books balanced."""
    data = pathlib.Path(folder) / "commands"
    account = json.loads(command("account", "create", "first", "--credits", "5", data=data))["account_id"]
    wrong, total = [], 0
    probe = FaultyService(data)
    for words in COMMANDS:
        words = [account if w is None else w for w in words]
        for kind in ("alloc", "write", "sync", "read", "open", "sql"):
            counts = collections.Counter()
            for n in points(kind):
                probe.control.arm(classes_of(kind), FAIL, n, 1, KINDS[kind][1])
                with environment(probe.control):
                    done = subprocess.run([service.BINARY, *words, "--data", data], capture_output=True, text=True, errors="replace", timeout=60)
                _, hit = probe.control.disarm()
                if not hit:
                    break
                counts["done" if done.returncode == 0 else "refused"] += 1
                said = done.stderr if done.returncode else done.stdout
                if done.returncode < 0 or not said or "\N{REPLACEMENT CHARACTER}" in said:
                    wrong.append(f"{' '.join(words[:2])}, {kind} {n}: {done.returncode} {done.stdout[:100]!r} {done.stderr[-200:]!r}")
            wrong += [f"{words[:2]}, {kind}: {line}" for line in check_books(data)]
            total += sum(counts.values())
            say(f"{' '.join(words[:2]):22} {kind:10} {sum(counts.values()):5} points: {counts['done']} done, {counts['refused']} refused")
    return total, wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, help="kinds of calls that fail")
    arguments.add_argument("--cases", nargs="+", help="endpoints by name; default: all")
    arguments.add_argument("--stride", type=int, default=1, help="every n-th point only")
    arguments.add_argument("--first", type=int, help="of each endpoint and kind, this many points at most")
    arguments.add_argument("--skip", nargs="+", default=[], choices=["requests", "start", "commands"])
    arguments.add_argument("--model", action="store_true", help="the real model instead of the stub engine")
    arguments.add_argument("--postgres", action="store_true", help="the store is PostgreSQL; start and commands are left out")
    arguments.add_argument("--options", nargs="+", default=["--deadline-ms=1500"], help="further options of the service")
    arguments.add_argument("--trace", action="store_true", help="the service writes a backtrace of each failed call to its log")
    arguments.add_argument("--folder", help="works here and keeps it; default: a folder that is removed")
    given = arguments.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    folder = given.folder or tempfile.mkdtemp(prefix="refractr-torture-")
    began, total, wrong, how = time.monotonic(), 0, [], collections.Counter()
    if "requests" not in given.skip:
        model = ["--model", str(MODEL)] if given.model else []
        postgres = Postgres() if given.postgres else None
        torture = Torture(folder, [*given.options, *model], given.trace, stub=not given.model, store=postgres and postgres.place())
        for kind in given.kinds:
            for case in torture.cast.cases.values():
                if (given.cases or (FIRST_ACCEPT.split() if kind == "accept" else None)) and case.name not in (given.cases or FIRST_ACCEPT.split()):
                    continue
                torture.run(case, kind, given.first, given.stride)
        torture.stop()
        if postgres:
            postgres.remove()
        how, total, wrong = torture.points, sum(torture.points.values()), torture.wrong
    every = lambda kind: range(1, 1_000_000, given.stride)  # noqa: E731
    for name, part in (("start", torture_start), ("commands", torture_commands)):
        if name not in given.skip and not given.postgres:
            tried, more = part(folder, print, every)
            total, wrong = total + tried, wrong + more
    print("\n".join(["", *wrong]))
    print(f"{total} points in {time.monotonic() - began:.0f} s; of requests: " + ", ".join(f"{n} {k}" for k, n in how.items()) + f"; {len(wrong)} wrong")
    if not given.folder:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
