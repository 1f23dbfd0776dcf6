"""firn serve under load: many writers, servers and databases that die, full disks, clients that misbehave.

Nothing is retried by the clients unless a test says so. Rows are real: each append is one Parquet file of one row, so "every row
exactly once" is asked of firn's SQL. FIRN names the binary; under a sanitizer (FIRN_LOAD_FLAVOUR) the loads are smaller, and what
it reports fails the test. `./run test load` runs this.
"""
import concurrent.futures
import contextlib
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import servers  # noqa: E402

SANITIZED = os.environ.get("FIRN_LOAD_FLAVOUR", "plain") != "plain"
WRITERS = 32
APPENDS = int(os.environ.get("FIRN_LOAD_APPENDS", "10" if SANITIZED else "50"))
BUILD = os.path.dirname(servers.firn_binary())
STRIDE = 1_000_000  # of bench/rest_load.c: a row's id is <writer> * STRIDE + <i>
BACKENDS = ["sqlite", "postgres"]

os.environ.setdefault("TSAN_OPTIONS", f"suppressions={os.path.dirname(HERE)}/tsan.supp halt_on_error=0")
os.environ.setdefault("LSAN_OPTIONS", f"suppressions={HERE}/lsan.supp")


@pytest.fixture(scope="session")
def cluster():
    with servers.PostgresCluster() as running:
        yield running


