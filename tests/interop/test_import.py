"""Tables and folders that others made come into a lake: warehouses are registered, data folders adopted, and Spark and PyIceberg read what
came of it as firn does."""
import datetime as dt
import decimal
import glob
import json
import os
import shutil
import uuid

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import test_pyiceberg
import test_spark
from conftest import init, rows_of

HIVE = [("day", pa.date32()), ("city", pa.string())]


@pytest.fixture
def lake(tmp_path):
    firn = init(tmp_path / "lake")
    firn.execute("CREATE SCHEMA b")
    return firn


def both_agree(spark, lake, table):
    """Spark and PyIceberg read the rows that firn reads; gives their number."""
    rows = test_pyiceberg.same_rows(lake, table)
    test_spark.same_rows(spark, lake, table)
    return len(rows)


def write_hive(folder, table, keys, name="part-{i}.parquet", **options):
    flavor = ds.partitioning(pa.schema(keys), flavor="hive")
    ds.write_dataset(table, folder, format="parquet", partitioning=flavor, basename_template=name, existing_data_behavior="overwrite_or_ignore", **options)


def cities():
    return pa.table({
        "id": pa.array(range(7), pa.int32()),
        "name": ["a", "b", None, "d", "e", "f", "g"],
        "price": [1.5, 2.5, float("nan"), None, -0.0, 1.0, float("inf")],
        "day": pa.array([dt.date(2024, 1, 1)] * 3 + [dt.date(2024, 2, 1)] * 2 + [None, dt.date(1969, 12, 31)], pa.date32()),
        "city": ["München", "a/b", "x=y", "50%", None, "O'Neil", "%2F \"q\" [*]?"],
    })


# ---- adopt -----------------------------------------------------------------------------------------------------


def test_hive_folder(spark, lake, tmp_path):
    folder = tmp_path / "hive"
    write_hive(folder, cities(), HIVE)
    (folder / "_SUCCESS").touch()
    said = lake.ok("table", "adopt", "b.t", str(folder))
    assert "adopted 7 files with 7 rows" in said and "7 partitions by day date, city string" in said
    assert both_agree(spark, lake, "b.t") == 7
    want = [(r["id"], r["city"], r["day"].isoformat() if r["day"] else None) for r in cities().to_pylist()]
    assert [(r["id"], r["city"], r["day"]) for r in lake.sql("SELECT id, city, day::VARCHAR AS day FROM b.t ORDER BY id")] == want
    # Pruned by partition: one file of seven.
    assert lake.sql("SELECT count(*) AS n FROM b.t WHERE city = 'a/b' AND day = '2024-01-01'") == [{"n": 1}]
    df = test_spark.load(spark, lake, "b.t")
    assert df.where("city = 'a/b' AND day = date'2024-01-01'").count() == 1
    assert df.where("city IS NULL").count() == 1 and df.where("day IS NULL").count() == 1


def everything(n, seed):
    return pa.table({
        "b": pa.array([True, None, False] * n),
        "i8": pa.array([1, None, -3] * n, pa.int8()),
        "i": pa.array([seed, None, -seed] * n, pa.int32()),
        "l": pa.array([2**40 + seed, None, -1] * n, pa.int64()),
        "f": pa.array([1.25, None, float("nan")] * n, pa.float32()),
        "d": pa.array([0.1, None, -1e300] * n, pa.float64()),
        "dec": pa.array([decimal.Decimal("12345.67"), None, decimal.Decimal("-0.01")] * n, pa.decimal128(9, 2)),
        "big": pa.array([decimal.Decimal("1234567890123456789.12"), None, decimal.Decimal("-0.01")] * n, pa.decimal128(30, 2)),
        "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1900, 1, 1)] * n),
        "ts": pa.array([dt.datetime(2024, 2, 29, 1, 2, 3, 456789), None, dt.datetime(1900, 1, 1)] * n, pa.timestamp("us")),
        "tz": pa.array([dt.datetime(2024, 2, 29, 1, 2, 3, 456789), None, dt.datetime(1900, 1, 1)] * n, pa.timestamp("us", "UTC")),
        "s": ["München 🏔", None, ""] * n,
        "bin": [b"\x00\xff", None, b""] * n,
        "fix": pa.array([b"abcd", None, b"\xff\xfe\x00\x01"] * n, pa.binary(4)),
        "list": [[1, None], None, []] * n,
        "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}] * n,
        "map": pa.array([[("k", 1)], None, []] * n, pa.map_(pa.string(), pa.int64())),
        "deep": [[{"x": [1]}], [], [{"x": [2, 3]}]] * n, # PyIceberg makes an empty list of a null list of structs
    })


