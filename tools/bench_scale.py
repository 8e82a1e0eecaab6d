#!/usr/bin/env python3
"""`make bench-scale`: several nodes on one PostgreSQL, the engine stubbed out, on this machine. Prints Markdown.

  1. throughput: 1, 2 and 4 nodes, every answer durable (--durability full, fsync on), wrk's clients spread over them;
     then what the store says: every job that was accepted has ended and was charged once
  2. fairness: one account floods 1,000 jobs, another's single job is timed
  3. memory: 2,000 idle keep-alive connections and 500 parked requests on one node

usage: tools/bench_scale.py [--seconds N] [--clients N] [--nodes 1,2,4] [--part throughput|fairness|memory|all]
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from machine import processor  # noqa: E402
from postgres import Postgres  # noqa: E402
from service import INVOICE, UNLIMITED, Service, command, extract, poll  # noqa: E402

CREDITS = 1_000_000_000

WRK = """
local file = io.open(os.getenv("BODY"))
wrk.method, wrk.body = "POST", file:read("a")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("KEY")
function done(summary, latency)
    local e = summary.errors
    io.stderr:write(string.format('{"answers": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}', summary.requests,
        summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        e.status + e.connect + e.read + e.write + e.timeout))
end
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class Bench:
    def __init__(self, folder, *settings):
        self.folder = folder
        self.postgres = Postgres("shared_buffers=256MB", "max_wal_size=4GB", *settings, durable=True)
        self.made = 0

    def nodes(self, count, *options, store=None):
        store = store or self.postgres.place()
        made = []
        for _ in range(count):
            self.made += 1
            made.append(Service(self.folder / f"node{self.made}", *UNLIMITED, "--durability", "full", "--log-level", "info",
                                *options, store=store))
        for node in made:
            node.start()
        return store, made

    def account(self, store, name="bench"):
        made = json.loads(command("account", "create", name, "--credits", str(CREDITS), data=None, store=store))
        return made["account_id"], made["api_key"]


# ---- throughput --------------------------------------------------------------------------------------------------------


