#!/usr/bin/env bash
#
# ./run bench core: the demo pipeline, planning, appends, TPC-H beside plain DuckDB, start-up.
#
# $FIRN is the release binary; its build folder holds the measuring programs. Everything is made in a
# folder of its own under ${TMPDIR:-/tmp} and removed at the end. SF=1 and ROUNDS=5 by default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=$(dirname "$FIRN")
work=$(mktemp -d "${TMPDIR:-/tmp}/firn-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
scale_factor=${SF:-1}
rounds=${ROUNDS:-5}
readonly TPCHGEN=tpchgen-cli==4.0.0

title() {
    printf '\n== %s\n' "$1"
}

measure() { # runs, label, command...
    "$build/bench/command_bench" "$@"
}

# TPC-H data comes from tpchgen-cli, a Rust generator published as a Python wheel.
tpch_data() {
    local venv=.deps/bench-venv out=.deps/tpch-sf$scale_factor
    if [[ ! -f $out/lineitem.parquet ]]; then
        [[ -x $venv/bin/tpchgen-cli ]] || {
            python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "$TPCHGEN"
        }
        rm -rf "$out.new"
        "$venv/bin/tpchgen-cli" parquet --scale-factor "$scale_factor" --output-dir "$out.new" >/dev/null
        rm -rf "$out" && mv "$out.new" "$out"
    fi
    printf '%s' "$PWD/$out"
}

title "machine"
printf '%s cores, %s\n' "$(nproc)" "$(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //')"
"$FIRN" version

title "start-up"
measure 21 "firn sql -c 'select 1'" "$FIRN" sql -c 'select 1'
measure 21 "firn version" "$FIRN" version

title "e-commerce pipeline, whole command, warm"
measure 5 "firn demo (5,000 orders)" "$FIRN" demo --lake "$work/demo"
measure 5 "select count(*) on the demo lake" "$FIRN" --lake "$work/demo" sql -c 'select count(*) from bronze.orders'
measure 1 "firn demo --scale 200 (1,000,000 orders)" "$FIRN" demo --lake "$work/demo200" --scale 200

title "planning over many files, one process"
"$build/bench/plan_bench"

title "appends"
"$FIRN" init "$work/appends" >/dev/null
"$build/bench/core_bench" appends "$work/appends" 5

title "TPC-H scale factor $scale_factor"
data=$(tpch_data)
"$FIRN" init "$work/tpch" >/dev/null
"$build/bench/core_bench" tpch "$work/tpch" "$data" bench/tpch "$rounds"
