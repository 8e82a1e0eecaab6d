#!/bin/sh
# Runs each fuzz target given as argument for FUZZ_SECONDS (60), on its corpus in tests/fuzz/corpus/NAME.
set -eu
seconds=${FUZZ_SECONDS:-60}
[ "$#" -gt 0 ] || { echo "fuzz: there are no targets in tests/fuzz/"; exit 0; }
for target in "$@"; do
    name=$(basename "$target")
    corpus=tests/fuzz/corpus/$name
    found=build-fuzz/corpus/$name
    mkdir -p "$corpus" "$found" build-fuzz/findings
    echo "== $name, $seconds s"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix=build-fuzz/findings/"$name"- "$found" "$corpus" 2>&1 | tail -n 12
done
