"""What goes wrong between ksqlDB and the lake: every fault of the double, kill -9 anywhere, a full disk, two exports at once.

Whatever happened: the folders hold whole files only, exit code and message say what was, the lake holds nothing that was not committed, and after
one clean export the rows are those of the server, once.
"""
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from export_lake import DAY_MS, ExportLake, server_rows
from servers.ksqldb import KsqlDB

STREAM, TABLE = "transaction_stream", "user_transaction_summary"
NOTHING_BEFORE, SOME_BEFORE = False, True


@pytest.fixture(scope="module")
def ksql(tmp_path_factory):
    with KsqlDB(tmp_path_factory.mktemp("ksql"), scenario="seed", events=400) as server:
        yield server
        assert server.process.poll() is None and "Traceback" not in server.log_end(1000), server.log_end()


@pytest.fixture
def lake(tmp_path, ksql):
    ksql.faults()
    ksql.requests(clear=True)
    made = ExportLake(tmp_path / "lake", ksql, timeout="5s")
    made.feed(STREAM)
    made.feed(TABLE)
    yield made
    ksql.faults()


def failed(lake, feed, *words, code=1):
    """A failed export: exit code, words, nothing half; what was there is there."""
    rows, files = lake.held(feed), lake.files(feed)
    got, said = lake.export(feed)
    assert got == code, said
    for word in words:
        assert re.search(word, said, re.I), f"{word!r} is not in: {said}"
    assert lake.held(feed) == rows and lake.files(feed) == files
    assert "Traceback" not in said and "assert" not in said.lower()
    return said


def clean(lake, *feeds):
    """One clean export puts all right."""
    lake.ksql.faults()
    lake.exported(*feeds)
    for feed in feeds:
        lake.check_against_server(feed)


# ---- answers that are no answers ------------------------------------------------------------------------------------
FATAL = {
    "cut in mid-row": ({"kind": "cut", "rows": 30}, ["cut|in the middle|ended|incomplete|closed"]),
    "cut at the first row": ({"kind": "cut", "rows": 0}, ["cut|in the middle|ended|incomplete|closed"]),
    "cut, and the proxy says it is complete": ({"kind": "cut", "rows": 30, "clean": True}, ["cut|in the middle|ended|incomplete|closed"]),
    "cut by a reset": ({"kind": "cut", "rows": 30, "reset": True}, ["cut|in the middle|ended|incomplete|closed|reset"]),
    "error row": ({"kind": "error_row", "rows": 30, "message": "the store is being moved"}, ["the store is being moved"]),
    "error row of an old server": ({"kind": "error_row", "rows": 30, "message": "rebalanced", "old": True}, ["rebalanced"]),
    "proxy's page": ({"kind": "html"}, ["502|html|content"]),
    "page with status 200": ({"kind": "html", "status": 200}, ["html"]),
    "wrong content type": ({"kind": "body", "content_type": "text/plain", "body": "hello there"}, ["text/plain|hello there"]),
    "other JSON": ({"kind": "body", "body": '{"hello": "there"}', "content_type": "application/json"}, ["hello|header|ksqlDB"]),
    "nothing": ({"kind": "body", "body": ""}, ["ends before it began"]),
    "value of another type": ({"kind": "wrong_type", "rows": 30}, ["expected|STRING|type|row"]),
    "row with too few columns": ({"kind": "short_row", "rows": 30}, ["columns|values|row"]),
    "statement refused": ({"kind": "status", "status": 400, "body": {"@type": "statement_error", "error_code": 40001, "message": "no such thing, says the server", "statementText": "", "entities": []}},
                          ["no such thing, says the server"]),
    "internal error": ({"kind": "status", "status": 500, "body": {"@type": "generic_error", "error_code": 50000, "message": "out of memory, says the server"}}, ["out of memory, says the server"]),
    "not allowed": ({"kind": "status", "status": 403, "body": {"@type": "generic_error", "error_code": 40300, "message": "You are forbidden"}}, ["forbidden|403"]),
    "push limit": ({"kind": "status", "status": 400, "body": {"@type": "generic_error", "error_code": 40003, "message": "Maximum number of push queries exceeded"}}, ["Maximum number of push queries"]),
}


