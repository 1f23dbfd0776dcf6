"""The data lake of the seed, end to end: feeds, exports, versions, retention; pandas, DuckDB, Polars and PyIceberg read the server's rows.

The server is the double of tests/servers/ksqldb.py. Each test has a lake of its own, so that each can be read and run by itself.
"""
import json
import os
import stat
import time

import polars
import pytest
import servers
from export_lake import DAY_MS, FEEDS, ExportLake, by_duckdb, by_pandas, by_polars, by_pyiceberg, catalog_of, counted, server_rows
from servers.ksqldb import KsqlDB
from servers.ksqldb_seed import STREAMS, TABLES

STREAM_FEEDS, TABLE_FEEDS = [s.lower() for s in STREAMS], [t.lower() for t in TABLES]


@pytest.fixture
def ksql(tmp_path):
    with KsqlDB(tmp_path / "ksql", scenario="seed", events=1500) as server:
        yield server
        assert server.process.poll() is None and "Traceback" not in server.log_end(1000), server.log_end()


@pytest.fixture
def lake(tmp_path, ksql):
    made = ExportLake(tmp_path / "lake", ksql)
    for feed in FEEDS:
        made.feed(feed)
    return made


def today_ms():
    return int(time.time()) // 86400 * DAY_MS


def check_all_readers(lake, since_ms=None):
    """Every feed by every reader: equal rows, those of the server."""
    with servers.FirnServer(lake.lake) as server:
        catalog = catalog_of(server)
        for feed in FEEDS:
            since = (since_ms or {}).get(feed)
            wanted = counted(server_rows(lake.ksql, feed, since))
            part = lake.partitions(feed)[-1] if feed in TABLE_FEEDS else None
            for reader in (by_pandas, by_duckdb, by_polars):
                assert counted(reader(lake, feed, part)) == wanted, f"{feed} by {reader.__name__}"
            assert counted(by_pyiceberg(catalog, feed)) == wanted, f"{feed} by PyIceberg"
            lake.check_folder(feed)


# ---- feeds ----------------------------------------------------------------------------------------------------------
def test_sync_finds_all_eight(tmp_path, ksql):
    lake = ExportLake(tmp_path / "lake", ksql)
    said = lake.ok("feed", "sync")
    files = sorted(os.listdir(os.path.join(lake.lake, "feeds", "active")))
    assert files == sorted(f"{f}.json" for f in FEEDS), said
    config = {}
    for feed in FEEDS:
        with open(os.path.join(lake.lake, "feeds", "active", f"{feed}.json")) as f:
            config[feed] = json.load(f)
    assert {f: c["feed_type"] for f, c in config.items()} == {**dict.fromkeys(STREAM_FEEDS, "stream"), **dict.fromkeys(TABLE_FEEDS, "table")}
    assert [config[f].get("retention_days") for f in STREAM_FEEDS] == [365, 365, 730, 365]
    assert [config[f].get("retention_versions") for f in TABLE_FEEDS] == [7] * 4
    lake.exported()
    for feed in FEEDS:
        assert lake.held(feed) > 0, feed
    assert "exists" not in lake.run("feed", "sync").stderr


def test_folders_of_the_seed(lake):
    lake.exported()
    for feed in FEEDS:
        assert lake.check_folder(feed)["source"] == feed
    days = {time.strftime("year=%Y/month=%m/day=%d", time.gmtime(r["ROWTIME"] / 1000)) for r in lake.ksql.rows("TRANSACTION_STREAM")}
    assert set(lake.partitions("transaction_stream")) == days
    assert [lake.partitions(t) for t in TABLE_FEEDS] == [["version=v1"]] * 4
    metadata = lake.check_folder("transaction_stream")
    assert metadata.keys() >= {"source", "type", "storage_mode", "format", "partitioning", "last_export", "total_records", "total_size_mb", "partitions", "schema_version", "created_at"}
    assert (metadata["type"], metadata["storage_mode"], metadata["partitioning"]) == ("stream", "append", "date")
    assert metadata["partitions"][0].keys() >= {"path", "records", "size_mb", "exported_at"}
    log = os.path.join(lake.lake, "logs", time.strftime("export_%Y_%m.log", time.gmtime()))
    with open(log) as f:
        lines = f.read().splitlines()
    assert lines and all(" - firn.export - " in line for line in lines)
    assert all(any(feed in line for line in lines) for feed in FEEDS)


# ---- rows -----------------------------------------------------------------------------------------------------------
def test_twice_adds_nothing_and_new_events_come_once(lake):
    lake.exported()
    before = {f: lake.files(f) for f in STREAM_FEEDS}
    lake.exported()
    assert {f: lake.files(f) for f in STREAM_FEEDS} == before
    check_all_readers(lake)
    lake.ksql.control("transactions", count=200)
    lake.exported()
    check_all_readers(lake)
    assert [lake.partitions(t) for t in TABLE_FEEDS] == [["version=v1", "version=v2", "version=v3"]] * 4


