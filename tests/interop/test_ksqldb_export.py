"""firn export against the double of ksqlDB: what comes, that it comes once, what each fault leaves behind, and who reads it."""
import glob
import json
import os
import signal
import subprocess
import time

import pytest
from conftest import Firn, rows_of
from servers.ksqldb import KsqlDB

STREAMS = ["transaction_flattened", "transaction_stream", "transaction_stream_anonymized", "transaction_stream_blacklisted"]
TABLES = ["payment_method_totals", "product_purchase_counts", "user_transaction_summary", "user_transaction_summary_eur"]
WAIT = ["--wait", "400ms"]


@pytest.fixture(scope="module")
def ksql(tmp_path_factory):
    with KsqlDB(tmp_path_factory.mktemp("ksql"), scenario="seed", events=300) as server:
        yield server
        assert server.process.poll() is None, server.log_end()


@pytest.fixture
def firn(ksql, tmp_path):
    ksql.faults()
    firn = Firn(tmp_path / "lake")
    firn.ok("init", str(tmp_path / "lake"), "-q")
    with open(tmp_path / "lake" / "firn.yaml", "a") as config:
        config.write(f"sources:\n  - name: ksql\n    ksqldb: {ksql.uri}\n    timeout: 3s\n")
    firn.ok("feed", "sync")
    return firn


def export(firn, *args):
    return {row["feed"]: row for row in rows_of(firn.ok("export", *args, *WAIT, "--format", "json"))}


def count(firn, table):
    return int(firn.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"])


def parquet(firn, folder):
    return sorted(glob.glob(os.path.join(firn.lake, folder, "**", "*.parquet"), recursive=True))


def in_folders(firn, folder):
    """Rows by pandas, and that every file is a whole one."""
    pd = pytest.importorskip("pandas")
    return len(pd.read_parquet(os.path.join(firn.lake, folder)))


def test_all_eight_come_and_come_once(ksql, firn):
    first = export(firn, "--all")
    assert sorted(first) == sorted(STREAMS + TABLES)
    assert all(row["outcome"] == "done" for row in first.values())
    for name in STREAMS:
        rows = len(ksql.rows(name.upper()))
        assert first[name]["rows"] == rows == count(firn, f"streams.{name}") == in_folders(firn, f"streams/{name}")
        with open(os.path.join(firn.lake, "streams", name, "_metadata.json")) as f:
            assert json.load(f)["total_records"] == rows
    for name in TABLES:
        assert first[name]["version"] == 1
        assert first[name]["rows"] == count(firn, f"tables.{name}") == in_folders(firn, f"tables/{name}/version=v1")
    second = export(firn, "--all")
    assert all(second[name]["outcome"] == "nothing new" for name in STREAMS)
    assert all(second[name]["version"] == 2 for name in TABLES)
    for name in STREAMS:
        assert count(firn, f"streams.{name}") == len(ksql.rows(name.upper()))


FAULTS = {
    "cut in mid-row": {"kind": "cut", "rows": 100},
    "cut, as if it were complete": {"kind": "cut", "rows": 100, "clean": True},
    "an error in mid-stream": {"kind": "error_row", "rows": 100},
    "a row with a column too few": {"kind": "short_row", "rows": 100},
    "a value of another type": {"kind": "wrong_type", "rows": 100},
    "503": {"kind": "unavailable", "retry_after": 1},
    "a proxy's page": {"kind": "html"},
    "another Content-Type": {"kind": "content_type", "value": "text/html"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_leaves_nothing_half(ksql, firn, name):
    feed = "transaction_stream"
    ksql.faults({**FAULTS[name], "path": "/query-stream"}, {**FAULTS[name], "path": "/query"})
    done = firn.run("export", feed, "user_transaction_summary", *WAIT)
    assert done.returncode == 1, done.stdout
    assert f"{feed} " in done.stdout and "failed: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert parquet(firn, "streams") == parquet(firn, "tables") == parquet(firn, "warehouse") == []
    assert not os.path.exists(os.path.join(firn.lake, "streams", feed, "_metadata.json"))
    log = open(glob.glob(os.path.join(firn.lake, "logs", "export_*.log"))[0]).read()
    assert f" - ERROR - {feed}: " in log
    ksql.faults()
    assert export(firn, feed)[feed]["rows"] == len(ksql.rows(feed.upper())) == count(firn, f"streams.{feed}")


@pytest.mark.parametrize("fault", [
    {"kind": "drip", "bytes": 997},
    {"kind": "heartbeats"},
    {"kind": "http2_only"},
    {"kind": "unknown_keys"},
    {"kind": "twice", "rows": 50},
], ids=lambda f: f["kind"])
def test_what_is_no_fault_is_not_taken_for_one(ksql, firn, fault):
    feed = "transaction_stream_blacklisted"
    ksql.faults({**fault, "path": "/query-stream"})
    assert export(firn, feed)[feed]["rows"] == len(ksql.rows(feed.upper()))
    assert count(firn, f"streams.{feed}") == in_folders(firn, f"streams/{feed}") == len(ksql.rows(feed.upper()))


def test_killed_at_random_it_comes_once(ksql, firn):
    feed = "transaction_flattened"
    for after in (0.02, 0.05, 0.1, 0.2, 0.45, 0.5, 0.6):
        process = subprocess.Popen([firn.binary, "--lake", firn.lake, "export", feed, *WAIT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
    export(firn, feed)
    assert count(firn, f"streams.{feed}") == in_folders(firn, f"streams/{feed}") == len(ksql.rows(feed.upper()))


def test_new_rows_by_their_event(ksql, firn):
    feed = "transaction_stream"
    firn.ok("feed", "update", feed, "partitioning.time=ROWTIME", "bloom_filters=user_id")
    export(firn, feed)
    days = firn.sql(f"SELECT count(DISTINCT (year, month, day)) AS n FROM streams.{feed}")[0]["n"]
    folders = {os.path.dirname(path) for path in parquet(firn, f"streams/{feed}")}
    assert len(folders) == int(days)


def test_no_server(firn, ksql):
    config = os.path.join(firn.lake, "firn.yaml")
    text = open(config).read().replace(ksql.uri, "http://127.0.0.1:9")
    open(config, "w").write(text)
    done = firn.run("export", "--all")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and "127.0.0.1:9" in done.stderr
