#!/bin/sh
# `make test`: everything that is checked by machine, from a bare Debian 12 with git and make. Prints each part as it
# goes and ends with one line "N passed, N failed, N skipped"; exit status 0 when nothing failed.
#
#   lint -> normal and sanitizer builds -> unit tests (ASan, UBSan) -> pytest: the real program over the wire
#        -> the client libraries, in environments of their own
#
# PYTEST_ARGS is passed on to pytest.
set -u
cd "$(dirname "$0")/.."
jobs=${TEST_JOBS:-2}
counts=$(mktemp)
report=$(mktemp)
trap 'rm -f "$counts" "$report"' EXIT

step() { printf '\n== %s\n' "$1"; }
# junit_counts REPORT: one line "passed failed skipped"; a run that left no report is one failure.
junit_counts() {
    python3 - "$1" <<'END'
import sys, xml.etree.ElementTree as tree
try:
    suites = list(tree.parse(sys.argv[1]).getroot().iter("testsuite"))
    total, bad, skipped = (sum(int(s.get(k, 0)) for s in suites) for k in ("tests", "failures", "skipped"))
    bad += sum(int(s.get("errors", 0)) for s in suites)
    print(total - bad - skipped, bad if total else 1, skipped)
except (tree.ParseError, OSError):
    print(0, 1, 0)
END
}
broken() { printf '\n%s\n0 passed, 1 failed\n' "$1"; exit 1; }

step "packages"
make --no-print-directory deps-test deps-browser deps-stripe deps-deploy || broken "The packages the tests need could not be installed."

step "lint"
if make --no-print-directory lint; then echo "1 0" >>"$counts"; else echo "0 1" >>"$counts"; fi

step "build"
make --no-print-directory -j"$jobs" all || broken "The program does not build."
make --no-print-directory -j"$jobs" asan || broken "The program does not build with sanitizers."

step "unit tests, with sanitizers"
UNIT_COUNTS=$counts make --no-print-directory -j"$jobs" unit || true

# Over the wire: the program with sanitizers; a report of theirs ends it and so fails the test at hand. The tests of the
# model's speed and answers use the normal build.
step "over the wire"
REFRACTR_BINARY=${REFRACTR_BINARY:-$PWD/build-asan/refractr} \
ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    build/venv/bin/python -m pytest tests train/tests -q -rs --junit-xml="$report" ${PYTEST_ARGS:-} || true
junit_counts "$report" >>"$counts"

step "client libraries"
: >"$report"
make --no-print-directory test-clients PYTEST_ARGS="--junit-xml=$report" || true
junit_counts "$report" >>"$counts"

printf '\n'
awk '{ passed += $1; failed += $2; skipped += $3 }
     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }' "$counts"
