"""The folders of a feed and its table: pandas, pyarrow, Polars, DuckDB and Spark read the folders, PyIceberg and Spark the table, and all have firn's rows,
before and after compaction, retention, deletes of other engines and a rewrite by Spark."""
import datetime as dt
import glob
import json
import os

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import load_catalog

TODAY = dt.date.today()
OLD, RECENT = TODAY - dt.timedelta(days=400), TODAY - dt.timedelta(days=40)
COLUMNS = ["id", "user_id", "amount", "year", "month", "day"]


class Feed:
    def __init__(self, served, kind, name):
        self.firn, self.uri, self.kind, self.name = served.firn, served.uri, kind, name
        self.table = f"{kind}s.{name}"
        self.root = os.path.join(served.firn.lake, f"{kind}s", name)
        self.pattern = os.path.join(self.root, "**", "*.parquet")

    def sync(self):
        return json.loads(self.firn.ok("feed", "tree", self.name, "--format", "json"))[0]

    def catalog_table(self):
        return load_catalog("firn", type="rest", uri=self.uri).load_table(self.table)

    def files(self):
        return sorted(glob.glob(self.pattern, recursive=True))


def make(served, kind, name, ddl):
    firn = served.firn
    feed = Feed(served, kind, name)
    firn.execute(f"CREATE SCHEMA IF NOT EXISTS {kind}s", ddl)
    firn.ok("feed", "add", name, "--type", kind)
    return feed


@pytest.fixture
def stream(served, request):
    name = request.node.name.removeprefix("test_").split("[")[0]
    feed = make(served, "stream", name, f"CREATE TABLE streams.{name} (id BIGINT, user_id VARCHAR, amount DOUBLE, year INT, month INT, day INT) "
                "PARTITIONED BY (year, month, day) WITH ('firn.write.partition-columns'='false')")
    insert(feed, 1, OLD)
    insert(feed, 2, RECENT)
    insert(feed, 3, RECENT)
    insert(feed, 4, TODAY)
    feed.sync()
    return feed


def insert(feed, number, day, rows=5):
    feed.firn.execute(f"INSERT INTO {feed.table} SELECT {number} * 100 + i, 'user' || i, i / 4, {day.year}, {day.month}, {day.day} FROM range({rows}) r(i)")


def normal(frame, columns=COLUMNS):
    """Rows, whatever the types of the folders' columns are in this reader."""
    frame = frame[columns]
    numbers = {c for c in columns if c in ("year", "month", "day")}
    return sorted(tuple(int(v) if c in numbers else v for c, v in zip(columns, row)) for row in frame.itertuples(index=False))


def readers(feed):
    """The same question, asked of each reader of folders."""
    yield "pandas", pd.read_parquet(feed.root)
    yield "pyarrow", ds.dataset(feed.root, partitioning="hive").to_table().to_pandas()
    yield "pyarrow.parquet", pq.read_table(feed.root).to_pandas()
    yield "polars", pl.read_parquet(feed.pattern, hive_partitioning=True).to_pandas()
    yield "polars, lazy", pl.scan_parquet(feed.pattern, hive_partitioning=True).collect().to_pandas()
    yield "duckdb", duckdb.sql(f"SELECT * FROM read_parquet('{feed.pattern}', hive_partitioning = true)").df()


def agree(feed, expected_ids=None):
    table = normal(pd.DataFrame(feed.firn.sql(f"SELECT * FROM {feed.table}")).astype({"amount": float}))
    if expected_ids is not None:
        assert sorted(r[0] for r in table) == sorted(expected_ids)
    for reader, frame in readers(feed):
        assert normal(frame) == table, reader
    assert normal(feed.catalog_table().scan().to_pandas()) == table, "pyiceberg"
    with open(os.path.join(feed.root, "_metadata.json")) as f:
        metadata = json.load(f)
    assert metadata["total_records"] == len(table)
    assert sum(p["records"] for p in metadata["partitions"]) == len(table)
    return table


def ids(*numbers, rows=5):
    return [n * 100 + i for n in numbers for i in range(rows)]


def test_folders_and_table_agree(stream):
    agree(stream, ids(1, 2, 3, 4))
    before = stream.files()
    done = stream.sync()
    assert (done["added"], done["removed"], done["kept"]) == (0, 0, 4)
    assert stream.files() == before
    assert all(os.stat(f).st_nlink == 2 for f in before), "links take no space"


def test_filters_of_the_seed(stream):
    year, month = RECENT.year, RECENT.month
    expected = ids(2, 3) + (ids(4) if (TODAY.year, TODAY.month) == (year, month) else [])
    assert sorted(pd.read_parquet(stream.root, filters=[("year", "=", year), ("month", "=", month)])["id"]) == expected
    dataset = ds.dataset(stream.root, partitioning="hive")
    assert sorted(dataset.to_table(filter=(ds.field("year") == year) & (ds.field("month") == month))["id"].to_pylist()) == expected
    assert sorted(pl.scan_parquet(stream.pattern, hive_partitioning=True).filter((pl.col("year") == year) & (pl.col("month") == month)).collect()["id"]) == expected
    for types in ("", ", hive_types = {'year': INT, 'month': INT, 'day': INT}"):
        assert sorted(r[0] for r in duckdb.sql(f"SELECT id FROM read_parquet('{stream.pattern}', hive_partitioning = true{types}) WHERE year = {year} AND month = {month}").fetchall()) == expected
    assert sorted(stream.catalog_table().scan(row_filter=f"year == {year} and month == {month}").to_arrow()["id"].to_pylist()) == expected


