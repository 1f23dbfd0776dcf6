#!/usr/bin/env python3
"""./run bench catalog: firn serve on SQLite and on PostgreSQL beside Nessie and the Iceberg project's reference REST server.

All servers run on this machine, one after the other, with nothing between; the clients are the same program for all
(bench/rest_load.c): real snapshots over plain HTTP. Every figure stands beside its ratio to firn on SQLite: above 1 is better
than firn, below 1 is worse, whichever way the unit points. APPENDS, SNAPSHOTS and READS scale the work.
"""
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests"))
import servers  # noqa: E402

BUILD = os.path.dirname(servers.firn_binary())
APPENDS = int(os.environ.get("APPENDS", "100"))
SNAPSHOTS = int(os.environ.get("SNAPSHOTS", "1000"))
READS = int(os.environ.get("READS", "500"))

# (key, label, unit, more is better)
ROWS = [
    ("ready_s", "start to first answer", "s", False),
    ("idle_mb", "memory when idle after start", "MB", False),
    ("one_writer", "1 writer, 1 table", "commits/s", True),
    ("one_writer_p50", "    latency p50", "ms", False),
    ("one_writer_p99", "    latency p99", "ms", False),
    ("many_tables", "32 writers, 32 tables", "commits/s", True),
    ("many_tables_p50", "    latency p50", "ms", False),
    ("many_tables_p99", "    latency p99", "ms", False),
    ("contended_success", "32 writers, 1 table, no retries: succeed", "%", True),
    ("contended", "    successful commits", "commits/s", True),
    ("retried_success", "32 writers, 1 table, 4 retries: succeed", "%", True),
    ("retried", "    successful commits", "commits/s", True),
    ("small_p50", "loadTable, few snapshots: p50", "ms", False),
    ("small_p99", "    p99", "ms", False),
    ("small_rate", "    8 clients", "loads/s", True),
    ("large_p50", f"loadTable, {SNAPSHOTS:,} snapshots: p50", "ms", False),
    ("large_p99", "    p99", "ms", False),
    ("large_rate", "    8 clients", "loads/s", True),
    ("large_kb", "    size of the answer", "kB", None),
    ("busy_mb", "memory after all this", "MB", False),
]


class Load:
    def __init__(self, server):
        self.server = server

    def __call__(self, command, namespace, strict=True, **options):
        args = [os.path.join(BUILD, "bench", "rest_load"), command, "--uri", self.server.uri, "--namespace", namespace]
        if self.server.warehouse and isinstance(self.server, servers.NessieServer):
            args += ["--warehouse", self.server.warehouse, "--alias", self.server.alias]
        for key, value in options.items():
            args += [f"--{key}", str(value)]
        done = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise servers.ServerError(f"{self.server.name}: {' '.join(args)}\n{done.stderr}\n{self.server.log_end()}")
        result = json.loads(done.stdout)
        if strict and (result.get("unknown") or result.get("failed")):
            raise servers.ServerError(f"{self.server.name}: {' '.join(args)}\n{done.stdout}\n{self.server.log_end()}")
        return result


