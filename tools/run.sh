#!/bin/sh
# `make run`: from a bare Debian to a running service with an account, a key and a first answer.
#
# PORT (8080) and DATA (./data) are honoured. The development key is kept in DATA/dev-key (readable by its owner alone), so
# that a second run uses the same account. Stays in the foreground; Ctrl-C stops the service cleanly.
set -eu
cd "$(dirname "$0")/.."
port=${PORT:-8080}
data=${DATA:-data}
url=http://127.0.0.1:$port
credits=10000

tools/deps.sh install run
make --no-print-directory all

mkdir -p "$data"
chmod 700 "$data"
if [ ! -s "$data/dev-key" ] || [ ! -s "$data/refractr.db" ]; then
    (umask 077 && build/refractr account create development --credits "$credits" --data "$data" >"$data/dev-account.json")
    (umask 077 && sed -n 's/.*"api_key":"\([^"]*\)".*/\1/p' "$data/dev-account.json" >"$data/dev-key")
fi
key=$(cat "$data/dev-key")
account=$(sed -n 's/.*"account_id":"\([^"]*\)".*/\1/p' "$data/dev-account.json")

log=$data/service.log
# In a session of its own: Ctrl-C goes to this script alone, which asks the service to stop once (twice means at once).
setsid build/refractr serve --data "$data" --port "$port" 2>>"$log" &
service=$!
stop() {
    trap '' INT TERM HUP
    kill -TERM "$service" 2>/dev/null || true
    wait "$service" || true
    echo "Stopped."
    exit 0
}
trap stop INT TERM HUP

waited=0
until curl -fs -o /dev/null "$url/readyz"; do
    if ! kill -0 "$service" 2>/dev/null; then
        echo "The service did not start:" >&2
        tail -n 5 "$log" >&2
        exit 1
    fi
    waited=$((waited + 1))
    [ "$waited" -lt 300 ] || { echo "The service is not ready after 30 s; see $log" >&2; stop; }
    sleep 0.1
done

body='{"document_text": "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00",
      "template": {"invoice_number": null, "date": null, "total_amount": null}}'
cat <<END

Refractr serves $url

A first request:

  curl $url/api/v1/extract/ \\
    -H "Authorization: Bearer $key" -H "Content-Type: application/json" -d '
    $body'

and its answer:

END
curl -sS "$url/api/v1/extract/" -H "Authorization: Bearer $key" -H "Content-Type: application/json" -d "$body" || true
cat <<END


How to go on:
  the line above works from any shell; your key is $key (kept in $data/dev-key)
  dashboard    $url/dashboard/
  docs         $url/docs/
  more credits build/refractr credits grant $account 1000 --data $data
  log          tail -f $log
Ctrl-C stops the service.
END
wait "$service" && code=0 || code=$?
echo "The service ended (exit status $code); see $log" >&2
exit "$code"