def test_after_compaction(stream):
    table = agree(stream)
    day = os.path.join(stream.root, f"year={RECENT.year}", f"month={RECENT.month:02}", f"day={RECENT.day:02}")
    assert len(os.listdir(day)) == 2
    stream.firn.ok("feed", "compact", stream.name)
    assert len(os.listdir(day)) == 1
    assert agree(stream) == table


def test_after_retention(stream):
    due = json.loads(stream.firn.ok("feed", "retain", stream.name, "--dry-run", "--format", "json"))[0]
    assert (due["rows"], due["partitions"], due["oldest_kept"]) == (5, 1, RECENT.isoformat())
    agree(stream, ids(1, 2, 3, 4))
    stream.firn.ok("feed", "retain", stream.name)
    agree(stream, ids(2, 3, 4))
    assert not os.path.exists(os.path.join(stream.root, f"year={OLD.year}", f"month={OLD.month:02}", f"day={OLD.day:02}"))
    stream.firn.ok("feed", "compact", stream.name)
    agree(stream, ids(2, 3, 4))


def test_after_pyiceberg_wrote_and_deleted(stream):
    table = stream.catalog_table()
    schema = table.schema().as_arrow()
    table.append(pa.table({"id": [900, 901], "user_id": ["a", "b"], "amount": [1.0, 2.0], "year": [TODAY.year] * 2, "month": [TODAY.month] * 2, "day": [TODAY.day] * 2}, schema=schema))
    stream.sync()
    agree(stream, ids(1, 2, 3, 4) + [900, 901])
    table.delete("id == 900")
    stream.sync()
    agree(stream, ids(1, 2, 3, 4) + [901])


def test_spark_reads_and_rewrites(stream, rest_spark):
    def spark_folders():
        rest_spark.catalog.clearCache()
        # Spark takes every name that starts with _metadata for a summary of Parquet files.
        return normal(rest_spark.read.option("pathGlobFilter", "*.parquet").parquet(stream.root).toPandas())

    def spark_table():
        rest_spark.sql(f"REFRESH TABLE rest.{stream.table}")
        return normal(rest_spark.table(f"rest.{stream.table}").toPandas())

    table = agree(stream)
    assert spark_folders() == table
    assert spark_table() == table
    rest_spark.sql(f"CALL rest.system.rewrite_data_files(table => '{stream.table}', options => map('min-input-files', '2'))")
    done = stream.sync()
    assert (done["removed"], done["added"], done["rewritten"]) == (2, 1, 1)  # Spark's file has the folders' columns: written anew, without
    assert agree(stream) == table
    assert spark_folders() == table
    rest_spark.sql(f"ALTER TABLE rest.{stream.table} SET TBLPROPERTIES ('write.delete.mode'='merge-on-read')")
    rest_spark.sql(f"DELETE FROM rest.{stream.table} WHERE id IN (201, 400)")
    assert stream.firn.sql(f"SELECT count(*) AS n FROM {stream.table}.delete_files")[0]["n"] > 0
    stream.sync()
    agree(stream, sorted(set(ids(1, 2, 3, 4)) - {201, 400}))
    assert spark_folders() == normal(pd.read_parquet(stream.root))


def test_versions(served):
    feed = make(served, "table", "summary", "CREATE TABLE tables.summary (user_id VARCHAR, total BIGINT, version VARCHAR) PARTITIONED BY (version) "
                "WITH ('firn.write.partition-columns'='false')")
    for n in range(1, 5):
        feed.firn.execute("TRUNCATE tables.summary", f"INSERT INTO tables.summary SELECT 'user' || i, i * {n}, 'v{n}' FROM range({n}) r(i)", f"ALTER TABLE tables.summary CREATE TAG v{n}")
    feed.sync()
    expected = [(f"user{i}", i * 4) for i in range(4)]
    v4 = os.path.join(feed.root, "version=v4")
    assert sorted(pd.read_parquet(v4).itertuples(index=False, name=None)) == expected
    assert sorted(pl.read_parquet(os.path.join(v4, "*.parquet"), hive_partitioning=False).rows()) == expected
    assert sorted(duckdb.sql(f"SELECT user_id, total FROM read_parquet('{feed.pattern}', hive_partitioning = true) WHERE version = 'v4'").fetchall()) == expected
    frame = pd.read_parquet(feed.root, filters=[("version", "=", "v2")])
    assert sorted(frame[["user_id", "total"]].itertuples(index=False, name=None)) == [("user0", 0), ("user1", 2)]
    table = feed.catalog_table()
    for n in range(1, 5):
        scan = table.scan(snapshot_id=table.snapshot_by_name(f"v{n}").snapshot_id)
        assert sorted(zip(*[scan.to_arrow()[c].to_pylist() for c in ("user_id", "total", "version")])) == [(f"user{i}", i * n, f"v{n}") for i in range(n)]
    feed.firn.ok("table", "rollback", "tables.summary", "v2")
    assert sorted(pd.read_parquet(os.path.join(feed.root, "version=v5")).itertuples(index=False, name=None)) == [("user0", 0), ("user1", 2)]
    assert sorted(feed.catalog_table().scan().to_arrow()["version"].to_pylist()) == ["v5", "v5"]


def test_permissions(stream):
    assert os.stat(stream.root).st_mode & 0o777 == 0o750
    assert {os.stat(f).st_mode & 0o777 for f in stream.files()} == {0o640}
    path = os.path.join(stream.firn.lake, "feeds", "active", f"{stream.name}.json")
    with open(path) as f:
        feed = json.load(f)
    with open(path, "w") as f:
        json.dump(dict(feed, permissions="755"), f)
    stream.sync()
    assert os.stat(stream.root).st_mode & 0o777 == 0o755
    assert {os.stat(f).st_mode & 0o777 for f in stream.files()} == {0o644}
