#!/bin/sh
# A PostgreSQL server of one's own for tests and benchmarks: in a folder, on a free loopback port, by an unprivileged user,
# beside whatever the system runs. Its log is DIR/log.
#
#   tools/postgres.sh start DIR [SETTING=VALUE...]   makes the cluster when DIR has none, starts it, prints its URL
#   tools/postgres.sh stop DIR [fast|immediate]      (immediate: as if it had crashed)
#   tools/postgres.sh signal DIR SIGNAL              to the server's first process (KILL, STOP, CONT)
#   tools/postgres.sh bin                            prints the folder of the server's programs
set -eu

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || { echo "postgres.sh: PostgreSQL is not installed (make deps-test)" >&2; exit 3; }

# The server refuses to run as root.
unprivileged() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

start() {
    dir=$1
    shift
    if [ ! -f "$dir/data/PG_VERSION" ]; then
        mkdir -p "$dir/data"
        [ "$(id -u)" != 0 ] || chown -R postgres "$dir"
        (cd "$dir" && unprivileged "$bin/initdb" -D "$dir/data" -U refractr --auth=trust --encoding=UTF8 --locale=C \
            --no-sync >"$dir/initdb.log" 2>&1) || { cat "$dir/initdb.log" >&2; exit 1; }
    fi
    if [ ! -f "$dir/port" ]; then
        python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$dir/port"
    fi
    port=$(cat "$dir/port")
    options="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$dir -c max_connections=200"
    for setting; do options="$options -c $setting"; done
    (cd "$dir" && unprivileged "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 -o "$options" start >"$dir/pg_ctl.log" 2>&1) ||
        { cat "$dir/pg_ctl.log" "$dir/log" >&2; exit 1; }
    echo "postgresql://refractr@127.0.0.1:$port/postgres"
}

case ${1:-} in
start) shift; start "$@" ;;
stop) cd "$2" && unprivileged "$bin/pg_ctl" -D "$2/data" -w -t 60 -m "${3:-fast}" stop >/dev/null ;;
signal) kill -s "$3" "$(head -n 1 "$2/data/postmaster.pid")" ;;
bin) echo "$bin" ;;
*) sed -n '2,9p' "$0" >&2; exit 2 ;;
esac
