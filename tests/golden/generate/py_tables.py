"""Golden tables written by PyIceberg (SQL catalog in SQLite). The docstring of each function is the table's description."""
import datetime as dt
import decimal
import uuid

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import (BucketTransform, DayTransform, HourTransform, IdentityTransform, MonthTransform, TruncateTransform, YearTransform)
from pyiceberg.types import (BinaryType, BooleanType, DateType, DecimalType, DoubleType, FixedType, FloatType, IntegerType, ListType, LongType, MapType,
                             NestedField as F, StringType, StructType, TimestampType, TimestamptzType, TimeType, UUIDType)

TABLES = {}
UTC = dt.timezone.utc


def table(order_by=("id",)):
    def wrap(fn):
        TABLES[fn.__name__] = {"fn": fn, "about": " ".join(fn.__doc__.split()), "order_by": list(order_by), "writer": "PyIceberg"}
        return fn

    return wrap


class Maker:
    def __init__(self, catalog, name):
        self.catalog, self.name = catalog, name

    def create(self, schema, version=2, **kw):
        props = {"format-version": str(version), **kw.pop("properties", {})}
        return self.catalog.create_table(("golden", self.name), schema, location=f"file:///firn-golden/{self.name}", properties=props, **kw)


def arrow(tbl, *rows):
    schema = tbl.schema().as_arrow()
    names = schema.names
    return pa.Table.from_pylist([dict(zip(names, r)) for r in rows], schema=schema)


def all_types(m, version):
    s = Schema(F(1, "id", IntegerType(), required=True), F(2, "b", BooleanType()), F(3, "i", IntegerType()), F(4, "l", LongType()), F(5, "f", FloatType()),
               F(6, "d", DoubleType()), F(7, "dec9", DecimalType(9, 2)), F(8, "dec38", DecimalType(38, 10)), F(9, "date", DateType()), F(10, "time", TimeType()),
               F(11, "ts", TimestampType()), F(12, "tstz", TimestamptzType()), F(13, "s", StringType()), F(14, "u", UUIDType()), F(15, "fx", FixedType(4)),
               F(16, "bin", BinaryType()))
    t = m.create(s, version)
    D = decimal.Decimal
    t.append(arrow(t,
                   (1, True, 34, 34, 1.5, -2.5, D("14.20"), D("12345678901234567890.0123456789"), dt.date(2017, 11, 16), dt.time(22, 31, 8, 123456),
                    dt.datetime(2017, 11, 16, 22, 31, 8, 123456), dt.datetime(2017, 11, 16, 22, 31, 8, 1, tzinfo=UTC), "iceberg",
                    uuid.UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7").bytes, b"\0\1\2\3", b"\0\xff\x10"),
                   (2, False, -2**31, -2**63, float("-inf"), float("nan"), D("-9999999.99"), D("-0.0000000001"), dt.date(1, 1, 1), dt.time(0, 0),
                    dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(1900, 1, 1, tzinfo=UTC), "", uuid.UUID(int=0).bytes, b"\0" * 4, b""),
                   (3,) + (None,) * 15))


@table()
def py_types_v1(m):
    """every v1/v2 primitive type by PyIceberg, format v1"""
    all_types(m, 1)


@table()
def py_types_v2(m):
    """every v1/v2 primitive type by PyIceberg, format v2"""
    all_types(m, 2)


def partitioned(m, version):
    s = Schema(F(1, "id", IntegerType()), F(2, "ts", TimestampType()), F(3, "k", StringType()), F(4, "n", DecimalType(9, 2)), F(5, "p", LongType()))
    spec = PartitionSpec(PartitionField(2, 1000, DayTransform(), "ts_day"), PartitionField(1, 1001, BucketTransform(4), "id_bucket"),
                         PartitionField(3, 1002, TruncateTransform(2), "k_trunc"), PartitionField(5, 1003, IdentityTransform(), "p"))
    t = m.create(s, version, partition_spec=spec, sort_order=SortOrder(SortField(source_id=3, transform=IdentityTransform())))
    D = decimal.Decimal
    t.append(arrow(t, (1, dt.datetime(2024, 2, 29, 12), "iceberg", D("1.25"), 7), (2, dt.datetime(1969, 12, 31, 23), "é🧊x", D("-1.25"), -7),
                   (3, None, None, None, None)))
    t.append(arrow(t, (4, dt.datetime(2024, 2, 29, 13), "ice", D("0.00"), 7)))


@table()
def py_part_v1(m):
    """day, bucket, truncate and identity partitions by PyIceberg, nulls in all, sort order, format v1"""
    partitioned(m, 1)


@table()
def py_part_v2(m):
    """day, bucket, truncate and identity partitions by PyIceberg, nulls in all, sort order, format v2"""
    partitioned(m, 2)


@table()
def py_part_time(m):
    """year, month and hour partitions by PyIceberg"""
    s = Schema(F(1, "id", IntegerType()), F(2, "d", DateType()), F(3, "mo", TimestamptzType()), F(4, "h", TimestampType()))
    spec = PartitionSpec(PartitionField(2, 1000, YearTransform(), "d_year"), PartitionField(3, 1001, MonthTransform(), "mo_month"),
                         PartitionField(4, 1002, HourTransform(), "h_hour"))
    t = m.create(s, partition_spec=spec)
    t.append(arrow(t, (1, dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, tzinfo=UTC), dt.datetime(2024, 2, 29, 5)),
                   (2, dt.date(1969, 12, 31), dt.datetime(1969, 12, 31, 23, tzinfo=UTC), dt.datetime(1969, 12, 31, 23, 59)), (3, None, None, None)))


