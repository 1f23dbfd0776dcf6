"""firn feed sync against a server: what it would add, what it adds, what it leaves alone, and how it fails."""
import json
import os
import stat
import subprocess

import pytest
from conftest import Firn, rows_of
from servers.ksqldb import KsqlDB

STREAMS = ["transaction_flattened", "transaction_stream", "transaction_stream_anonymized", "transaction_stream_blacklisted"]
TABLES = ["payment_method_totals", "product_purchase_counts", "user_transaction_summary", "user_transaction_summary_eur"]
COLUMNS = [["ID", "STRING", "KEY"], ["N", "BIGINT"]]


@pytest.fixture(scope="module")
def ksql(tmp_path_factory):
    with KsqlDB(tmp_path_factory.mktemp("ksql"), scenario="seed", events=20, today="2025-01-15") as server:
        yield server
        assert server.process.poll() is None, server.log_end()


def lake_with(tmp_path, *sources):
    firn = Firn(tmp_path / "lake")
    firn.ok("init", str(tmp_path / "lake"), "-q")
    with open(tmp_path / "lake" / "firn.yaml", "a") as config:
        config.write("sources:\n" + "".join(f"  - name: {name}\n    ksqldb: {uri}\n" for name, uri in sources))
    return firn


@pytest.fixture
def firn(ksql, tmp_path):
    return lake_with(tmp_path, ("ksql", ksql.uri))


def sync(firn, *args):
    return {row["source"].lower(): row for row in rows_of(firn.ok("feed", "sync", "--format", "json", *args))}


def feed_file(firn, name, folder="active"):
    with open(os.path.join(firn.lake, "feeds", folder, name + ".json")) as f:
        return json.load(f)


def test_sync_adds_what_the_server_has(firn):
    assert {name: row["state"] for name, row in sync(firn, "--dry-run").items()} == dict.fromkeys(STREAMS + TABLES, "to add")
    assert not os.path.exists(os.path.join(firn.lake, "feeds", "active"))
    people = firn.ok("feed", "sync")
    assert "8 feeds added, 0 there already, 0 gone from the server. Next: " in people
    assert {r["feed"]: r["type"] for r in rows_of(firn.ok("feed", "list", "--format", "json"))} == {**dict.fromkeys(STREAMS, "stream"), **dict.fromkeys(TABLES, "table")}
    # the design's table of streams and tables
    assert {n: feed_file(firn, n)["retention_days"] for n in STREAMS} == dict(zip(STREAMS, [365, 365, 730, 365]))
    for name in STREAMS:
        feed = feed_file(firn, name)
        assert (feed["partitioning"], feed["storage_mode"]) == ({"type": "date", "columns": ["year", "month", "day"]}, "append")
        mode = stat.S_IMODE(os.stat(os.path.join(firn.lake, "streams", name)).st_mode)
        assert mode == (0o755 if name.endswith("_anonymized") else 0o750)
    for name in TABLES:
        feed = feed_file(firn, name)
        assert (feed["partitioning"]["type"], feed["storage_mode"], feed["retention_versions"]) == ("version", "overwrite", 7)
        assert stat.S_IMODE(os.stat(os.path.join(firn.lake, "tables", name)).st_mode) == 0o755
    before = {n: feed_file(firn, n) for n in STREAMS + TABLES}
    assert {row["state"] for row in sync(firn).values()} == {"has a feed"}
    assert {n: feed_file(firn, n) for n in STREAMS + TABLES} == before


def test_sync_finds_what_is_new_and_what_is_gone(firn, ksql):
    ksql.control("create", name="LATER", is_table=True, columns=COLUMNS, partitions=1)
    try:
        firn.ok("feed", "sync", "transaction_stream", "later")
        assert sorted(os.listdir(os.path.join(firn.lake, "feeds", "active"))) == ["later.json", "transaction_stream.json"]
        firn.ok("feed", "archive", "transaction_stream")
        rows = sync(firn, "--dry-run")
        assert (rows["transaction_stream"]["state"], rows["later"]["state"], rows["payment_method_totals"]["state"]) == ("archived", "has a feed", "to add")
    finally:
        ksql.control("drop", source="LATER")
    row = sync(firn)["later"]
    assert (row["state"], row["note"]) == ("gone", "the server has no table later")
    assert feed_file(firn, "later")["enabled"] is True  # it is the user who decides
    assert feed_file(firn, "transaction_stream", "archived")["enabled"] is False


def test_the_servers_own_log_is_left_out(firn, ksql):
    ksql.control("create", name="KSQL_PROCESSING_LOG", is_table=False, columns=COLUMNS, partitions=1)
    try:
        assert sync(firn, "--dry-run")["ksql_processing_log"]["state"] == "left out"
        assert sync(firn, "ksql_processing_log")["ksql_processing_log"]["state"] == "added"
    finally:
        ksql.control("drop", source="KSQL_PROCESSING_LOG")


def test_one_that_cannot_be_added_does_not_stop_the_others(firn):
    os.makedirs(os.path.join(firn.lake, "tables"))
    with open(os.path.join(firn.lake, "tables", "payment_method_totals"), "w") as f:
        f.write("in the way")
    done = firn.run("feed", "sync", "--format", "json")
    assert done.returncode == 1 and "1 feed could not be added" in done.stderr
    rows = {row["feed"]: row for row in rows_of(done.stdout)}
    assert rows["payment_method_totals"]["state"] == "failed" and "something else has this name" in rows["payment_method_totals"]["note"]
    assert {row["state"] for name, row in rows.items() if name != "payment_method_totals"} == {"added"}


def test_of_several_servers_one_is_chosen(ksql, tmp_path):
    firn = lake_with(tmp_path, ("one", ksql.uri), ("two", ksql.uri))
    done = firn.run("feed", "sync")
    assert done.returncode == 1 and "2 ksqldb sources; say which one" in done.stderr
    assert sync(firn, "--server", "two", "transaction_stream")["transaction_stream"]["state"] == "added"
    assert feed_file(firn, "transaction_stream")["server"] == "two"
    assert sync(firn, "--server", "one", "--dry-run")["transaction_stream"]["state"] == "left out"  # the name is taken
    done = firn.run("feed", "sync", "--server", "oen")
    assert done.returncode == 1 and 'Did you mean "one"?' in done.stderr


def test_no_connection_is_one_clear_line(tmp_path):
    firn = lake_with(tmp_path, ("ksql", "http://127.0.0.1:1"))
    done = firn.run("feed", "sync")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and "127.0.0.1:1" in done.stderr
    assert not os.path.exists(os.path.join(firn.lake, "feeds", "active"))


def test_editing_the_file_is_enough(firn):
    firn.ok("feed", "sync", "transaction_stream")
    path = os.path.join(firn.lake, "feeds", "active", "transaction_stream.json")
    feed = feed_file(firn, "transaction_stream")
    feed["retention_days"], feed["enabled"] = 30, False
    with open(path, "w") as f:
        json.dump(feed, f)
    shown = {row["setting"]: (row["value"], row["from"]) for row in rows_of(firn.ok("feed", "show", "transaction_stream", "--format", "json"))}
    assert shown["retention_days"] == ("30", "file") and shown["enabled"] == ("false", "file") and shown["ref"] == ("main", "default")
    subprocess.run(["sed", "-i", 's/"append"/"apend"/', path], check=True)
    done = firn.run("feed", "show", "transaction_stream")
    assert done.returncode == 1 and 'storage_mode is "apend"' in done.stderr and "Did you mean append?" in done.stderr
