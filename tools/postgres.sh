#!/bin/sh
# A PostgreSQL server of one's own for tests and benchmarks: in a folder, on a free loopback port, by an unprivileged user,
# beside whatever the system runs. Its log is DIR/log.
#
#   tools/postgres.sh start DIR [SETTING=VALUE...]   makes the cluster when DIR has none, starts it, prints its URL
#   tools/postgres.sh follow DIR URL [SETTING=VALUE...]   makes DIR a standby of the server there, starts it, prints its URL
#   tools/postgres.sh promote DIR                    the standby accepts writes from now on
#   tools/postgres.sh stop DIR [fast|immediate]      (immediate: as if it had crashed)
#   tools/postgres.sh kill DIR                       kill -9 to all its processes: as if its machine had died
#   tools/postgres.sh bin                            prints the folder of the server's programs
set -eu

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || { echo "postgres.sh: PostgreSQL is not installed (make deps-test)" >&2; exit 3; }

# The server refuses to run as root.
unprivileged() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

folder() {
    mkdir -p "$1/data"
    chmod 700 "$1/data"
    [ "$(id -u)" != 0 ] || chown -R postgres "$1"
}

follow() {
    folder "$1"
    (cd "$1" && unprivileged "$bin/pg_basebackup" -D "$1/data" -d "$2" --checkpoint=fast --write-recovery-conf --no-sync \
        >"$1/basebackup.log" 2>&1) || { cat "$1/basebackup.log" >&2; exit 1; }
}

start() {
    dir=$1
    shift
    if [ ! -f "$dir/data/PG_VERSION" ]; then
        folder "$dir"
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
follow) dir=$2 && follow "$dir" "$3" && shift 3 && start "$dir" "$@" ;;
stop) cd "$2" && unprivileged "$bin/pg_ctl" -D "$2/data" -w -t 60 -m "${3:-fast}" stop >/dev/null ;;
kill)
    first=$(head -n 1 "$2/data/postmaster.pid")
    children=$(pgrep -P "$first")
    kill -s KILL "$first"
    kill -s KILL $children 2>/dev/null || : # one may just have ended
    ;;
promote) cd "$2" && unprivileged "$bin/pg_ctl" -D "$2/data" -w -t 60 promote >/dev/null ;;
bin) echo "$bin" ;;
*) sed -n '2,11p' "$0" >&2; exit 2 ;;
esac