def test_all_types(spark, lake, tmp_path):
    folder = tmp_path / "types"
    folder.mkdir()
    for i in range(3):
        pq.write_table(everything(i + 1, i), folder / f"{i}.parquet", row_group_size=2)
    lake.ok("table", "adopt", "b.t", str(folder))
    assert both_agree(spark, lake, "b.t") == 18
    assert lake.sql("SELECT count(*) AS n FROM b.t WHERE l > 1000") == [{"n": 6}]
    assert test_spark.load(spark, lake, "b.t").where("l > 1000 AND s = 'München 🏔'").count() == 6


def test_files_of_different_schemas(spark, lake, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    pq.write_table(pa.table({"id": pa.array([1, 2], pa.int32()), "x": pa.array([1.5, None], pa.float32()), "st": [{"a": 1}, None]}), folder / "1.parquet")
    pq.write_table(pa.table({"extra": ["e"], "x": [2.5], "id": pa.array([2**40], pa.int64()), "st": [{"b": "new", "a": 7}]}), folder / "2.parquet")
    pq.write_table(pa.table({"ID": pa.array([5], pa.int32())}), folder / "3.parquet")
    lake.ok("table", "adopt", "b.t", str(folder))
    assert both_agree(spark, lake, "b.t") == 4
    assert lake.sql("SELECT sum(id) AS s FROM b.t") == [{"s": 2**40 + 8}]


def test_folder_grows(spark, lake, tmp_path):
    folder = tmp_path / "grows"
    write_hive(folder, cities(), HIVE)
    lake.ok("table", "adopt", "b.t", str(folder))
    more = pa.table({"id": pa.array([10, 2**35], pa.int64()), "tag": ["p", "q"], "day": pa.array([dt.date(2024, 3, 1)] * 2), "city": ["Bern"] * 2})
    write_hive(folder, more, HIVE, name="more-{i}.parquet")
    said = lake.ok("table", "adopt", "b.t", str(folder), "--add")
    assert "added 1 file with 2 rows" in said and "made id long" in said and "added tag string" in said
    assert both_agree(spark, lake, "b.t") == 9
    assert "has every file" in lake.ok("table", "adopt", "b.t", str(folder), "--add")
    # Rows that firn writes lie in files of its own, beside the adopted ones.
    lake.execute("INSERT INTO b.t BY NAME SELECT 99 AS id, DATE '2024-03-01' AS day, 'Bern' AS city")
    lake.execute("DELETE FROM b.t WHERE id = 10", "UPDATE b.t SET name = 'new' WHERE id = 0")
    assert both_agree(spark, lake, "b.t") == 9
    said = lake.ok("table", "adopt", "b.t", str(folder), "--add")
    assert "has every file" in said and "once in the table, deleted or rewritten since" in said
    assert both_agree(spark, lake, "b.t") == 9
    assert len(glob.glob(str(folder / "**" / "*.parquet"), recursive=True)) == 8


def test_old_timestamps(spark, lake, tmp_path):
    """INT96, as Hive and old Sparks wrote instants."""
    folder = tmp_path / "int96"
    folder.mkdir()
    stamps = [dt.datetime(2024, 2, 29, 1, 2, 3, 456789), None, dt.datetime(1970, 1, 1)]
    pq.write_table(pa.table({"t": pa.array(stamps, pa.timestamp("us"))}), folder / "a.parquet", use_deprecated_int96_timestamps=True)
    lake.ok("table", "adopt", "b.t", str(folder))
    assert both_agree(spark, lake, "b.t") == 3


def test_partition_column_in_the_files(spark, lake, tmp_path):
    """Some writers keep the column in the files, too."""
    for year in (2023, 2024):
        (tmp_path / "both" / f"year={year}").mkdir(parents=True)
        pq.write_table(pa.table({"year": [year] * 2, "v": [1, 2]}), tmp_path / "both" / f"year={year}" / "a.parquet")
    lake.ok("table", "adopt", "b.t", str(tmp_path / "both"))
    assert both_agree(spark, lake, "b.t") == 4
    pq.write_table(pa.table({"year": [2022], "v": [1]}), tmp_path / "both" / "year=2024" / "b.parquet")
    done = lake.run("table", "adopt", "b.t", str(tmp_path / "both"), "--add")
    assert done.returncode == 1 and "other values than its folder says (2024)" in done.stderr


def test_spark_writes_into_an_adopted_table(spark, lake, tmp_path):
    """An engine that goes on with the table finds columns, partitions and name mapping in order."""
    folder = tmp_path / "hive"
    write_hive(folder, cities(), HIVE)
    lake.ok("table", "adopt", "b.t", str(folder))
    catalog = "local"
    warehouse = spark.conf.get(f"spark.sql.catalog.{catalog}.warehouse").removeprefix("file:")
    name = "adopted_" + uuid.uuid4().hex[:8]
    home = os.path.join(warehouse, "db", name)
    os.makedirs(os.path.join(home, "metadata"))
    with open(lake.metadata("b.t")) as f:
        meta = json.load(f)
    meta["location"] = "file:" + home
    with open(os.path.join(home, "metadata", "v1.metadata.json"), "w") as f:
        json.dump(meta, f)
    spark.sql(f"INSERT INTO {catalog}.db.{name} VALUES (100, 'spark', 1.0, DATE'2024-01-01', 'München')")
    assert spark.sql(f"SELECT count(*) FROM {catalog}.db.{name} WHERE city = 'München'").collect()[0][0] == 2


# ---- add_files ---------------------------------------------------------------------------------------------------


def spark_add_files(spark, folder, ddl):
    name = "spark_" + uuid.uuid4().hex[:8]
    spark.sql(f"CREATE TABLE local.db.{name} {ddl}")
    spark.sql(f"CALL local.system.add_files(table => 'db.{name}', source_table => '`parquet`.`{folder}`')")
    return f"local.db.{name}"


def test_add_files_as_spark_does(spark, lake, tmp_path):
    folder = tmp_path / "both"
    table = cities().drop_columns(["city"]).append_column("n", pa.array([1, 1, 2, 2, 2, 1, 3], pa.int32())).drop_columns(["day"])
    write_hive(folder, table, [("n", pa.int32())])
    theirs = spark_add_files(spark, folder, "(id INT, name STRING, price DOUBLE, n INT) USING iceberg PARTITIONED BY (n)")
    lake.execute("CREATE TABLE b.t (id INT, name STRING, price DOUBLE, n INT) PARTITIONED BY (n)")
    said = lake.sql(f"CALL system.add_files(table => 'b.t', source_table => '`parquet`.`{folder}`')")
    assert said == [{"added_files_count": 3, "changed_partition_count": 3}]
    ours = sorted((str(r["id"]), r["name"], str(r["price"]), r["n"]) for r in lake.sql("SELECT id, name, price::VARCHAR AS price, n FROM b.t"))
    spark_rows = spark.sql(f"SELECT id, name, CAST(price AS STRING) AS price, n FROM {theirs}").collect()
    lower = {"NaN": "nan", "Infinity": "inf"}
    assert ours == sorted((str(r.id), r.name, str(lower.get(r.price, r.price)), r.n) for r in spark_rows)
    assert both_agree(spark, lake, "b.t") == 7
    # What the metadata says of the files agrees: counts, sizes, nulls, value counts, partition.
    columns = "file_path, record_count, file_size_in_bytes, value_counts, null_value_counts, partition.n AS n"
    want = {r.file_path.removeprefix("file:"): r for r in spark.sql(f"SELECT {columns} FROM {theirs}.files").collect()}
    got = {r["file_path"].removeprefix("file://"): r for r in lake.sql(f'SELECT file_path, record_count, file_size_in_bytes, value_counts, null_value_counts, partition.n AS n FROM b."t$files"')}
    assert want.keys() == got.keys()
    for path, r in want.items():
        g = got[path]
        assert (r.record_count, r.file_size_in_bytes, r.n) == (g["record_count"], g["file_size_in_bytes"], g["n"])
        assert r.value_counts == counts(g["value_counts"]) and r.null_value_counts == counts(g["null_value_counts"])


def counts(value):
    """A map of DuckDB as JSON: an object or a list of pairs."""
    if isinstance(value, dict):
        return {int(k): v for k, v in value.items()}
    return {int(p["key"]): p["value"] for p in value}


def test_add_files_refuses_what_is_there(lake, tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    pq.write_table(pa.table({"a": [1, 2], "more": ["not", "read"]}), folder / "a.parquet")
    lake.execute("CREATE TABLE b.t (a BIGINT)")
    call = f"CALL add_files('b.t', '`parquet`.`{folder}`'%s)"
    lake.execute(call % "")
    done = lake.run("sql", "-c", call % "")
    assert done.returncode == 1 and "in the table already" in done.stderr
    assert lake.sql("SELECT * FROM b.t ORDER BY a") == [{"a": 1}, {"a": 2}]
    lake.execute(call % ", check_duplicate_files => false")
    assert lake.sql("SELECT count(*) AS n FROM b.t") == [{"n": 4}]


def test_add_files_of_some_partitions(spark, lake, tmp_path):
    folder = tmp_path / "hive"
    write_hive(folder, cities(), HIVE)
    lake.execute("CREATE TABLE b.t (id INT, name STRING, price DOUBLE, day DATE, city STRING) PARTITIONED BY (day, city)")
    said = lake.sql(f"CALL system.add_files(table => 'b.t', source_table => '`parquet`.`{folder}`', partition_filter => map('day', '2024-01-01'))")
    assert said == [{"added_files_count": 3, "changed_partition_count": 3}]
    assert both_agree(spark, lake, "b.t") == 3


# ---- register --scan -------------------------------------------------------------------------------------------


def test_spark_warehouse(spark, lake, tmp_path):
    """A Hadoop catalog of Spark's, with nested namespaces."""
    home = tmp_path / "warehouse"
    spark.conf.set("spark.sql.catalog.moved", "org.apache.iceberg.spark.SparkCatalog")
    spark.conf.set("spark.sql.catalog.moved.type", "hadoop")
    spark.conf.set("spark.sql.catalog.moved.warehouse", f"file:{home}")
    spark.sql("CREATE TABLE moved.sales.orders (id BIGINT, day DATE) USING iceberg PARTITIONED BY (day)")
    spark.sql("INSERT INTO moved.sales.orders VALUES (1, DATE'2024-01-01'), (2, DATE'2024-01-02')")
    spark.sql("INSERT INTO moved.sales.orders VALUES (3, DATE'2024-01-03')")
    spark.sql("CREATE TABLE moved.a.b.t (x STRING) USING iceberg TBLPROPERTIES ('write.metadata.compression-codec' = 'gzip')")
    spark.sql("INSERT INTO moved.a.b.t VALUES ('x')")
    rows = rows_of(lake.ok("table", "register", "--scan", str(home), "--verify", "--format", "json"))
    assert {(r["table"], r["action"], r["rows"]) for r in rows} == {("sales.orders", "register", 3), ("a.b.t", "register", 1)}
    assert lake.sql("SELECT sum(id) AS s FROM sales.orders") == [{"s": 6}]
    assert lake.sql("SELECT x FROM a.b.t") == [{"x": "x"}]
    # The hint may be behind, or gone: the highest version is taken.
    spark.sql("INSERT INTO moved.sales.orders VALUES (4, DATE'2024-01-04')")
    os.remove(home / "sales" / "orders" / "metadata" / "version-hint.text")
    lake.ok("table", "register", "--scan", str(home), "--replace")
    assert lake.sql("SELECT sum(id) AS s FROM sales.orders") == [{"s": 10}]


def test_pyiceberg_warehouse(lake, tmp_path):
    from pyiceberg.catalog.sql import SqlCatalog

    home = tmp_path / "warehouse"
    home.mkdir()
    catalog = SqlCatalog("old", uri=f"sqlite:///{tmp_path}/old.db", warehouse=f"file://{home}")
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.orders", pa.schema([("id", pa.int64())]))
    for i in range(3):
        table.append(pa.table({"id": [i]}))
    lake.ok("table", "register", "--scan", str(home))
    assert lake.sql("SELECT count(*) AS n FROM shop.orders") == [{"n": 3}]


def test_copied_warehouse(lake, tmp_path):
    other = init(tmp_path / "other")
    other.execute("CREATE SCHEMA s", "CREATE TABLE s.t AS SELECT 1 AS a")
    shutil.copytree(os.path.join(other.lake, "warehouse"), tmp_path / "copy")
    said = lake.ok("table", "register", "--scan", str(tmp_path / "copy"))
    alias = next(line.strip() for line in said.splitlines() if "{from:" in line)
    config = os.path.join(lake.lake, "firn.yaml")
    with open(config) as f:
        text = f.read()
    with open(config, "w") as f:
        f.write(text.replace("  # aliases: []", "  aliases:\n    " + alias))
    shutil.rmtree(os.path.join(other.lake, "warehouse"))
    lake.ok("table", "register", "--scan", str(tmp_path / "copy"), "--verify")
    assert lake.sql("SELECT a FROM s.t") == [{"a": 1}]


# ---- export ------------------------------------------------------------------------------------------------------


def test_exported_tables(spark, lake, tmp_path):
    """An export of an adopted table and of one with deletion vectors, read without the lake that they came from."""
    from pyiceberg.table import StaticTable

    write_hive(tmp_path / "hive", cities(), HIVE)
    lake.ok("table", "adopt", "b.t", str(tmp_path / "hive"))
    lake.execute("CREATE TABLE b.dv TBLPROPERTIES ('format-version' = '3', 'write.delete.mode' = 'merge-on-read') AS SELECT i AS id FROM range(100) r(i)",
                 "DELETE FROM b.dv WHERE id < 10")
    want = {}
    for name in ("t", "dv"):
        want[name] = lake.sql(f"SELECT * FROM b.{name}")
        lake.ok("table", "export", f"b.{name}", str(tmp_path / "out" / name))
    shutil.rmtree(tmp_path / "hive")
    shutil.rmtree(os.path.join(lake.lake, "warehouse"))
    for name, rows in want.items():
        metadata = glob.glob(str(tmp_path / "out" / name / "metadata" / "*.metadata.json"))
        assert len(metadata) == 1
        ids = sorted(r["id"] for r in rows)
        assert sorted(r.id for r in spark.read.format("iceberg").load("file:" + metadata[0]).collect()) == ids
        assert sorted(StaticTable.from_metadata(metadata[0]).scan().to_arrow().column("id").to_pylist()) == ids
