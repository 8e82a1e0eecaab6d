#!/usr/bin/env python3
"""Runs the fuzz targets of tests/fuzz/ and keeps count of it.

    tools/fuzz.py run       NAME...   from the kept corpora alone, FUZZ_SECONDS of CPU time each (60), as many targets at
                                      once as there are cores (FUZZ_JOBS)
    tools/fuzz.py continue  NAME...   from those and everything found so far (build/fuzz/corpus)
    tools/fuzz.py minimise  NAME...   what was found -> the fewest inputs with the same coverage -> tests/fuzz/corpus
    tools/fuzz.py coverage  NAME...   lines of the files under test that the kept corpora run through
    tools/fuzz.py figures             all runs so far, summed, as a table

Kept corpora: tests/fuzz/corpus/NAME. Dictionaries: tests/fuzz/dictionaries/NAME, where there is one. Runs are noted in
tests/fuzz/runs.jsonl, which is kept too, so that a campaign may go on elsewhere. Inputs that broke something lie in
build/fuzz/findings; any of them fails the run. (A target that was stopped for seconds counts as one that hangs: run such an input
again before it is believed; `paused` marks such runs, whose findings do not count.)
"""
import datetime
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

KEPT, FOUND, FRESH = Path("tests/fuzz/corpus"), Path("build/fuzz/corpus"), Path("build/fuzz/fresh")
FINDINGS, RUNS = Path("build/fuzz/findings"), Path("tests/fuzz/runs.jsonl")
INPUT_MAX = {"fuzz_http": 8192, "fuzz_vocabulary": 8192, "fuzz_model_config": 4096, "fuzz_webhook_url": 2100}

# What each target is there to go through.
UNDER_TEST = {
    "fuzz_api_key": ["access/access.c"],
    "fuzz_cookie": [],
    "fuzz_document": ["engine/tokenizer.c", "engine/breaks.c", "engine/grid.c", "engine/text.c", "engine/values.c", "engine/dates.c", "engine/numbers.c"],
    "fuzz_http": ["http/head.c", "http/request.c", "http/route.c", "http/server.c", "api/web.c"],
    "fuzz_model_config": ["engine/model.c", "engine/ask.c"],
    "fuzz_request_body": ["api/json_body.c", "api/extract.c", "engine/template.c"],
    "fuzz_stripe": ["billing/event.c"],
    "fuzz_template": ["engine/template.c"],
    "fuzz_upstream_reply": ["engine/reply.c"],
    "fuzz_vocabulary": ["engine/tokenizer.c"],
    "fuzz_webhook_url": ["webhook/address.c"],
    "fuzz_weights": ["engine/weights.c"],
}


def last(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def fuzz(name, seconds, folders):
    """One libFuzzer run of so many seconds by the clock; its figures as a dictionary."""
    dictionary = Path("tests/fuzz/dictionaries") / name
    before = set(FINDINGS.glob(f"{name}-*"))
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            [f"build-fuzz/fuzz/{name}", f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
             f"-max_len={INPUT_MAX.get(name, 16384)}", f"-artifact_prefix={FINDINGS}/{name}-",
             *([f"-dict={dictionary}"] if dictionary.exists() else []), *map(str, folders)],
            stdout=subprocess.DEVNULL, stderr=told)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        said = told.read().decode(errors="replace")
    if child.returncode:
        print(said[-6000:], file=sys.stderr)
    return {"target": name, "day": datetime.date.today().isoformat(), "cpu_s": round(used.ru_utime + used.ru_stime, 1),
            "executions": last(r"number_of_executed_units: (\d+)", said), "cov": last(r"cov: (\d+)", said),
            "ft": last(r"ft: (\d+)", said), "new": last(r"new_units_added: +(\d+)", said),
            "peak_rss_mb": last(r"peak_rss_mb: +(\d+)", said),
            "findings": len(set(FINDINGS.glob(f"{name}-*")) - before), "exit": child.returncode}