@pytest.mark.parametrize("before", [NOTHING_BEFORE, SOME_BEFORE], ids=["first", "later"])
@pytest.mark.parametrize("feed", [STREAM, TABLE])
@pytest.mark.parametrize("fault", FATAL)
def test_fault_that_ends_an_export(lake, fault, feed, before):
    spec, words = FATAL[fault]
    if before:
        lake.exported(feed)
        lake.ksql.control("transactions", count=60, days_back=0)
    lake.ksql.faults({**spec, "match": f"FROM `{feed.upper()}`"})
    said = failed(lake, feed, feed, *words)
    assert lake.ksql.control("hits")["hits"][0] >= 1, said
    clean(lake, feed)


SURVIVED = {
    "heartbeats": [{"kind": "heartbeats", "count": 3}],
    "slow drip": [{"kind": "drip", "bytes": 7}],
    "byte by byte": [{"kind": "drip", "bytes": 1}],
    "unknown members": [{"kind": "unknown_keys"}],
    "starting, twice": [{"kind": "unavailable", "times": 2, "retry_after": 1}],
    "silent for a second": [{"kind": "silent", "seconds": 1}],
    "no header for a second": [{"kind": "silent", "seconds": 1, "header": False}],
    "a pause in the middle": [{"kind": "delay", "rows": 20, "seconds": 1}],
    "HTTP/2 only": [{"kind": "http2_only"}],
}


@pytest.mark.parametrize("feed", [STREAM, TABLE])
@pytest.mark.parametrize("fault", SURVIVED)
def test_fault_that_an_export_survives(lake, fault, feed):
    lake.wait = "2s"  # as it is when nobody says otherwise
    lake.ksql.faults(*[{**f, "path": "/query-stream"} for f in SURVIVED[fault]])
    lake.exported(feed)
    assert lake.ksql.control("hits")["hits"][0] >= 1
    lake.check_against_server(feed)


def test_a_pause_longer_than_the_export_waits(lake):
    """It takes what has come for all there is; the next one goes on from there."""
    lake.ksql.faults({"kind": "delay", "rows": 20, "seconds": 2, "path": "/query-stream"})
    lake.exported(STREAM)
    assert lake.held(STREAM) < len(server_rows(lake.ksql, STREAM))
    lake.check_folder(STREAM)
    clean(lake, STREAM)


def test_a_row_that_comes_twice(lake):
    """Of a stream it has the same offset: passed over."""
    lake.ksql.faults({"kind": "twice", "rows": 10, "path": "/query-stream"})
    lake.exported(STREAM)
    lake.check_against_server(STREAM)


def test_a_table_without_its_end(lake):
    """What is not closed may not be all of it, and a version is complete or is not."""
    lake.ksql.faults({"kind": "bad_end"})
    failed(lake, TABLE, "cut|end|complete")
    clean(lake, TABLE)


def test_cut_at_many_bytes(lake):
    """At every place of a row: mid-name, mid-number, mid-escape, between rows; with and without an end that claims to be complete."""
    rng = random.Random(5)
    whole = len(lake.ksql.post("/query-stream", {"sql": f"SELECT * FROM {TABLE};"}, {"accept": "application/vnd.ksql.v1+json"})[2])
    places = [0, 1, 2, 12, whole - 1, whole - 2, whole - 3, *(rng.randrange(whole) for _ in range(18))]
    for at in places:
        lake.ksql.faults({"kind": "cut_at", "bytes": at, "clean": bool(at % 2), "path": "/query-stream"})
        failed(lake, TABLE)
    clean(lake, TABLE)


def test_starting_for_too_long(lake):
    lake.ksql.faults({"kind": "unavailable", "retry_after": 600})
    failed(lake, STREAM, rf"127\.0\.0\.1.{lake.ksql.port}", "starting|initializ|not yet ready|50302")
    clean(lake, STREAM)


def test_silence(lake):
    """A server that says nothing does not hold the export for ever."""
    lake.ksql.faults({"kind": "hang", "rows": 5, "path": "/query-stream"})
    failed(lake, TABLE, "nothing|silent|time", rf"{TABLE}")
    clean(lake, TABLE)