def load(bench, nodes, key, clients, seconds):
    body, script = bench.folder / "body.json", bench.folder / "post.lua"
    body.write_text(json.dumps(INVOICE))
    script.write_text(WRK)
    share = max(1, clients // len(nodes))
    running = [
        subprocess.Popen(["wrk", "-t", "1", "-c", str(share), "-d", f"{seconds}s", "--timeout", "30s", "-s", script,
                          node.url + "/api/v1/extract/"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         env={**os.environ, "KEY": key, "BODY": str(body)})
        for node in nodes
    ]
    return [json.loads(r.communicate()[1].strip().splitlines()[-1]) for r in running]


def settled(bench, store, seconds=20):
    """Waits until no job is open; how many still are."""
    end = time.monotonic() + seconds
    while (left := int(bench.postgres.sql("SELECT count(*) FROM open_jobs", store))) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def server_cpu(bench):
    main = (bench.postgres.folder / "data" / "postmaster.pid").read_text().split()[0]
    children = subprocess.run(["pgrep", "-P", main], capture_output=True, text=True).stdout.split()
    return sum(cpu_seconds(p) for p in [main, *children] if pathlib.Path(f"/proc/{p}").exists())


def throughput(bench, counts, clients, seconds):
    print("### Nodes on one PostgreSQL, engine stubbed out, every answer on the disk before it is given\n")
    print("| nodes | clients | jobs/s | p50 ms | p99 ms | errors | claims lost | node CPU µs/job | PostgreSQL CPU µs/job |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for count in counts:
        store, nodes = bench.nodes(count)
        _, key = bench.account(store)
        load(bench, nodes, key, clients, 2)  # warm: plans made, tables grown
        before = int(bench.postgres.sql("SELECT count(*) FROM jobs", store))
        cpu = sum(cpu_seconds(n.process.pid) for n in nodes), server_cpu(bench)
        results = load(bench, nodes, key, clients, seconds)
        cpu = sum(cpu_seconds(n.process.pid) for n in nodes) - cpu[0], server_cpu(bench) - cpu[1]
        lost = settled(bench, store)
        ended = int(bench.postgres.sql("SELECT count(*) FROM jobs WHERE state = 2", store))
        charged = CREDITS - int(bench.postgres.sql("SELECT balance FROM accounts", store))
        entries = int(bench.postgres.sql("SELECT count(*) FROM ledger WHERE kind = 'usage'", store))
        lost += abs(ended - charged) + abs(ended - entries)
        done = ended - before
        print(f"| {count} | {clients} | {sum(r['answers'] / r['seconds'] for r in results):.0f} | "
              f"{max(r['p50'] for r in results):.1f} | {max(r['p99'] for r in results):.1f} | "
              f"{sum(r['errors'] for r in results)} | {lost} | {cpu[0] / done * 1e6:.0f} | {cpu[1] / done * 1e6:.0f} |", flush=True)
        for node in nodes:
            node.stop()


# ---- fairness ------------------------------------------------------------------------------------------------------------


def fairness(bench):
    delay_ms = 100
    print(f"\n### Fairness: 1,000 jobs of one account, {delay_ms} ms each, then one of another account\n")
    print("| nodes | flood accepted | its jobs left when the other's began | the other's job started after ms |\n|---|---|---|---|", flush=True)
    for count in (1, 2):
        store, nodes = bench.nodes(count, "--stub-delay-ms", str(delay_ms), "--queue-limit", "2000", "--threads", "2")
        _, flooder = bench.account(store, "flooder")
        _, other = bench.account(store, "other")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            accepted = [a.status_code for a in pool.map(lambda i: extract(nodes[i % count], flooder, wait=False), range(1000))]
        left = int(bench.postgres.sql("SELECT count(*) FROM open_jobs", store))
        answer = extract(nodes[-1], other, wait=False)
        sent = time.monotonic()
        state = poll(nodes[-1], other, answer.json()["job_id"])
        took = (time.monotonic() - sent) * 1000
        assert state["status"] == "success", state
        print(f"| {count} | {accepted.count(202)} | {left} | {max(0, took - delay_ms):.0f} |", flush=True)
        for node in nodes:
            node.kill()


# ---- memory --------------------------------------------------------------------------------------------------------------


def idle_connection(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    s.recv(4096)
    return s


def parked(port, key):
    body = json.dumps(INVOICE).encode()
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"POST /api/v1/extract/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
              + key.encode() + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
    return s


def memory(bench, idle=2000, waiting=500):
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    store, (node,) = bench.nodes(1, "--stub-delay-ms", "60000", "--deadline-ms", "600000", "--idle-timeout", "600")
    _, key = bench.account(store)
    print(f"\n### {idle:,} idle connections and {waiting} parked requests on one node\n\n| moment | resident MB |\n|---|---|")

    def tell(moment):
        print(f"| {moment} | {resident_mb(node.process.pid):.1f} |", flush=True)

    tell("after the start")
    quiet = [idle_connection(node.port) for _ in range(idle)]
    tell(f"{idle:,} connections open, each used once")
    parking = [parked(node.port, key) for _ in range(waiting)]
    while int(bench.postgres.sql("SELECT count(*) FROM open_jobs", store)) < waiting:
        time.sleep(0.1)
    tell(f"and {waiting} requests parked")
    for n in (1, 2, 3):
        time.sleep(10)
        tell(f"{n * 10} s later")
    quiet[0].sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert quiet[0].recv(4096).startswith(b"HTTP/1.1 200"), "an idle connection was closed"
    for s in quiet + parking:
        s.close()
    node.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=128)
    parser.add_argument("--nodes", default="1,2,4")
    parser.add_argument("--part", choices=["throughput", "fairness", "memory", "all"], default="all")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="refractr-bench-"))
    bench = Bench(folder)
    print(f"{processor()}, PostgreSQL {bench.postgres.sql('SHOW server_version')}, load average before: "
          f"{os.getloadavg()[0]:.1f}; clients, nodes and PostgreSQL share the machine\n", flush=True)
    try:
        if args.part in ("throughput", "all"):
            throughput(bench, [int(n) for n in args.nodes.split(",")], args.clients, args.seconds)
        if args.part in ("fairness", "all"):
            fairness(bench)
        if args.part in ("memory", "all"):
            memory(bench)
    finally:
        bench.postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
