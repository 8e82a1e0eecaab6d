#!/bin/sh
# `make timing`: right, nearly right, unknown and revoked keys, 100,000 tries of each, by the function that judges them and
# over HTTP against a service of its own. Exit status 1 when nearly right keys can be told from unknown ones.
#
#   tools/timing.sh [TRIES]
set -eu
case ${1:-} in -h | --help) sed -n '2,5p' "$0"; exit 0 ;; esac
tries=${1:-100000}
cd "$(dirname "$0")/.."
data=$(mktemp -d)
service=
trap '[ -z "$service" ] || kill "$service"; wait; rm -rf "$data"' EXIT
grep -m 1 'model name' /proc/cpuinfo || true
status=0
build/timing/key_timing --tries "$tries" || status=$?

field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
made=$(build/refractr account create timing --data "$data/store")
account=$(printf '%s' "$made" | field account_id) key=$(printf '%s' "$made" | field api_key)
made=$(build/refractr key create "$account" --data "$data/store")
revoked=$(printf '%s' "$made" | field api_key)
build/refractr key revoke "$(printf '%s' "$made" | field key_id)" --data "$data/store" >/dev/null
build/refractr serve --data "$data/store" --port 0 --stub-engine --poll-limit 1000000 2>"$data/log" &
service=$!
port=
for _ in $(seq 100); do
    port=$(grep -m 1 listening "$data/log" | field port)
    [ -n "$port" ] && break
    sleep 0.1
done
echo
build/timing/key_timing --tries "$tries" --port "$port" --key "$key" --revoked "$revoked" || status=$?
exit "$status"