def test_nobody_listens(lake):
    """The seed: "No connection: one clear line naming host and port, exit 1"."""
    lake.exported(STREAM, TABLE)
    lake.ksql.control("listen", on=False)
    try:
        for feed in (STREAM, TABLE):
            said = failed(lake, feed, rf"127\.0\.0\.1:{lake.ksql.port}", "refused|connect|reach")
            assert len([line for line in said.splitlines() if str(lake.ksql.port) in line]) >= 1
    finally:
        lake.ksql.control("listen", on=True)
    clean(lake, STREAM, TABLE)


def test_a_host_that_is_none(tmp_path, ksql):
    lake = ExportLake(tmp_path / "lake", ksql)
    path = os.path.join(lake.lake, "firn.yaml")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace(ksql.uri, "http://no-such-host.invalid:8088"))
    lake.feed(STREAM)
    failed(lake, STREAM, "no-such-host.invalid", "8088")


def test_another_servers_port(tmp_path, ksql):
    """Something listens that never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        lake = ExportLake(tmp_path / "lake", ksql, timeout="1s")
        path = os.path.join(lake.lake, "firn.yaml")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace(ksql.uri, f"http://127.0.0.1:{silent.getsockname()[1]}"))
        lake.feed(STREAM)
        failed(lake, STREAM, rf"127\.0\.0\.1.{silent.getsockname()[1]}")


@pytest.mark.parametrize("how", ["basic", "token", "tls"])
def test_logins(tmp_path, how):
    options = {"basic": {"user": "firn", "password": "old:snow"}, "token": {"token": "t-1"}, "tls": {"tls": True}}[how]
    with KsqlDB(tmp_path / "ksql", scenario="seed", events=60, **options) as server:
        right = {"basic": {"username": "firn", "password": "old:snow"}, "token": {"token": "t-1"}, "tls": {"ca_file": os.path.join(server.folder, "ca.crt")}}[how]
        wrong = {"basic": {"username": "firn", "password": "no"}, "token": {}, "tls": {}}[how]
        bad = ExportLake(tmp_path / "bad", server, **wrong)
        bad.feed(STREAM)
        said = failed(bad, STREAM, "certificate|SSL|TLS" if how == "tls" else "401|unauthorized|password|refuses")
        assert "old:snow" not in said and '"no"' not in said
        good = ExportLake(tmp_path / "good", server, **right)
        good.feed(STREAM)
        good.exported(STREAM)
        good.check_against_server(STREAM)


def test_one_that_fails_does_not_stop_the_others(lake):
    for feed in ("payment_method_totals", "transaction_flattened"):
        lake.feed(feed)
    lake.feed("nowhere", feed_type="stream", ksqldb_source="nowhere_stream")
    lake.ksql.faults({"kind": "error_row", "rows": 3, "match": f"FROM `{TABLE.upper()}`"})
    code, said = lake.export()
    assert code == 1
    assert "nowhere" in said and "Error in processing query" in said
    for feed in (STREAM, "payment_method_totals", "transaction_flattened"):
        lake.check_against_server(feed)
    with open(os.path.join(lake.lake, "logs", time.strftime("export_%Y_%m.log", time.gmtime()))) as f:
        log = f.read()
    assert re.search(rf"firn.export - ERROR - .*{TABLE}.*", log) and re.search(rf"firn.export - INFO - .*{STREAM}.*", log)
    clean(lake, TABLE)


# ---- topics that change ---------------------------------------------------------------------------------------------
def small(ksql, name, rows, partitions=2):
    ksql.control("create", name=name, is_table=False, columns=[["ID", "BIGINT", "KEY"], ["V", "STRING"]], partitions=partitions)
    ksql.append(name, *[{"values": {"ID": i, "V": f"v{i}"}, "partition": i % partitions, "rowtime": 1_736_935_200_000 + i} for i in range(rows)])


def ids(lake, feed):
    return sorted(int(r["id"]) for r in lake.sql(f"SELECT id FROM streams.{feed}"))


def test_a_topic_that_forgets(lake):
    """Retention of the topic between two exports: what is in the table stays, what was lost before it came is said."""
    small(lake.ksql, "FORGETS", 10)
    lake.feed("forgets")
    lake.exported("forgets")
    lake.ksql.append("FORGETS", *[{"values": {"ID": i, "V": "x"}, "partition": i % 2, "rowtime": 1_736_935_300_000 + i} for i in range(10, 20)])
    lake.ksql.control("retain", source="FORGETS", offsets={"0": 7, "1": 4})
    said = lake.exported("forgets")
    assert re.search("deleted|lost|gone", said)
    assert ids(lake, "forgets") == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 16, 17, 18, 19]


def test_a_stream_made_anew(lake):
    """Offsets begin again: that is not "nothing new", and the way out is named."""
    small(lake.ksql, "ANEW", 10)
    lake.feed("anew")
    lake.exported("anew")
    lake.ksql.control("recreate", source="ANEW")
    lake.ksql.append("ANEW", *[{"values": {"ID": 100 + i, "V": "x"}, "partition": i % 2, "rowtime": 1_736_935_400_000 + i} for i in range(3)])
    code, said = lake.export("anew")
    assert code == 1 and "--from beginning" in said, said
    assert ids(lake, "anew") == list(range(10))
    lake.ok("export", "--stream", "anew", "--from", "beginning")
    assert ids(lake, "anew") == [*range(10), 100, 101, 102]


def test_partitions_are_added(lake):
    small(lake.ksql, "WIDER", 6, partitions=2)
    lake.feed("wider")
    lake.exported("wider")
    held = lake.ksql.rows("WIDER")
    lake.ksql.control("recreate", source="WIDER", partitions=3)
    lake.ksql.append("WIDER", *[{"values": {"ID": r["ID"], "V": r["V"]}, "partition": r["ROWPARTITION"], "rowtime": r["ROWTIME"]} for r in held])
    lake.ksql.append("WIDER", {"values": {"ID": 77, "V": "third"}, "partition": 2, "rowtime": 1_736_935_500_000})
    lake.exported("wider")
    assert ids(lake, "wider") == [0, 1, 2, 3, 4, 5, 77]


def test_a_column_is_added(lake):
    small(lake.ksql, "GROWS", 4, partitions=1)
    lake.feed("grows")
    lake.exported("grows")
    held = lake.ksql.rows("GROWS")
    lake.ksql.control("recreate", source="GROWS", columns=[["ID", "BIGINT", "KEY"], ["V", "STRING"], ["EXTRA", "STRUCT<`N` DECIMAL(6, 2)>"]])
    lake.ksql.append("GROWS", *[{"values": {"ID": r["ID"], "V": r["V"]}, "partition": 0, "rowtime": r["ROWTIME"]} for r in held])
    lake.ksql.append("GROWS", {"values": {"ID": 5, "EXTRA": {"N": "1.25"}}, "partition": 0})
    lake.exported("grows")
    rows = lake.sql("SELECT id, extra.n AS n FROM streams.grows ORDER BY id")
    assert [(int(r["id"]), r["n"]) for r in rows] == [(0, None), (1, None), (2, None), (3, None), (5, "1.25")]


# ---- kill -9 --------------------------------------------------------------------------------------------------------
def points_of(lake, tmp_path, *args):
    """The fault points that a command passes, with how often."""
    count = tmp_path / "points"
    process = lake.start(*args, env={"FIRN_FAULT_COUNT": str(count)})
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    with open(count) as f:
        return {line.split()[1]: int(line.split()[2]) for line in f if line.startswith("point ")}


def fresh(tmp_path, ksql, name, feed):
    lake = ExportLake(tmp_path / name, ksql, timeout="5s")
    lake.feed(feed)
    return lake


@pytest.mark.parametrize("feed", [STREAM, TABLE])
def test_kill_9_at_every_point_of_an_export(tmp_path, ksql, feed):
    """Each named point, at its first passage and in the middle of many, of the first export and of a later one."""
    ksql.faults()
    lake = fresh(tmp_path, ksql, "counted", feed)
    kind = "--table" if feed == TABLE else "--stream"
    points = points_of(lake, tmp_path, "export", kind, feed)
    assert {"export.open", "export.batch", "export.before_commit", "export.after_commit", "tree.link", "tree.metadata"} <= set(points), points
    number = 0
    for point in sorted(points):
        for at in sorted({1, (points[point] + 1) // 2}):
            number += 1
            lake = fresh(tmp_path, ksql, f"killed{number}", feed)
            code, said = lake.export(feed, env={"FIRN_FAULT_KILL": f"{point}:{at}"})
            assert code == -signal.SIGKILL, f"{point}:{at} was not passed\n{said}"
            lake.check_folder_while_unfinished(feed)
            ksql.control("transactions", count=3, days_back=0)
            lake.export(feed, env={"FIRN_FAULT_KILL": f"{point}:{at}"})  # at the same place again, from there
            lake.check_folder_while_unfinished(feed)
            lake.exported(feed)
            lake.check_against_server(feed)


def test_kill_9_of_retention_and_compaction(tmp_path, ksql):
    ksql.faults()

    def made(name):
        lake = fresh(tmp_path, ksql, name, STREAM)
        lake.exported(STREAM)
        ksql.control("transactions", count=20, days_back=1)
        lake.exported(STREAM)
        lake.feed(STREAM, retention_days=365)
        return lake

    since = int(time.time()) // 86400 * DAY_MS - 365 * DAY_MS
    for what in ("retain", "compact"):
        points = points_of(made(f"counted-{what}"), tmp_path, "feed", what, STREAM)
        os.remove(tmp_path / "points")
        assert what == "compact" or {"retain.committed", "retain.expired"} <= set(points), points
        for i, point in enumerate(sorted(points)):
            lake = made(f"{what}{i}")
            process = lake.start("feed", what, STREAM, env={"FIRN_FAULT_KILL": point})
            said, _ = process.communicate(timeout=120)
            assert process.returncode == -signal.SIGKILL, f"{point}\n{said}"
            assert [f for f in lake.files(STREAM) if not f.endswith((".parquet", "_metadata.json"))] == [], point
            lake.ok("feed", what, STREAM)
            lake.ok("feed", "retain", STREAM)
            lake.check_against_server(STREAM, since)


def test_kill_9_at_random_times(tmp_path, ksql):
    """Twenty times, whatever it was doing; readers look meanwhile; afterwards all rows, once."""
    ksql.faults({"kind": "drip", "bytes": 2048, "pause": 0.002, "path": "/query-stream"})
    lake = ExportLake(tmp_path / "lake", ksql, timeout="5s")
    feeds = [STREAM, "transaction_flattened", TABLE]
    for feed in feeds:
        lake.feed(feed)
    rng = random.Random(9)
    for _ in range(20):
        process = lake.start("export", "--all")
        try:
            process.communicate(timeout=rng.uniform(0.02, 4.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        for feed in feeds:
            lake.check_folder_while_unfinished(feed)
        ksql.control("transactions", count=5, days_back=0)
    clean(lake, *feeds)


# ---- full disks -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("feed", [STREAM, TABLE])
def test_no_space_at_any_operation(tmp_path, ksql, feed):
    """The N-th change to the disk fails, and all after it, as on a full disk."""
    ksql.faults()
    lake = fresh(tmp_path, ksql, "counted", feed)
    lake.exported(feed)
    ksql.control("transactions", count=20, days_back=0)
    count = tmp_path / "count"
    code, said = lake.export(feed, env={"FIRN_FAULT_COUNT": str(count)})
    assert code == 0, said
    with open(count) as f:
        operations = int(re.search(r"\d+", f.read())[0])
    assert operations > 5
    lake = fresh(tmp_path, ksql, "full", feed)
    lake.exported(feed)
    failures = 0
    for n in sorted({1, 2, 3, *range(1, operations + 1, max(1, operations // 12)), operations - 1, operations}):
        ksql.control("transactions", count=3, days_back=0)
        before = lake.held(feed)
        code, said = lake.export(feed, env={"FIRN_FAULT_FAIL": f"{n}+:nospace"})
        assert code in (0, 1), f"operation {n}: {code}\n{said}"
        if code == 1:
            failures += 1
            assert re.search("space|injected", said, re.I), said
        lake.check_folder_while_unfinished(feed)
        assert lake.held(feed) >= min(before, 1), "the table can be read"
    assert failures > 3
    lake.exported(feed)
    lake.check_against_server(feed)


@pytest.mark.skipif(os.geteuid() != 0 and "mounts need root", reason="a small file system needs root")
def test_a_disk_that_is_full(tmp_path, ksql):
    ksql.faults()
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "firn-test", str(disk)], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        lake = ExportLake(disk / "lake", ksql, timeout="5s")
        lake.feed(STREAM)
        lake.exported(STREAM)
        before = lake.held(STREAM)
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as f, contextlib.suppress(OSError):
            while f.write(b"x" * 4096):
                pass
        ksql.control("transactions", count=50, days_back=0)
        files = lake.files(STREAM)
        code, said = lake.export(STREAM)
        assert code == 1 and re.search("disk is full", said), said
        assert lake.files(STREAM) == files
        os.truncate(filler, os.path.getsize(filler) - 40_000)  # room to begin with
        code, said = lake.export(STREAM)
        assert code == 1 and re.search("space|full", said, re.I), said
        assert lake.files(STREAM) == files
        filler.unlink()
        assert lake.held(STREAM) == before
        lake.exported(STREAM)
        lake.check_against_server(STREAM)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# ---- others at the same time ----------------------------------------------------------------------------------------
def test_two_exports_at_once(lake):
    """One waits for the other, or says who is at work; the rows come once."""
    for round_ in range(3):
        lake.ksql.control("transactions", count=20, days_back=0)
        processes = [lake.start("export", "--all") for _ in range(3)]
        said = [p.communicate(timeout=120)[0] for p in processes]
        codes = [p.returncode for p in processes]
        assert 0 in codes and set(codes) <= {0, 1}, said
        for code, text in zip(codes, said):
            assert code == 0 or re.search(r"process \d+|pid \d+|is (being )?export", text), text
        lake.check_against_server(STREAM)
        assert lake.held(TABLE) == len(server_rows(lake.ksql, TABLE))
        lake.check_folder(TABLE)


READER = """
import glob, sys, pyarrow.parquet as pq
folder, stop = sys.argv[1:]
import os
counts = []
while not os.path.exists(stop):
    n = 0
    try:
        for path in glob.glob(folder + "/**/*.parquet", recursive=True):
            n += pq.ParquetFile(path).metadata.num_rows
    except FileNotFoundError:
        continue  # a folder was exchanged between the listing and the opening
    counts.append(n)
