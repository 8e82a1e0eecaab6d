"""The test's side of shim.c: a service whose calls can be made to fail, and the books that must balance after it."""

import contextlib
import errno
import mmap
import os
import pathlib
import sqlite3
import struct
import sys
import time

import psycopg

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[1] / "web")]

from service import ROOT, Service  # noqa: E402

SHIM = ROOT / "build" / "fault" / "shim.so"

ALLOC, WRITE, SYNC, READ, OPEN, SEND, RECEIVE, ACCEPT, SQL = (1 << i for i in range(9))
CLASSES = {"alloc": ALLOC, "write": WRITE, "sync": SYNC, "read": READ, "open": OPEN, "send": SEND, "receive": RECEIVE, "accept": ACCEPT, "sql": SQL}
DISK = WRITE | SYNC
COUNT, FAIL, KILL, POWER_LOSS, POWER_LOSS_IN_PART = range(5)
FOR_EVER = 1 << 62
SQLITE_IOERR, SQLITE_FULL = 10, 13

LAYOUT = struct.Struct("<IIqqiIqqq64sI")  # struct control of shim.c
OFFSETS = {"classes": (0, "<I"), "seen": (32, "<q"), "hit": (40, "<q"), "clock_ms": (48, "<q")}


class Control:
    """The page shared with the shim."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.write_bytes(bytes(4096))
        with self.path.open("r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def put(self, name, value):
        at, form = OFFSETS[name]
        struct.pack_into(form, self.page, at, value)

    def get(self, name):
        at, form = OFFSETS[name]
        return struct.unpack_from(form, self.page, at)[0]

    def arm(self, classes, action, at=1, length=1, error=errno.EIO, match="", trace=False):
        clock = self.get("clock_ms")
        self.put("classes", 0)
        LAYOUT.pack_into(self.page, 0, 0, action, at, length, error, trace, 0, 0, clock, match.encode(), 0)
        self.put("classes", classes)

    def disarm(self):
        """Returns how many calls were counted and how many were hit."""
        self.put("classes", 0)
        return self.get("seen"), self.get("hit")

    @property
    def hit(self):
        return self.get("hit")


class FaultyService(Service):
    """A service under the shim; `control` arms it, before its start or while it runs."""

    def __init__(self, data, *options, stub=True, store=None):
        super().__init__(data, *options, stub=stub, store=store)
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.control = Control(self.data.parent / f"{self.data.name}.control")

    def start(self, faulty=True):
        with environment(self.control if faulty else None):
            return super().start()


@contextlib.contextmanager
def environment(control):
    """What a program started within meets the shim."""
    before = dict(os.environ)
    if control:
        os.environ.update(LD_PRELOAD=str(SHIM), REFRACTR_FAULT=str(control.path))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


BALANCE = """SELECT a.id, a.balance, coalesce((SELECT sum(amount) FROM ledger WHERE account_id = a.id), 0) AS ledger, a.held,
 (SELECT count(*) FROM {jobs} j WHERE j.account_id = a.id AND j.state < 2) AS open FROM accounts a"""
CHARGED = """SELECT count(*) FROM (SELECT j.id FROM {jobs} j LEFT JOIN ledger l ON l.job_id = j.id
 WHERE (j.state = 2) <> (l.id IS NOT NULL) OR (j.state = 2) <> (j.credits = 1) OR coalesce(l.amount, -1) <> -1) AS charged"""
DOCUMENTS = "SELECT count(*) FROM jobs j LEFT JOIN documents d ON d.job = j.seq WHERE (j.state < 2) <> (d.job IS NOT NULL)"


# Jobs as one table: PostgreSQL keeps those that have not ended apart.
JOBS_SQLITE = "jobs"
JOBS_POSTGRES = """(SELECT id, account_id, state, 0 AS credits FROM open_jobs
 UNION ALL SELECT id, account_id, state, credits FROM jobs)"""


def is_postgres(place):
    return str(place).startswith("postgresql:")


def jobs_of(place):
    return JOBS_POSTGRES if is_postgres(place) else JOBS_SQLITE


def open_books(place):
    """A connection to the books at `place`, a data folder or the URL of a database; all it reads is of one moment."""
    if is_postgres(place):
        books = psycopg.connect(str(place))
        books.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return books
    books = sqlite3.connect(f"file:{place}/refractr.db?mode=ro", uri=True, timeout=10, isolation_level=None)
    books.execute("BEGIN")
    return books


def check_books(place, whole=False):
    """Every account's balance is the sum of its ledger, its holds are its unfinished jobs, each success is charged once
    and nothing else is; `whole`: SQLite's own check too. Returns what is wrong, in words."""
    wrong, jobs = [], jobs_of(place)
    with contextlib.closing(open_books(place)) as books:
        for account, balance, ledger, held, open_jobs in books.execute(BALANCE.format(jobs=jobs)):
            if (balance, held) != (ledger, open_jobs):
                wrong.append(f"account {account}: balance {balance}, ledger {ledger}, held {held}, unfinished jobs {open_jobs}")
        if n := books.execute(CHARGED.format(jobs=jobs)).fetchone()[0]:
            wrong.append(f"{n} jobs are not charged as they ended")
        if is_postgres(place):
            return wrong
        if n := books.execute(DOCUMENTS).fetchone()[0]:
            wrong.append(f"{n} jobs whose document outlived them, or they it")
        if whole and (said := books.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            wrong.append(f"integrity check: {said}")
        if whole and (rows := books.execute("PRAGMA foreign_key_check").fetchall()):
            wrong.append(f"foreign keys: {rows[:3]}")
    return wrong


def unfinished(place):
    with contextlib.closing(open_books(place)) as books:
        return books.execute(f"SELECT count(*) FROM {jobs_of(place)} j WHERE state < 2").fetchone()[0]


def wait_for_jobs(place, seconds):
    """Until all jobs have ended, or the time is up. How many are left."""
    deadline = time.monotonic() + seconds
    while (left := unfinished(place)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
