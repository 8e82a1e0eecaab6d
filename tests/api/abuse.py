"""What the tests of abuse share: honest clients whose waiting is measured, the service's memory, crowds of bad clients."""

import multiprocessing
import os
import socket
import threading
import time

from service import extract

# 1: quick, for `make test`. `make abuse` sets more: crowds of thousands, minutes.
SCALE = int(os.environ.get("ABUSE_SCALE", "1"))
MIB = 1 << 20
FORK = multiprocessing.get_context("fork")


class Honest:
    """Newcomers, one after another, each with a connection and an extraction of its own, until the block ends."""

    def __init__(self, service, key, pause=0.05):
        self.service, self.key, self.pause = service, key, pause
        self.seconds, self.failures = [], []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.wait(self.pause):
            started = time.monotonic()
            try:
                answer = extract(self.service, self.key, timeout=10)
                if answer.status_code != 200:
                    self.failures.append(answer.text)
            except OSError as e:
                self.failures.append(repr(e))
            self.seconds.append(time.monotonic() - started)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def quantile(self, q):
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(q * len(self.seconds)))]

    def __str__(self):
        return (f"{len(self.seconds)} honest requests, {len(self.failures)} failed, median {self.quantile(0.5) * 1e3:.1f} ms, "
                f"p99 {self.quantile(0.99) * 1e3:.1f} ms")


class Memory:
    """The largest resident set of the service while the block runs, in MiB."""

    def __init__(self, service):
        self.status = f"/proc/{service.process.pid}/status"
        self.before = self.peak = self.now()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def now(self):
        with open(self.status) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) >> 10

    def run(self):
        while not self.stopping.wait(0.05):
            self.peak = max(self.peak, self.now())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    @property
    def grown(self):
        return self.peak - self.before

    def __str__(self):
        return f"memory {self.before} MiB before, {self.peak} MiB at most"


class Crowd:
    """`count` connections, each sending `start` and then `piece` every second; one that is closed is dialled anew.
    `reading`: what each takes of what comes, in bytes a second (None: all). A process of its own, so that what it does is
    not taken for waiting of the honest."""

    def __init__(self, service, count, start, piece, reading):
        self.port, self.count, self.start, self.piece, self.reading = service.port, count, start, piece, reading
        self.stopping = FORK.Event()
        self.counts = FORK.Array("l", 3)  # dialled, closed, most at once
        self.process = FORK.Process(target=self.run, daemon=True)

    def dial(self):
        s = socket.socket()
        if self.reading is not None:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            s.settimeout(1)
            s.connect(("127.0.0.1", self.port))
            s.setblocking(False)
            s.send(self.start)
        except OSError:
            s.close()
            return None
        self.counts[0] += 1
        return s

    def beat(self, s):
        """True while the connection lives."""
        try:
            if self.piece:
                s.send(self.piece)
            return self.reading == 0 or s.recv(self.reading or 65536) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def run(self):
        open_ones = []
        while not self.stopping.is_set():
            began = time.monotonic()
            alive = []
            for s in open_ones:
                if self.beat(s):
                    alive.append(s)
                else:
                    s.close()
                    self.counts[1] += 1
            open_ones = alive
            for _ in range(self.count - len(open_ones)):
                if self.stopping.is_set():
                    break
                s = self.dial()
                if s:
                    open_ones.append(s)
            self.counts[2] = max(self.counts[2], len(open_ones))
            self.stopping.wait(max(0.01, began + 1 - time.monotonic()))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.process.join()

    @property
    def dialled(self):
        return self.counts[0]

    @property
    def closed(self):
        return self.counts[1]

    def __str__(self):
        return f"{self.counts[2]} bad connections at once, {self.dialled} dialled, {self.closed} seen cut off"


def allowed(mib):
    """A bound on memory, in MiB, that of a sanitizer counted in: AddressSanitizer keeps what is freed (its quarantine, 256 MiB) and pads what is not,
    ThreadSanitizer keeps notes on every word."""
    from service import sanitizers
    return 2 * mib + 400 if sanitizers() else mib


def told(*figures):
    """Figures for a reader of `make abuse`."""
    print("   ", "; ".join(map(str, figures)))
