#!/usr/bin/env bash
#
# postgres.sh COMMAND... - runs COMMAND beside a private PostgreSQL server, which ends with it.
#
# The server listens on a free port of the loopback interface. COMMAND finds in its environment:
#   FIRN_TEST_POSTGRES          URI of a database of encoding UTF8 and English collation
#   FIRN_TEST_POSTGRES_RESTART  a command that stops the server at once, as a crash does, and starts it
#   FIRN_TEST_POSTGRES_SMALL    as root: a folder on a file system of 48 MB that the server may use

set -euo pipefail

readonly SMALL_MB=48
SCRATCH=''
PORT=''
USER_OF_SERVER=$(id -un)
declare -a AS_SERVER=()

die() {
    echo "postgres.sh: $*" >&2
    exit 1
}

find_binaries() {
    local folder
    for folder in "${POSTGRES_BIN:-}" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [[ -x $folder/initdb ]]; then
            echo "$folder"
            return
        fi
    done
    folder=$(command -v initdb) || die "there is no PostgreSQL server here: install postgresql," \
        "or set POSTGRES_BIN to the folder with initdb"
    dirname "$folder"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The server refuses to run as root.
choose_user() {
    local name
    ((EUID == 0)) || return 0
    for name in postgres nobody; do
        if id "$name" >/dev/null 2>&1; then
            USER_OF_SERVER=$name
            AS_SERVER=(setpriv "--reuid=$name" "--regid=$(id -g "$name")" --clear-groups --)
            return
        fi
    done
    die "running as root, and there is no user postgres or nobody to run the server as"
}

make_cluster() {
    local -a init=("$BIN/initdb" -D "$SCRATCH/data" -U firn -A trust -E UTF8 -N)
    # A collation that is not by bytes, to see that the catalog does not lean on it.
    "${AS_SERVER[@]}" "${init[@]}" --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US ||
        { "${AS_SERVER[@]}" rm -rf "$SCRATCH/data" && "${AS_SERVER[@]}" "${init[@]}"; }
    {
        echo "host all guarded 127.0.0.1/32 scram-sha-256"
        echo "host all all 127.0.0.1/32 trust"
        echo "local all all trust"
    } >"$SCRATCH/data/pg_hba.conf"
}

start() {
    "${AS_SERVER[@]}" "$BIN/pg_ctl" -D "$SCRATCH/data" -w -t 60 -l "$SCRATCH/log" -o \
        "-p $PORT -k '$SCRATCH' -c listen_addresses=127.0.0.1 -c max_connections=100" start
}

stop() {
    local rc=$?
    if [[ -f $SCRATCH/data/postmaster.pid ]]; then
        "${AS_SERVER[@]}" "$BIN/pg_ctl" -D "$SCRATCH/data" -m immediate stop >/dev/null || true
    fi
    if mountpoint -q "$SCRATCH/small"; then
        umount "$SCRATCH/small" || umount -l "$SCRATCH/small" || true
    fi
    if ((rc != 0)) && [[ -f $SCRATCH/log ]]; then
        echo "the end of the server's log:" >&2
        tail -n 20 "$SCRATCH/log" >&2
    fi
    rm -rf "$SCRATCH"
    return "$rc"
}

write_restart() {
    {
        echo '#!/bin/sh'
        printf 'set -e\ncd /\n'
        printf '%q ' "${AS_SERVER[@]}" "$BIN/pg_ctl" -D "$SCRATCH/data" -m immediate stop
        printf '>/dev/null\nsleep 0.3\n'
        printf '%q ' "${AS_SERVER[@]}" "$BIN/pg_ctl" -D "$SCRATCH/data" -w -t 60 -l "$SCRATCH/log" \
            -o "-p $PORT -k '$SCRATCH' -c listen_addresses=127.0.0.1 -c max_connections=100" start
        printf '>/dev/null\n'
    } >"$SCRATCH/restart"
    chmod 755 "$SCRATCH/restart"
}

make_small() {
    ((EUID == 0)) || return 0
    mkdir "$SCRATCH/small"
    if mount -t tmpfs -o "size=${SMALL_MB}m" firn-small "$SCRATCH/small" 2>/dev/null; then
        chown "$USER_OF_SERVER" "$SCRATCH/small"
        export FIRN_TEST_POSTGRES_SMALL=$SCRATCH/small
    fi
}

(($#)) || die "say what to run"
BIN=$(find_binaries)
choose_user
base=${TMPDIR:-/tmp}
[[ ! -w /dev/shm ]] || base=/dev/shm
SCRATCH=$(mktemp -d "$base/firn-postgres-XXXXXX")
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$SCRATCH"
[[ $USER_OF_SERVER == "$(id -un)" ]] || chown "$USER_OF_SERVER" "$SCRATCH"
PORT=$(free_port)
make_cluster >"$SCRATCH/initdb.log" 2>&1 || {
    cat "$SCRATCH/initdb.log" >&2
    die "initdb failed"
}
start >/dev/null || die "the server did not start: $(tail -n 5 "$SCRATCH/log")"
write_restart
make_small
"${AS_SERVER[@]}" "$BIN/createdb" -h "$SCRATCH" -p "$PORT" -U firn lakes
export FIRN_TEST_POSTGRES=postgresql://firn@127.0.0.1:$PORT/lakes
export FIRN_TEST_POSTGRES_RESTART=$SCRATCH/restart
"$@"
