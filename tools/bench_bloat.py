#!/usr/bin/env python3
"""`make bench-bloat`: what a million jobs leave behind in PostgreSQL. One node, the engine stubbed out, jobs kept for half a
minute only, so that as many are deleted as are made. Prints Markdown: sizes and dead rows on the way and at the end.

usage: tools/bench_bloat.py [--jobs N] [--retention SECONDS] [--clients N]
"""

import argparse
import pathlib
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from bench_scale import CREDITS, Bench, load, say, settled  # noqa: E402
from machine import processor  # noqa: E402

TABLES = ["accounts", "open_jobs", "jobs", "usage", "ledger", "idempotency_keys", "permits", "nodes", "commits"]
SETTING = "autovacuum_naptime=10s"

SIZES = """SELECT c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid), s.n_live_tup, s.n_dead_tup,
                  s.vacuum_count + s.autovacuum_count
           FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid WHERE c.relnamespace = current_schema()::regnamespace"""


def mb(count):
    return f"{int(count) / 1e6:.1f}"


def sizes(bench, store):
    rows = [line.split("|") for line in bench.postgres.sql(SIZES, store).splitlines()]
    return {row[0]: row[1:] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--retention", type=int, default=30)
    parser.add_argument("--clients", type=int, default=128)
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="refractr-bench-"))
    bench = Bench(folder, SETTING)
    try:
        store, (node,) = bench.nodes(1, "--retention", str(args.retention))
        _, key = bench.account(store)
        print(f"{processor()}, PostgreSQL {bench.postgres.sql('SHOW server_version')} with {SETTING}; "
              f"{args.jobs:,} jobs, kept {args.retention} s\n")
        print("| jobs so far | kept | open_jobs MB | its dead rows | jobs MB | its dead rows | accounts MB | ledger MB |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        done, began = 0, time.monotonic()
        for part in range(1, 11):
            while done < args.jobs * part // 10:
                load(bench, [node], key, args.clients, 3)
                done = CREDITS - int(bench.postgres.sql("SELECT balance FROM accounts", store))
                say(f"bench-bloat: {done:,} of {args.jobs:,} jobs, {time.monotonic() - began:.0f} s")
            s = sizes(bench, store)
            print(f"| {done:,} | {s['jobs'][2]} | {mb(s['open_jobs'][0])} | {s['open_jobs'][3]} | {mb(s['jobs'][0])} | "
                  f"{s['jobs'][3]} | {mb(s['accounts'][0])} | {mb(s['ledger'][0])} |", flush=True)
        took = time.monotonic() - began
        assert settled(bench, store) == 0, "jobs were left open"
        time.sleep(args.retention + 45)  # the last are deleted, and vacuumed
        print(f"\n{done / took:.0f} jobs/s on the way. When all are deleted and vacuumed:\n")
        print("| table | rows | dead rows | MB | indexes MB | vacuums |\n|---|---|---|---|---|---|")
        for name, (table, indexes, live, dead, vacuums) in sizes(bench, store).items():
            if name in TABLES:
                print(f"| {name} | {live} | {dead} | {mb(table)} | {mb(indexes)} | {vacuums} |")
        node.stop()
    finally:
        bench.postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