def test_the_seeds_snippets(lake):
    """Seed 3: filters=[("year", "=", 2025), ("month", "=", 1)]. Seed 2: read_parquet(".../version=v4")."""
    for _ in range(3):
        lake.exported()
    four = None
    for feed in TABLE_FEEDS:
        lake.ksql.control("transactions", count=10)
        four = server_rows(lake.ksql, feed)
        lake.exported(feed)
        assert counted(by_pandas(lake, feed, "version=v4")) == counted(four) == counted(by_duckdb(lake, feed, "version=v4")) == counted(by_polars(lake, feed, "version=v4"))
        assert counted(by_pandas(lake, feed, filters=[("version", "=", "v4")])) == counted(four)
        assert lake.held(feed) == len(four)
    lake.exported("transaction_stream")
    now = time.gmtime()
    month = lambda r: time.gmtime(r["ROWTIME"] / 1000)[:2] == now[:2]  # noqa: E731
    wanted = [r for r in lake.ksql.rows("TRANSACTION_STREAM") if month(r)]
    got = by_pandas(lake, "transaction_stream", filters=[("year", "=", now[0]), ("month", "=", now[1])])
    assert sorted(r["transaction_id"] for r in got) == sorted(r["TRANSACTION_ID"] for r in wanted)
    assert counted(by_duckdb(lake, "transaction_stream", where=f"year = {now[0]} AND month = {now[1]}")) == counted(got)
    assert counted(by_polars(lake, "transaction_stream", where=(polars.col("year") == now[0]) & (polars.col("month") == now[1]))) == counted(got)
    with servers.FirnServer(lake.lake) as server:
        assert counted(by_pyiceberg(catalog_of(server), "transaction_stream", row_filter=f"year = {now[0]} and month = {now[1]}")) == counted(got)


def test_compaction_changes_no_row(lake):
    for _ in range(4):
        lake.exported()
        lake.ksql.control("transactions", count=100, days_back=1)
    lake.exported()
    before = len(lake.files("transaction_stream"))
    for feed in STREAM_FEEDS:
        lake.ok("feed", "compact", feed)
    assert len(lake.files("transaction_stream")) < before
    check_all_readers(lake)
    lake.ksql.control("transactions", count=100, days_back=1)
    lake.exported()
    check_all_readers(lake)


def test_retention(lake):
    lake.exported()
    since, oldest = {}, {}
    for feed in STREAM_FEEDS:
        days = 730 if feed.endswith("anonymized") else 365
        lake.feed(feed, retention_days=days)
        since[feed] = today_ms() - days * DAY_MS
        oldest[feed] = time.strftime("year=%Y/month=%m/day=%d", time.gmtime(since[feed] / 1000))
        assert len(server_rows(lake.ksql, feed, since[feed])) < len(server_rows(lake.ksql, feed)), "there is something to do"
    lake.ok("feed", "retain")
    check_all_readers(lake, since)
    assert all(lake.partitions(f)[0] >= oldest[f] for f in STREAM_FEEDS)
    lake.ok("feed", "compact", "transaction_stream")
    lake.exported()
    check_all_readers(lake, since)


def test_seven_versions_are_kept(lake):
    for feed in TABLE_FEEDS:
        lake.feed(feed, retention_versions=7)
    for _ in range(9):
        lake.ksql.control("transactions", count=5)
        lake.exported(*TABLE_FEEDS)
    for feed in TABLE_FEEDS:
        assert lake.partitions(feed) == [f"version=v{n}" for n in range(3, 10)]
        lake.check_against_server(feed)


def test_rollback_and_diff(lake):
    lake.exported("payment_method_totals")
    first = server_rows(lake.ksql, "payment_method_totals")
    lake.ksql.control("transactions", count=50)
    lake.ksql.control("delete", source="PAYMENT_METHOD_TOTALS", keys=[{"PAYMENT_METHOD": "paypal"}])
    lake.ksql.append("PAYMENT_METHOD_TOTALS", {"PAYMENT_METHOD": "cash", "TRANSACTION_COUNT": 1, "TOTAL_AMOUNT": "5.50"})
    lake.exported("payment_method_totals")
    lake.check_against_server("payment_method_totals")
    counts = json.loads(lake.ok("table", "diff", "tables.payment_method_totals", "v1", "v2", "--format", "json"))[0]
    assert (int(counts["added"]), int(counts["removed"]), int(counts["changed"]), int(counts["same"])) == (1, 1, 5, 0)
    said = lake.ok("table", "diff", "tables.payment_method_totals", "v1", "v2", "--rows")
    assert "paypal" in said and "cash" in said
    lake.ok("table", "rollback", "tables.payment_method_totals", "v1")
    assert counted(by_pandas(lake, "payment_method_totals", "version=v3")) == counted(first)
    with servers.FirnServer(lake.lake) as server:
        assert counted(by_pyiceberg(catalog_of(server), "payment_method_totals")) == counted(first)
    lake.exported("payment_method_totals")
    lake.check_against_server("payment_method_totals")
    assert lake.partitions("payment_method_totals")[-1] == "version=v4"


