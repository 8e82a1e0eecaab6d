#!/bin/sh
# `make bench`: what the README's table says, measured on this machine, which should be doing nothing else.
#
#   1. the engine alone            (refractr bench)
#   2. the same weights and inputs through onnxruntime int8, in turns (eval/bench_onnx.py, its packages in build/bench-venv)
#   3. the service with the model  (wrk: 1, 16 and 64 clients on loopback, the quick start's invoice)
#   4. the service's own share     (wrk: 1,000 requests a second, engine stubbed out, jobs and holds stored as always)
#
# Each figure of 3 and 4 is the median of BENCH_RUNS (3) runs of BENCH_SECONDS (10). Prints Markdown. BENCH_PORT (8098).
set -eu
cd "$(dirname "$0")/.."
port=${BENCH_PORT:-8098}
runs=${BENCH_RUNS:-3}
seconds=${BENCH_SECONDS:-10}
url=http://127.0.0.1:$port
work=$(mktemp -d)
service=
finish() {
    [ -z "$service" ] || kill "$service" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT INT TERM

tools/deps.sh install bench

start() { # options of serve
    rm -rf "$work/data"
    key=$(build/refractr account create bench --credits 1000000000 --data "$work/data" | sed 's/.*"api_key":"\([^"]*\)".*/\1/')
    build/refractr serve --data "$work/data" --port "$port" --rate-limit 1000000 --log-level warn "$@" 2>"$work/log" &
    service=$!
    for _ in $(seq 300); do
        if curl -fs -o /dev/null "$url/readyz"; then return; fi
        kill -0 "$service" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.1
    done
    echo "bench: the service did not become ready" >&2
    exit 1
}

stop() {
    kill "$service"
    wait "$service"
    service=
}

median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }
column() { awk -v n="$1" '{ print $n }' "$2" | median; }

cat >"$work/body.json" <<'END'
{"document_text": "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00", "template": {"invoice_number": null, "date": null, "total_amount": null}}
END
cat >"$work/post.lua" <<END
local file = io.open("$work/body.json")
wrk.method, wrk.body = "POST", file:read("a")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("KEY")
function done(summary, latency)
    local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
    io.stderr:write(string.format("%.0f %.2f %.2f %d\n", summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, bad))
end
END

# The same at 1,000 requests a second: each goes over whichever of 16 connections is free, at its own place in the timetable,
# AT_ONCE of them at a time, whatever became of those before; its time runs from the moment it is sent.
cat >"$work/paced.lua" <<END
dofile("$work/post.lua")
local ffi = require("ffi")
ffi.cdef("typedef struct { long s, us; } timeval; int gettimeofday(timeval *, void *);")
local time, at_once, sent, start = ffi.new("timeval"), tonumber(os.getenv("AT_ONCE")), 0, nil
function delay() -- in whole milliseconds, as wrk's timers are
    ffi.C.gettimeofday(time, nil)
    local now = tonumber(time.s) * 1000 + math.floor(tonumber(time.us) / 1000)
    start = start or now + 1
    local due = start + math.floor(sent / at_once) * at_once
    sent = sent + 1
    return math.max(due - now, 0)
end
END

with_clients() { # clients
    : >"$work/figures"
    for _ in $(seq "$runs"); do
        KEY=$key wrk -t 1 -c "$1" -d "${seconds}s" -s "$work/post.lua" "$url/api/v1/extract/" >/dev/null 2>>"$work/figures"
    done
    printf '| %s | %s | %s | %s | %s |\n' "$1" "$(column 1 "$work/figures")" "$(column 2 "$work/figures")" \
        "$(column 3 "$work/figures")" "$(awk '{ n += $4 } END { print n }' "$work/figures")"
}

at_rate() { # durability, requests at once
    : >"$work/figures"
    for _ in $(seq "$runs"); do
        AT_ONCE=$2 KEY=$key wrk -t 1 -c 16 -d "${seconds}s" -s "$work/paced.lua" "$url/api/v1/extract/" >/dev/null 2>>"$work/figures"
    done
    printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$(column 1 "$work/figures")" "$(column 2 "$work/figures")" \
        "$(column 3 "$work/figures")" "$(awk '{ n += $4 } END { print n }' "$work/figures")"
}

printf '### Machine\n\n%s, %s cores, %s, %s\n\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
    "$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" "$(build/refractr --version)"
printf 'Load average before the runs: %s\n\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"

printf '### Engine\n\n'
build/refractr bench

printf '\n### Beside onnxruntime\n\n'
[ -x build/bench-venv/bin/python ] || python3 -m venv build/bench-venv
build/bench-venv/bin/python -m pip install --quiet --disable-pip-version-check -r eval/bench_onnx.txt
build/bench-venv/bin/python -W ignore eval/bench_onnx.py 2>/dev/null

printf '\n### Service with the model: the quick start invoice, %s runs of %s s\n\n' "$runs" "$seconds"
printf '| clients | requests/s | p50 ms | p99 ms | errors |\n|---|---|---|---|---|\n'
start
for clients in 1 16 64; do with_clients "$clients"; done
printf '\nPeak resident memory: %s MB\n' "$(awk '/VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$service/status")"
stop

printf '\n### Service alone: engine stubbed out, 1,000 requests a second, job and hold stored\n\n'
printf '| durability | at once | requests/s | p50 ms | p99 ms | errors |\n|---|---|---|---|---|---|\n'
for durability in normal full; do
    start --stub-engine --durability "$durability"
    for at_once in 1 4; do at_rate "$durability" "$at_once"; done
    stop
done