def request(server, method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(server.uri + "/v1" + path, data=data, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=120) as reply:
        text = reply.read()
        return json.loads(text) if text else None


def make_large(server, load):
    """large.t0 with SNAPSHOTS snapshots: a table's metadata with as many as that is written where its files are, and registered.
    (So many commits would take a server that needs 100 ms for each some minutes.)"""
    load("create", "large", snapshots=2)
    config = request(server, "GET", f"/config?warehouse={server.warehouse}" if isinstance(server, servers.NessieServer) else "/config")
    prefix = config.get("overrides", {}).get("prefix") or config.get("defaults", {}).get("prefix")
    prefix = f"/{prefix}" if prefix else ""
    metadata = request(server, "GET", f"{prefix}/namespaces/large/tables/t0")["metadata"]
    last = metadata["snapshots"][-1]
    metadata["snapshots"] = [{**last, "snapshot-id": 1000 + n, "parent-snapshot-id": 999 + n, "sequence-number": n + 1, "timestamp-ms": last["timestamp-ms"] + n} for n in range(SNAPSHOTS)]
    metadata["snapshots"][0].pop("parent-snapshot-id")
    metadata["snapshot-log"] = [{"snapshot-id": x["snapshot-id"], "timestamp-ms": x["timestamp-ms"]} for x in metadata["snapshots"]]
    metadata.update({"current-snapshot-id": 999 + SNAPSHOTS, "refs": {"main": {"snapshot-id": 999 + SNAPSHOTS, "type": "branch"}}, "last-sequence-number": SNAPSHOTS,
                     "last-updated-ms": last["timestamp-ms"] + SNAPSHOTS, "metadata-log": []})
    location = f"{metadata['location']}/metadata/09999-{uuid.uuid4()}.metadata.json"
    path = location.removeprefix("file://")
    if location.startswith("s3://"):
        bucket, folder = server.alias.split("=")
        path = folder + location.removeprefix(bucket)
    with open(path, "w") as f:
        json.dump(metadata, f)
    request(server, "DELETE", f"{prefix}/namespaces/large/tables/t0")
    request(server, "POST", f"{prefix}/namespaces/large/register", {"name": "t0", "metadata-location": location})


def measure(server):
    figures = {}
    with server:
        load = Load(server)
        figures["ready_s"] = server.ready_s
        time.sleep(1)
        figures["idle_mb"] = server.memory_mb()
        load("create", "warm", tables=1)  # a first round that is not counted: a JVM compiles, caches fill
        load("append", "warm", strict=False, writers=8, appends=10, retries=20)

        load("create", "one", tables=1)
        got = load("append", "one", appends=APPENDS)
        figures.update(one_writer=got["per_second"], one_writer_p50=got["p50_ms"], one_writer_p99=got["p99_ms"])

        load("create", "many", tables=32)
        got = load("append", "many", tables=32, writers=32, appends=max(APPENDS // 10, 1))
        figures.update(many_tables=got["per_second"], many_tables_p50=got["p50_ms"], many_tables_p99=got["p99_ms"])

        for key, retries in (("contended", 0), ("retried", 4)):
            load("create", key, tables=1)
            # A 5xx, which leaves it open whether the append is there, is no success either.
            got = load("append", key, strict=False, writers=32, appends=max(APPENDS // 10, 1), retries=retries)
            figures[key] = got["per_second"]
            figures[key + "_success"] = 100.0 * got["done"] / (32 * max(APPENDS // 10, 1))

        make_large(server, load)
        for key, namespace in (("small", "warm"), ("large", "large")):
            load("read", namespace, requests=READS // 5)
            got = load("read", namespace, requests=READS)
            figures.update({key + "_p50": got["p50_ms"], key + "_p99": got["p99_ms"]})
            figures[key + "_rate"] = load("read", namespace, writers=8, requests=READS // 4)["per_second"]
            figures[key + "_kb"] = got["reply_bytes"] / 1e3
        figures["busy_mb"] = server.memory_mb()
    return figures


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(columns):
    names = list(columns)
    first = columns[names[0]]
    width = max(len(name) for name in names) + 2
    print(f"\n{'':<42}{'unit':>10}" + "".join(f"{name:>{width + 8}}" for name in names))
    for key, label, unit, more in ROWS:
        line = f"{label:<42}{unit:>10}"
        for name in names:
            value = columns[name].get(key)
            ratio = ""
            if more is not None and name != names[0] and value and first.get(key):
                ratio = f"({value / first[key] if more else first[key] / value:.2f})"
            line += f"{'-' if value is None else number(value):>{width}}{ratio:>8}"
        print(line)


def candidates(folder):
    """Name and a context that gives each server, firn's first."""

    @contextlib.contextmanager
    def firn(backend):
        with servers.catalog_of(backend) as catalog:
            yield servers.FirnServer(os.path.join(folder, f"lake-{backend}"), catalog=catalog)

    @contextlib.contextmanager
    def nessie():
        with servers.ObjectShelf(os.path.join(folder, "shelf"), BUILD) as shelf:
            yield servers.NessieServer(os.path.join(folder, "nessie"), shelf)

    @contextlib.contextmanager
    def reference():
        yield servers.ReferenceServer(os.path.join(folder, "reference"))

    return {"firn, SQLite": lambda: firn("sqlite"), "firn, PostgreSQL": lambda: firn("postgres"), "Nessie, RocksDB": nessie, "reference, SQLite": reference}


def main():
    wanted = sys.argv[1:]
    print(f"{os.cpu_count()} cores, {platform.machine()}; {APPENDS} appends by one writer, {max(APPENDS // 10, 1)} by each of 32; load average {os.getloadavg()[0]:.1f} at the start")
    print("Nessie 0.99.0 on RocksDB, table files in an object store of this machine that syncs nothing (it takes no folder).")
    print("The reference server (iceberg-open-api 1.11.0) on a SQLite file, table files in a folder, unsynced. firn syncs every file and commit.")
    columns = {}
    with tempfile.TemporaryDirectory(prefix="firn-bench.") as folder:
        for name, make in candidates(folder).items():
            if wanted and not any(w in name for w in wanted):
                continue
            started = time.monotonic()
            with make() as server:
                columns[name] = measure(server)
            print(f"  {name}: measured in {time.monotonic() - started:.0f} s", flush=True)
    table(columns)
    print("\nIn brackets: times as good as the first column. Success: of the appends that the clients tried, how many the server took.")


if __name__ == "__main__":
    main()