def test_modes_and_partitions(lake):
    """Reference data are written once; a stream may be filed by the day of the export, a table by none."""
    lake.feed("product_purchase_counts", storage_mode="ignore")
    with open(os.path.join(lake.lake, "feeds", "active", "transaction_stream_blacklisted.json")) as f:
        config = json.load(f)
    del config["partitioning"]["time"]
    with open(os.path.join(lake.lake, "feeds", "active", "transaction_stream_blacklisted.json"), "w") as f:
        json.dump(config, f)
    lake.exported()
    first = server_rows(lake.ksql, "product_purchase_counts")
    assert lake.partitions("transaction_stream_blacklisted") == [time.strftime("year=%Y/month=%m/day=%d", time.gmtime())]
    lake.ksql.control("transactions", count=300)
    lake.exported()
    assert counted(by_pandas(lake, "product_purchase_counts")) == counted(first)
    lake.check_against_server("transaction_stream_blacklisted")
    lake.ksql.control("transactions", count=300)
    lake.ok("export", "--stream", "transaction_stream_blacklisted", "--date", "2025-01-15")
    assert lake.partitions("transaction_stream_blacklisted")[0] == "year=2025/month=01/day=15"
    lake.check_against_server("transaction_stream_blacklisted")
    refused = lake.run("export", "--stream", "transaction_stream", "--date", "2025-01-15")
    assert refused.returncode == 1 and "partitioning.time" in refused.stdout + refused.stderr


def test_permissions(lake):
    lake.feed("transaction_stream", permissions="750")
    lake.feed("transaction_stream_anonymized", permissions="755")
    lake.exported()
    for feed, folder, file in (("transaction_stream", 0o750, 0o640), ("transaction_stream_anonymized", 0o755, 0o644)):
        for at, _, files in os.walk(lake.folder(feed)):
            assert stat.S_IMODE(os.stat(at).st_mode) == folder, at
            for f in files:
                assert stat.S_IMODE(os.stat(os.path.join(at, f)).st_mode) == file, os.path.join(at, f)


def test_compression_and_statistics(lake):
    import pyarrow.parquet

    lake.feed("transaction_flattened", compression="zstd", bloom_filters=["transaction_id"])
    lake.exported("transaction_flattened", "transaction_stream")
    for feed, codec in (("transaction_flattened", "ZSTD"), ("transaction_stream", "SNAPPY")):
        path = max((f for f in lake.files(feed) if f.endswith(".parquet")), key=lambda f: os.path.getsize(os.path.join(lake.lake, f)))
        group = pyarrow.parquet.ParquetFile(os.path.join(lake.lake, path)).metadata.row_group(0)
        columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
        assert {c.compression for c in columns.values()} == {codec}
        assert columns["currency"].is_stats_set and {"RLE_DICTIONARY", "PLAIN_DICTIONARY"} & set(columns["currency"].encodings)
        assert (columns["transaction_id"].bloom_filter_offset is not None) == (codec == "ZSTD")


# ---- types ----------------------------------------------------------------------------------------------------------
def test_every_type_by_value(tmp_path):
    with KsqlDB(tmp_path / "ksql", scenario="types") as ksql:
        lake = ExportLake(tmp_path / "lake", ksql)
        for feed in ("all_types", "all_types_table"):
            lake.feed(feed, ksqldb_source=feed.upper())
            lake.exported(feed)
            wanted = counted(server_rows(ksql, feed))
            assert sum(wanted.values()) == 4
            part = "version=v1" if feed == "all_types_table" else None
            for reader in (by_duckdb, by_pandas, by_polars):
                assert counted(reader(lake, feed, part)) == wanted, reader.__name__
        with servers.FirnServer(lake.lake) as server:
            for feed in ("all_types", "all_types_table"):
                wanted = server_rows(ksql, feed)
                for row in wanted:  # PyIceberg 0.12 reads a null list as an empty one where it projects what is in it
                    row["deep"] = row["deep"] or []
                assert counted(by_pyiceberg(catalog_of(server), feed)) == counted(wanted)


def test_tables_asked_for_by_push(lake):
    """A table that cannot be pulled: its changes are read from the beginning, deleted rows are none of its version."""
    ksql = lake.ksql
    ksql.control("create", name="RAW_TABLE", is_table=True, columns=[["K", "STRING", "KEY"], ["V", "BIGINT"]], queryable=False)
    for i in range(50):
        ksql.append("RAW_TABLE", {"K": f"k{i % 20}", "V": i})
    ksql.control("delete", source="RAW_TABLE", keys=[{"K": "k3"}, {"K": "k4"}])
    lake.feed("raw_table")
    lake.exported("raw_table")
    rows = lake.sql("SELECT k, v FROM tables.raw_table ORDER BY v")
    assert {r["k"]: int(r["v"]) for r in rows} == {r["K"]: r["V"] for r in ksql.rows("RAW_TABLE")} and len(rows) == 18
