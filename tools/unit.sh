#!/bin/sh
# Runs the unit test programs given as arguments (cmocka), prints what fails and one line of counts.
# The counts are also appended to UNIT_COUNTS, if set, as "passed failed".
set -u
passed=0 failed=0
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