def run_one(name, resume, seconds):
    """Runs a target until it has used its seconds of CPU time, which is longer by the clock where it has not a core of its own."""
    found, fresh = FOUND / name, FRESH / name
    shutil.rmtree(fresh, ignore_errors=True)
    for folder in (found, fresh, KEPT / name):
        folder.mkdir(parents=True, exist_ok=True)
    print(f"{name}: {seconds} s ...", flush=True)
    left, ok = seconds, True
    while ok and left >= 1:
        figures = fuzz(name, math.ceil(left), [found, KEPT / name] if resume else [fresh, KEPT / name])
        left -= max(figures["cpu_s"], 1)
        ok = figures["exit"] == 0
        with RUNS.open("a") as log:
            log.write(json.dumps(figures) + "\n")
        print("{target}: {cpu_s} s of CPU, {executions} executions, cov {cov}, ft {ft}, {new} new inputs, peak {peak_rss_mb} MB, "
              "{findings} findings".format(**figures), flush=True)
    if not resume:
        shutil.copytree(fresh, found, dirs_exist_ok=True)
    return ok


def run(names, resume):
    seconds, jobs = int(os.environ.get("FUZZ_SECONDS", "60")), int(os.environ.get("FUZZ_JOBS", os.cpu_count()))
    FINDINGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda name: run_one(name, resume, seconds), names)).count(False)


def minimise(names):
    for name in names:
        target, kept = KEPT / name, Path("build/fuzz/minimised") / name
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        subprocess.run([f"build-fuzz/fuzz/{name}", "-merge=1", f"-max_len={INPUT_MAX.get(name, 16384)}", kept, target, FOUND / name],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Hand-written inputs keep their names, so that a reader knows what they are for.
        named = {p.read_bytes() for p in target.iterdir() if not re.fullmatch(r"[0-9a-f]{40}", p.name)}
        for p in target.iterdir():
            if re.fullmatch(r"[0-9a-f]{40}", p.name):
                p.unlink()
        for p in kept.iterdir():
            if p.read_bytes() not in named:
                shutil.copy(p, target / p.name)
        files = list(target.iterdir())
        print(f"{name}: {len(files)} inputs, {sum(p.stat().st_size for p in files)} bytes")
    return 0


def coverage(names):
    for name in names:
        program, profile = f"build-cov/replay/{name}", f"build/fuzz/{name}.profraw"
        Path("build/fuzz").mkdir(parents=True, exist_ok=True)
        subprocess.run([program], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LLVM_PROFILE_FILE": profile})
        subprocess.run(["llvm-profdata", "merge", "-o", profile + ".data", profile], check=True)
        shown = json.loads(subprocess.run(["llvm-cov", "export", "-summary-only", f"-instr-profile={profile}.data", program],
                                          check=True, capture_output=True, text=True).stdout)
        lines = {f["filename"]: f["summary"]["lines"] for f in shown["data"][0]["files"]}
        told = [f"{file} {n['covered']}/{n['count']} lines ({100 * n['covered'] / n['count']:.0f} %)"
                for file in UNDER_TEST.get(name, []) for path, n in lines.items() if path.endswith("/src/" + file)]
        print(f"{name}: " + ("; ".join(told) or "(parts of files only)"))
    return 0


def figures():
    sums = {}
    for line in RUNS.read_text().splitlines():
        r = json.loads(line)
        s = sums.setdefault(r["target"], {"cpu_s": 0, "executions": 0, "cov": 0, "ft": 0, "findings": 0})
        for key in ("cpu_s", "executions"):
            s[key] += r[key]
        s["findings"] += 0 if r.get("paused") else r["findings"]
        s["cov"], s["ft"] = max(s["cov"], r["cov"]), max(s["ft"], r["ft"])
    print("| target | CPU minutes | executions | edges (cov) | features (ft) | findings |\n|---|---|---|---|---|---|")
    for name, s in sorted(sums.items()):
        print(f"| `{name}` | {s['cpu_s'] / 60:.1f} | {s['executions']:,} | {s['cov']:,} | {s['ft']:,} | {s['findings']} |")
    return 0


def main(arguments):
    verbs = {"run": lambda names: run(names, False), "continue": lambda names: run(names, True), "minimise": minimise,
             "coverage": coverage, "figures": lambda names: figures()}
    if not arguments or arguments[0] not in verbs:
        print(__doc__)
        return 0 if "--help" in arguments else 2
    return verbs[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