@pytest.fixture(scope="session")
def rows(tmp_path_factory):
    """Folder of w<writer>-<i>.parquet: one row each, with Iceberg's field ids."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("rows")
    schema = pa.schema([pa.field("id", pa.int64(), metadata={b"PARQUET:field_id": b"1"}), pa.field("w", pa.int32(), metadata={b"PARQUET:field_id": b"2"})])
    for w in range(WRITERS):
        for i in range(APPENDS):
            pq.write_table(pa.table([[w * STRIDE + i], [w]], schema=schema), folder / f"w{w}-{i}.parquet")
    return folder


@contextlib.contextmanager
def serving(tmp_path, backend="sqlite", cluster=None, name="lake", **options):
    catalog = cluster.database(re.sub(r"\W", "_", tmp_path.name) + name) if backend == "postgres" else None
    server = servers.FirnServer(tmp_path / name, catalog=catalog, **options)
    with server:
        yield server
        code = server.stop() if server.process else 0
    clean(server, code)


def clean(server, code):
    with open(server.log, errors="replace") as log:
        text = log.read()
    for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:", "Assertion"):
        assert sign not in text, text[text.index(sign):][:6000]
    assert code == 0, f"firn serve ended with {code}\n{text[-3000:]}"


def load(server, command, check=True, **options):
    args = [os.path.join(BUILD, "bench", "rest_load"), command, "--uri", server.uri]
    for key, value in options.items():
        args += [f"--{key}", str(value)]
    done = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    assert not check or done.returncode == 0, f"{done.stderr}{done.stdout}{server.log_end()}"
    return json.loads(done.stdout) if done.stdout else None


def sql(server, statement):
    done = subprocess.run([servers.firn_binary(), "--lake", server.lake, "sql", "--format", "json", "-c", statement], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else []


def ids_of(server, tables):
    found = []
    for table in tables:
        found += [row["id"] for row in sql(server, f"SELECT id FROM load.{table}")]
    return found


def metadata_of(server, table):
    return json.loads(servers.get(f"{server.uri}/v1/namespaces/load/tables/{table}", timeout=60)[1])["metadata"]


def every_row_once(server, tables, expected):
    found = ids_of(server, tables)
    assert len(found) == len(set(found)), f"{len(found) - len(set(found))} rows twice"
    assert set(found) == set(expected), f"missing: {sorted(set(expected) - set(found))[:10]}, unexpected: {sorted(set(found) - set(expected))[:10]}"


def history_is_a_line(server, table):
    """Sequence numbers are distinct and grow along the parents, whoever wrote."""
    metadata = metadata_of(server, table)
    by_id = {s["snapshot-id"]: s for s in metadata["snapshots"]}
    numbers = [s["sequence-number"] for s in metadata["snapshots"]]
    assert len(set(numbers)) == len(numbers)
    assert metadata["last-sequence-number"] == max(numbers)
    at, seen = metadata["current-snapshot-id"], 0
    while at is not None:
        parent = by_id[at].get("parent-snapshot-id")
        assert parent is None or by_id[parent]["sequence-number"] < by_id[at]["sequence-number"]
        at, seen = parent, seen + 1
    assert seen == len(numbers)


ALL = [w * STRIDE + i for w in range(WRITERS) for i in range(APPENDS)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tables", [1, WRITERS])
def test_all_appends_succeed(tmp_path, cluster, rows, backend, tables):
    """32 writers, no client retries: all appends are accepted, every row is there exactly once."""
    with serving(tmp_path, backend, cluster) as server:
        load(server, "create", tables=tables)
        got = load(server, "append", tables=tables, writers=WRITERS, appends=APPENDS, data=rows)
        print(got)
        assert (got["done"], got["refused"], got["unknown"], got["failed"]) == (WRITERS * APPENDS, 0, 0, 0), got
        names = [f"t{t}" for t in range(tables)]
        every_row_once(server, names, ALL)
        for name in names:
            history_is_a_line(server, name)


def pyiceberg_appends(uri, process, threads, appends):
    import pyarrow as pa
    from pyiceberg.catalog import load_catalog

    def one(thread):
        catalog = load_catalog("load", type="rest", uri=uri)
        table = catalog.load_table("load.py")
        writer = process * threads + thread
        for i in range(appends):
            table.append(pa.table({"id": pa.array([writer * STRIDE + i], pa.int64())}))
        return appends

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, range(threads)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_pyiceberg_writers(tmp_path, cluster, backend):
    """32 PyIceberg writers in 8 processes, as PyIceberg comes."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.schema import Schema
    from pyiceberg.types import LongType, NestedField

    processes, threads, appends = 8, 4, max(APPENDS // 10, 1)
    with serving(tmp_path, backend, cluster) as server:
        catalog = load_catalog("load", type="rest", uri=server.uri)
        catalog.create_namespace("load")
        catalog.create_table("load.py", Schema(NestedField(1, "id", LongType())))
        with concurrent.futures.ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            done = list(pool.map(pyiceberg_appends, [server.uri] * processes, range(processes), [threads] * processes, [appends] * processes))
        assert sum(done) == processes * threads * appends
        every_row_once(server, ["py"], [w * STRIDE + i for w in range(processes * threads) for i in range(appends)])
        history_is_a_line(server, "py")


def outcomes(path):
    said = {"acknowledged": set(), "open": set(), "refused": set()}
    with open(path) as log:
        for line in log:
            word, number = line.split()
            said[word].add(int(number))
    return said


def nothing_lost_nothing_twice(server, tables, log):
    """Acknowledged rows are there, refused ones are not, and those that nobody knows about are there at most once."""
    said = outcomes(log)
    found = ids_of(server, tables)
    assert len(found) == len(set(found)), "rows twice"
    assert said["acknowledged"] <= set(found), f"acknowledged and lost: {sorted(said['acknowledged'] - set(found))[:10]}"
    assert set(found) <= said["acknowledged"] | said["open"], "rows of refused appends"
    for table in tables:
        history_is_a_line(server, table)
    return said


def wait_for_lines(log, n, thread):
    """Until the log has n lines (answers to appends), or the load is over."""
    while thread.is_alive() and len(log.read_text().splitlines()) < n:
        time.sleep(0.005)


def append_in_background(server, log, **options):
    result = {}

    def run():
        result.update(load(server, "append", check=False, log=log, patience=60, **options) or {"failed": -1})

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


@pytest.mark.parametrize("backend", BACKENDS)
def test_kill_9_under_load(tmp_path, cluster, rows, backend):
    """The server is killed again and again while 8 writers append."""
    log = tmp_path / "log"
    log.touch()
    with serving(tmp_path, backend, cluster) as server:
        load(server, "create", tables=2)
        thread, result = append_in_background(server, log, tables=2, writers=8, appends=APPENDS, data=rows)
        kills = 0
        while thread.is_alive() and kills < 8:
            wait_for_lines(log, (kills + 1) * 8 * APPENDS // 10, thread)  # a tenth of the load further
            if thread.is_alive():
                server.kill()
                server.start()
                kills += 1
        thread.join()
        assert kills >= 2 and result["failed"] == 0, (kills, result)
        said = nothing_lost_nothing_twice(server, ["t0", "t1"], log)
        assert len(said["acknowledged"]) >= 8 * APPENDS - kills * 8


def test_postgres_stops_and_starts(tmp_path, cluster, rows):
    """PostgreSQL goes away under load and comes back, twice, once in the hard way; the server lives through it."""
    log = tmp_path / "log"
    log.touch()
    with serving(tmp_path, "postgres", cluster) as server:
        load(server, "create", tables=4)
        thread, result = append_in_background(server, log, tables=4, writers=8, appends=APPENDS, data=rows)
        for mode in ("fast", "immediate"):
            time.sleep(1)
            cluster.down(mode)
            time.sleep(1)
            cluster.up()
        thread.join()
        assert server.process.poll() is None
        assert result["failed"] == 0, result
        nothing_lost_nothing_twice(server, [f"t{t}" for t in range(4)], log)
        load(server, "create", namespace="after")


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "firn-load", str(disk)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_full_disk(tmp_path, small_disk, rows):
    """The disk fills up under load: commits are refused with 507, reads go on, and once there is room so do commits."""
    log = tmp_path / "log"
    log.touch()
    with serving(small_disk) as server:
        load(server, "create")
        with open(small_disk / "ballast", "wb") as ballast:
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(1 << 16))
                    ballast.flush()
                    if os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize < 600_000:
                        break
        status = fill_with_properties(server)
        assert status == 507, status
        assert metadata_of(server, "t0")["properties"]
        os.unlink(small_disk / "ballast")
        got = load(server, "append", appends=3, data=rows, log=log)
        assert got["done"] == 3, got
        nothing_lost_nothing_twice(server, ["t0"], log)


def post(url, body, headers=None, timeout=60):
    request = urllib.request.Request(url, data=body, method="POST", headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def fill_with_properties(server):
    """Commits larger and larger properties until one is refused; its status."""
    for i in range(200):
        body = {"requirements": [], "updates": [{"action": "set-properties", "updates": {f"filler{i}": "x" * 50_000}}]}
        status, text = post(f"{server.uri}/v1/namespaces/load/tables/t0", json.dumps(body).encode())
        if status != 200:
            return status
    return 200


def raw(server, data, wait_s=20):
    """Sends bytes as they are; what comes back until the server closes or `wait_s` have passed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait_s) as s:
        with contextlib.suppress(OSError):
            s.sendall(data)
        got = b""
        with contextlib.suppress(OSError):
            while chunk := s.recv(65536):
                got += chunk
        return got


def answers(server):
    return servers.get(server.uri + "/v1/config", timeout=20)[0] == 200


def test_oversized_requests(tmp_path):
    with serving(tmp_path) as server:
        load(server, "create")
        memory = server.memory_mb()
        # A body that claims to be huge, one that has no end, a long URL, long and many headers, deep nesting.
        got = raw(server, b"POST /iceberg/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 1000, 5)
        assert re.match(rb"HTTP/1.1 4\d\d", got), got[:200]
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        got = raw(server, b"POST /iceberg/v1/namespaces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2000, 10)
        assert got == b"" or re.match(rb"HTTP/1.1 4\d\d", got), got[:200]
        for data in (b"GET /iceberg/v1/namespaces/" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /iceberg/v1/config HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
                     b"GET /iceberg/v1/config HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100_000 + b"\r\n"):
            got = raw(server, data, 5)
            assert got == b"" or re.match(rb"HTTP/1.[01] [45]\d\d", got), got[:200]
        status, text = post(server.uri + "/v1/namespaces", b'{"namespace":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
        assert status == 400, text[:300]
        status, text = post(server.uri + "/v1/namespaces", json.dumps({"namespace": ["x" * 100_000]}).encode())
        assert status == 400, text[:300]
        assert answers(server)
        assert server.memory_mb() < memory + (2000 if SANITIZED else 200)


def test_slow_clients(tmp_path):
    """Clients that send a byte now and then, or read nothing, do not keep others from being served."""
    with serving(tmp_path) as server:
        load(server, "create", snapshots=20)
        slow = []
        for n in range(200):
            with contextlib.suppress(OSError):
                s = socket.create_connection(("127.0.0.1", server.port), timeout=5)
                s.sendall(b"POST /iceberg/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{" if n % 2 else b"GET /iceberg/v1/con")
                slow.append(s)
        deaf = []
        for _ in range(20):
            with contextlib.suppress(OSError):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.connect(("127.0.0.1", server.port))
                s.sendall(b"GET /iceberg/v1/namespaces/load/tables/t0 HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
                deaf.append(s)
        started = time.monotonic()
        assert load(server, "append", writers=4, appends=5)["done"] == 20
        assert load(server, "read", writers=4, requests=20)["done"] == 80
        assert time.monotonic() - started < (120 if SANITIZED else 20)
        for s in slow + deaf:
            s.close()
        assert answers(server)