@table()
def py_nested(m):
    """nested types by PyIceberg, with a nested add and rename"""
    s = Schema(F(1, "id", IntegerType()), F(2, "st", StructType(F(5, "a", IntegerType()), F(6, "b", StringType()))),
               F(3, "li", ListType(7, StructType(F(8, "x", DoubleType())), element_required=False)), F(4, "m", MapType(9, StringType(), 10, IntegerType(), value_required=False)))
    t = m.create(s)
    t.append(arrow(t, (1, {"a": 1, "b": "x"}, [{"x": 1.5}, None], [("k", 1), ("n", None)]), (2, None, None, None), (3, {"a": None, "b": None}, [], [])))
    with t.update_schema() as u:
        u.rename_column("st.a", "aa")
        u.add_column(("st", "c"), LongType())
        u.add_column(("li", "y"), StringType())
    t.append(arrow(t, (4, {"aa": 4, "b": "y", "c": 44}, [{"x": 4.5, "y": "s"}], [("z", 4)])))


@table()
def py_evolved(m):
    """schema and spec evolved by PyIceberg: add, rename, widen, move, drop, partition added and replaced"""
    s = Schema(F(1, "id", IntegerType()), F(2, "a", StringType()), F(3, "f", FloatType()), F(4, "gone", StringType()))
    t = m.create(s)
    t.append(arrow(t, (1, "x", 1.5, "gone")))
    with t.update_schema() as u:
        u.update_column("id", LongType())
        u.update_column("f", DoubleType())
        u.rename_column("a", "b")
        u.delete_column("gone")
        u.add_column("n", DateType())
        u.move_first("n")
    t.append(arrow(t, (dt.date(2024, 1, 1), 2**40, "y", 1e300)))
    with t.update_spec() as u:
        u.add_field("n", MonthTransform(), "n_month")
        u.add_identity("b")
    t.append(arrow(t, (dt.date(2024, 2, 1), 3, "z", 3.5)))
    with t.update_spec() as u:
        u.remove_field("n_month")
        u.add_field("id", BucketTransform(3), "id_bucket")
    t.append(arrow(t, (None, 4, None, None)))


@table()
def py_overwrite(m):
    """PyIceberg delete, overwrite by filter, dynamic partition overwrite and upsert"""
    s = Schema(F(1, "id", IntegerType(), required=True), F(2, "p", StringType()), F(3, "v", LongType()), identifier_field_ids=[1])
    t = m.create(s, partition_spec=PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "p")))
    t.append(arrow(t, (1, "a", 1), (2, "a", 2), (3, "b", 3), (4, "b", 4), (5, "c", 5)))
    t.delete("id == 1")
    t.overwrite(arrow(t, (6, "b", 6)), overwrite_filter="p == 'b' and v > 3")
    t.dynamic_partition_overwrite(arrow(t, (7, "c", 7)))
    t.upsert(arrow(t, (2, "a", 22), (8, "d", 8)))
    t.manage_snapshots().create_tag(t.history()[0].snapshot_id, "first").commit()
    t.manage_snapshots().create_branch(t.current_snapshot().snapshot_id, "dev").commit()


def manifest_codec(m, name):
    s = Schema(F(1, "id", IntegerType()), F(2, "k", StringType()))
    t = m.create(s, properties={"write.avro.compression-codec": name})
    t.append(arrow(t, (1, "a"), (2, "b")))
    t.append(arrow(t, (3, None)))


@table()
def py_manifest_zstd(m):
    """manifests and manifest lists in Avro with the zstandard codec"""
    manifest_codec(m, "zstd")


@table()
def py_manifest_snappy(m):
    """manifests and manifest lists in Avro with the snappy codec"""
    manifest_codec(m, "snappy")


@table()
def py_manifest_null(m):
    """manifests and manifest lists in Avro without compression"""
    manifest_codec(m, "null")


@table()
def py_name_mapping(m):
    """Parquet files without field ids added by PyIceberg add_files, read by the name mapping that it sets"""
    import os

    import pyarrow.parquet as pq
    s = Schema(F(1, "id", LongType()), F(2, "k", StringType()), F(3, "tags", ListType(4, StringType(), element_required=False)),
               F(5, "st", StructType(F(6, "x", DoubleType()))))
    t = m.create(s)
    os.makedirs(f"/firn-golden/{m.name}/imported", exist_ok=True)
    for n, rows in enumerate([[{"id": 1, "k": "a", "tags": ["t", None], "st": {"x": 1.5}}], [{"id": 2, "k": None, "tags": None, "st": None}]]):
        schema = pa.schema([("id", pa.int64()), ("k", pa.string()), ("tags", pa.list_(pa.string())), ("st", pa.struct([("x", pa.float64())]))])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), f"/firn-golden/{m.name}/imported/{n}.parquet")
    t.add_files([f"file:///firn-golden/{m.name}/imported/{n}.parquet" for n in range(2)])
    with t.update_schema() as u:
        u.rename_column("k", "key")
    t.append(arrow(t, (3, "c", [], {"x": None})))


def make(names=()):
    """Makes all tables or the named ones; returns the names made and {name: error}."""
    import os
    db = "/tmp/firn-golden-catalog.db"
    if os.path.exists(db):
        os.remove(db)
    catalog = SqlCatalog("golden", uri=f"sqlite:///{db}", warehouse="file:///firn-golden")
    catalog.create_namespace("golden")
    made, failed = [], {}
    for name, entry in TABLES.items():
        if names and name not in names:
            continue
        try:
            entry["fn"](Maker(catalog, name))
            made.append(name)
        except Exception as e:  # noqa: BLE001
            import traceback
            traceback.print_exc()
            failed[name] = repr(e)
            continue
        TABLES[name]["metadata"] = catalog.load_table(("golden", name)).metadata_location
    os.remove(db)
    return made, failed
