"""Spark with the Iceberg runtime reads the tables that firn wrote, by their metadata files."""
import json

import encoding
import pytest
import written
from conftest import schema_of
from test_pyiceberg import DEMO


def key(rows):
    return sorted(json.dumps(r, sort_keys=True) for r in rows)


def load(spark, firn, table, suffix=""):
    return spark.read.format("iceberg").load("file:" + firn.metadata(table) + suffix)


def same_rows(spark, firn, table):
    fields = schema_of(firn.metadata(table))
    df = load(spark, firn, table)
    assert df.columns == [f["name"] for f in fields]
    got = encoding.rows(fields, [tuple(r) for r in df.collect()])
    want = encoding.rows(fields, firn.sql(f"SELECT * FROM {table}"))
    assert key(got) == key(want)
    assert df.count() == len(want)
    return df


@pytest.mark.parametrize("table", DEMO)
def test_demo_rows(spark, demo_lake, table):
    assert same_rows(spark, demo_lake, table).count() > 0


@pytest.mark.parametrize("table", DEMO)
def test_demo_sums(spark, demo_lake, table):
    """Sums that Spark computes over the files equal firn's, exactly for integers and decimals, to the last few bits for reals."""
    for f in schema_of(demo_lake.metadata(table)):
        t = f["type"]
        if isinstance(t, dict) or not (t in ("int", "long", "float", "double") or t.startswith("decimal")):
            continue
        name = f["name"]
        theirs = load(spark, demo_lake, table).selectExpr(f"sum(`{name}`)", f"count(`{name}`)").collect()[0]
        ours = demo_lake.sql(f'SELECT sum("{name}")::VARCHAR AS s, count("{name}") AS n FROM {table}')[0]
        assert ours["n"] == theirs[1], name
        if theirs[0] is None:
            assert ours["s"] is None
        elif t in ("float", "double"):
            assert float(ours["s"]) == pytest.approx(theirs[0], rel=1e-12), name
        else:
            assert int(str(ours["s"]).replace(".", "")) == int(str(theirs[0]).replace(".", "")), name


@pytest.mark.parametrize(("name", "version"), [c for c in written.CASES if c[0] not in written.SPARK_UNREADABLE], ids=lambda v: str(v))
def test_written(spark, written_lake, name, version):
    same_rows(spark, written_lake, written.make(written_lake, name, version))


def function_of(field, columns):
    """The Spark function of Iceberg (org.apache.iceberg.spark.functions) that gives what a partition field must hold."""
    column = f"`{columns[field['source-id']]}`"
    transform, _, width = field["transform"].rstrip("]").partition("[")
    if transform == "identity":
        return column
    if width:
        return f"local.system.{transform}({width}, {column})"
    return f"local.system.{transform}s({column})"


@pytest.mark.parametrize(("name", "version"), [c for c in written.CASES if c[0].startswith("part_")], ids=lambda v: str(v))
def test_partition_values(spark, written_lake, name, version):
    """The partition value that firn recorded for each row is what Iceberg's own function gives."""
    table = written.make(written_lake, name, version)
    with open(written_lake.metadata(table)) as f:
        meta = json.load(f)
    spec = next(s for s in meta["partition-specs"] if s["spec-id"] == meta["default-spec-id"])
    assert len(spec["fields"]) == {"part_identity": 4, "part_bucket": 7, "part_truncate": 4, "part_time": 7}[name]
    columns = {f["id"]: f["name"] for f in schema_of(written_lake.metadata(table))}
    df = load(spark, written_lake, table)
    for field in spec["fields"]:
        function = function_of(field, columns)
        rows = df.selectExpr("id", f"_partition.`{field['name']}`", function).collect()
        assert rows, name
        for r in rows:
            assert r[1] == r[2], f"id {r[0]}: {field['name']} is {r[1]}, {function} is {r[2]}"


@pytest.mark.parametrize(("name", "version"), [c for c in written.CASES if c[0].startswith("part_")], ids=lambda v: str(v))
def test_filters_prune_right(spark, written_lake, name, version):
    """Filtering on each column's values finds every row although Spark prunes by firn's partition values and bounds."""
    df = load(spark, written_lake, written.make(written_lake, name, version))
    rows = df.collect()
    from pyspark.sql.functions import col, lit
    for column in df.columns:
        for value in {r[column] if not isinstance(r[column], bytearray) else bytes(r[column]) for r in rows}:
            want = sum(1 for r in rows if (bytes(r[column]) if isinstance(r[column], bytearray) else r[column]) == value)
            condition = col(column).isNull() if value is None else col(column) == lit(value)
            assert df.filter(condition).count() == want, f"{column} = {value!r}"


@pytest.mark.parametrize(("name", "version"), [("types", 2), ("types", 3), ("nested", 2), ("nested", 3), ("cow", 2), ("cow", 3), ("mor", 3)], ids=lambda v: str(v))
def test_bounds_prune_right(spark, written_lake, name, version):
    """Filters on bounds: =, <, >, is null, is not null agree with the unfiltered rows."""
    from pyspark.sql.functions import col
    df = load(spark, written_lake, written.make(written_lake, name, version))
    rows = df.collect()
    for column in df.columns:
        nulls = sum(1 for r in rows if r[column] is None)
        assert df.filter(col(column).isNull()).count() == nulls, column
        assert df.filter(col(column).isNotNull()).count() == len(rows) - nulls, column
    for r in rows:
        assert df.filter(col("id") == r["id"]).count() == sum(1 for o in rows if o["id"] == r["id"])


@pytest.mark.parametrize(("name", "version"), [c for c in written.CASES if c[0] not in ("empty",)], ids=lambda v: str(v))
def test_metadata_tables(spark, written_lake, name, version):
    """Spark's files, manifests, snapshots, history and partitions tables read firn's manifests; their totals agree."""
    if name in written.SPARK_UNREADABLE:
        tables = ["snapshots", "history", "manifests"]
    else:
        tables = ["snapshots", "history", "manifests", "files", "entries", "partitions", "all_data_files", "refs", "metadata_log_entries"]
    table = written.make(written_lake, name, version)
    got = {m: load(spark, written_lake, table, "#" + m).collect() for m in tables}
    assert got["snapshots"] and got["manifests"]
    if "files" in got:
        data = sum(r["record_count"] for r in got["files"] if r["content"] == 0)
        assert sum(r["record_count"] for r in got["partitions"]) == data
