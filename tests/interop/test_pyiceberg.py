"""PyIceberg reads the tables that firn wrote, by their metadata files."""
import json

import encoding
import pytest
import written
from conftest import schema_of
from pyiceberg.table import StaticTable
from pyiceberg.transforms import DayTransform, IdentityTransform

DEMO = ["bronze.customers", "bronze.products", "bronze.orders", "silver.orders_enriched", "gold.daily_sales", "gold.customer_metrics", "gold.product_performance",
        "gold.regional_sales"]


def key(rows):
    return sorted(json.dumps(r, sort_keys=True) for r in rows)


def same_rows(firn, table):
    metadata = firn.metadata(table)
    fields = schema_of(metadata)
    got = encoding.rows(fields, StaticTable.from_metadata(metadata).scan().to_arrow().to_pylist())
    want = encoding.rows(fields, firn.sql(f"SELECT * FROM {table}"))
    assert key(got) == key(want)
    return want


@pytest.mark.parametrize("table", DEMO)
def test_demo_rows(demo_lake, table):
    assert same_rows(demo_lake, table), f"{table} is empty"


@pytest.mark.parametrize("table", DEMO)
def test_demo_counts_and_sums(demo_lake, table):
    metadata = demo_lake.metadata(table)
    arrow = StaticTable.from_metadata(metadata).scan().to_arrow()
    assert demo_lake.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"] == arrow.num_rows
    for f in schema_of(metadata):
        if f["type"] in ("int", "long"):
            got = demo_lake.sql(f'SELECT sum("{f["name"]}")::VARCHAR AS s, count("{f["name"]}") AS n FROM {table}')[0]
            column = [v for v in arrow.column(f["name"]).to_pylist() if v is not None]
            assert (int(got["s"] or 0), got["n"]) == (sum(column), len(column)), f["name"]


def partition_fields(table):
    schema = table.schema()
    return [(schema.find_column_name(f.source_id), type(f.transform)) for f in table.spec().fields]


def test_demo_partition_specs(demo_lake):
    def fields(name):
        return partition_fields(StaticTable.from_metadata(demo_lake.metadata(name)))
    assert fields("bronze.orders") == [("order_date", DayTransform)]
    assert fields("bronze.products") == [("category", IdentityTransform)]
    assert fields("silver.orders_enriched") == [("order_year", IdentityTransform), ("order_month", IdentityTransform)]


def test_demo_pruned_count(demo_lake):
    """A predicate on the partition source column gives the same rows in both, so the partition values are right."""
    table = StaticTable.from_metadata(demo_lake.metadata("bronze.orders"))
    for row in demo_lake.sql("SELECT order_date::DATE::VARCHAR AS d, count(*) AS n FROM bronze.orders WHERE order_date IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT 5"):
        day = row["d"]
        field = table.schema().find_field("order_date")
        condition = f"order_date == '{day}'" if str(field.field_type) == "date" else f"order_date >= '{day}T00:00:00' and order_date < '{day}T23:59:59.999999'"
        if str(field.field_type) == "timestamptz":
            condition = condition.replace(":00'", ":00+00:00'").replace("999999'", "999999+00:00'")
        assert table.scan(row_filter=condition).to_arrow().num_rows == row["n"]


@pytest.mark.parametrize(("name", "version"), [c for c in written.CASES if c[0] not in written.PYICEBERG_WRONG], ids=lambda v: str(v))
def test_written(written_lake, name, version):
    same_rows(written_lake, written.make(written_lake, name, version))


@pytest.mark.parametrize(("name", "version"), written.CASES, ids=lambda v: str(v))
def test_manifests(written_lake, name, version):
    """Every manifest parses, every data file is there with the size and the row count that its entry says."""
    import os

    import pyarrow.parquet as pq
    table = StaticTable.from_metadata(written_lake.metadata(written.make(written_lake, name, version)))
    assert table.metadata.format_version == version
    if table.current_snapshot() is None:
        assert name == "empty"
        return
    rows = 0
    for task in table.scan().plan_files():
        path = task.file.file_path.removeprefix("file://").removeprefix("file:")
        assert os.path.getsize(path) == task.file.file_size_in_bytes
        meta = pq.read_metadata(path)
        assert meta.num_rows == task.file.record_count
        rows += meta.num_rows
    assert rows == int(table.current_snapshot().summary["total-records"])
