#!/bin/sh
# Runs the unit test programs given as arguments (cmocka), prints what fails and one line of counts.
# A PostgreSQL server is started for them (REFRACTR_TEST_POSTGRES, or that one if it is set) and stopped at the end.
# The counts are also appended to UNIT_COUNTS, if set, as "passed failed".
set -u
passed=0 failed=0
tools=$(dirname "$0")
if [ -z "${REFRACTR_TEST_POSTGRES:-}" ]; then
    server=$(mktemp -d /tmp/refractr-postgres-XXXXXX)
    chmod 755 "$server"
    trap '"$tools/postgres.sh" stop "$server" immediate; rm -rf "$server"' EXIT
    REFRACTR_TEST_POSTGRES=$("$tools/postgres.sh" start "$server" fsync=off) || exit 1
    export REFRACTR_TEST_POSTGRES
fi
for program in "$@"; do
    output=$("$program" 2>&1)
    code=$?
    ok=$(printf '%s\n' "$output" | grep -c '^\[       OK \]')
    bad=$(printf '%s\n' "$output" | grep -c '^\[  FAILED  \] [a-z]')
    passed=$((passed + ok))
    if [ "$code" -ne 0 ]; then
        [ "$bad" -gt 0 ] || bad=1 # it crashed, or a sanitizer ended it
        failed=$((failed + bad))
        printf '%s\n' "--- $program (exit status $code)" "$output"
    else
        echo "  $(basename "$program"): $ok passed"
    fi
done
echo "unit tests: $passed passed, $failed failed"
[ -z "${UNIT_COUNTS:-}" ] || echo "$passed $failed" >>"$UNIT_COUNTS"
[ "$failed" -eq 0 ]