print(max(counts), len(counts))
"""


def test_readers_of_the_folders_meanwhile(tmp_path, lake):
    """Whoever reads while exports and compactions run never meets a file that is no Parquet, nor more rows than there are."""
    lake.exported(STREAM)
    stop = tmp_path / "stop"
    reader = subprocess.Popen([sys.executable, "-c", READER, lake.folder(STREAM), str(stop)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(4):
            lake.ksql.control("transactions", count=30, days_back=0)
            lake.exported(STREAM)
            lake.ok("feed", "compact", STREAM)
    finally:
        stop.touch()
        out, err = reader.communicate(timeout=60)
    assert reader.returncode == 0, err
    most, looks = map(int, out.split())
    assert looks > 3 and most <= len(server_rows(lake.ksql, STREAM))
    lake.check_against_server(STREAM)


def test_interrupted_by_its_user(lake):
    """Ctrl-C: it ends soon, commits nothing half, and says so."""
    lake.ksql.faults({"kind": "drip", "bytes": 512, "pause": 0.02, "path": "/query-stream"})
    process = lake.start("export", "--stream", STREAM)
    while not lake.ksql.control("queries")["open"]:
        assert process.poll() is None, process.communicate()[0]
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode != 0 and re.search("stopped|interrupt", said, re.I), said
    lake.check_folder(STREAM)
    clean(lake, STREAM)
