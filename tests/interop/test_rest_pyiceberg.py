"""PyIceberg works on a lake through firn serve; after each step firn reads the same rows, and PyIceberg reads what firn writes."""
import datetime as dt
import decimal

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError, NamespaceNotEmptyError, NoSuchNamespaceError, NoSuchTableError, TableAlreadyExistsError, ValidationException
from pyiceberg.expressions import And, EqualTo, GreaterThan, In, IsNull, LessThan, NotEqualTo, Or, StartsWith
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform, TruncateTransform
from pyiceberg.types import DateType, DecimalType, DoubleType, IntegerType, ListType, LongType, MapType, NestedField, StringType, StructType, TimestampType, TimestamptzType

# PyIceberg 0.12 reads format version 3 and evolves its tables, but writes no rows into them.
WRITES = ["1", "2"]
VERSIONS = ["1", "2", "3"]


@pytest.fixture(scope="module")
def catalog(served):
    return load_catalog("firn", type="rest", uri=served.uri)


@pytest.fixture
def ns(catalog, request):
    name = "py_" + "".join(c if c.isalnum() else "_" for c in request.node.name.removeprefix("test_")).strip("_")
    catalog.create_namespace(name)
    return name


KV = Schema(NestedField(1, "id", LongType()), NestedField(2, "k", StringType()), NestedField(3, "v", DoubleType()))


def kv(*rows):
    return pa.table({"id": pa.array([r[0] for r in rows], pa.int64()), "k": pa.array([r[1] for r in rows], pa.string()), "v": pa.array([r[2] for r in rows], pa.float64())})


def rows_of(table, **options):
    return sorted((tuple(r.values()) for r in table.scan(**options).to_arrow().to_pylist()), key=repr)


def firn_rows(served, name, columns="*", where=""):
    return sorted((tuple(float(v) if isinstance(v, str) and c == "v" else v for c, v in r.items()) for r in served.firn.sql(f"SELECT {columns} FROM {name} {where}")), key=repr)


def agree(served, catalog, name, expected=None):
    """PyIceberg, freshly loaded, and firn see the same rows."""
    got = rows_of(catalog.load_table(name))
    assert got == firn_rows(served, name)
    if expected is not None:
        assert got == sorted(expected, key=repr)
    return got


def firn_may_write(served, name, version):
    """firn's SQL reads format version 1 and upgrades it, but writes no rows into it."""
    if version == "1":
        served.firn.execute(f"ALTER TABLE {name} SET TBLPROPERTIES ('format-version' = '2')")


def test_namespaces(served, catalog):
    catalog.create_namespace("py_a", {"owner": "me", "x": "1"})
    catalog.create_namespace(("py_a", "b"))
    assert ("py_a",) in catalog.list_namespaces()
    assert catalog.list_namespaces("py_a") == [("py_a", "b")]
    assert catalog.namespace_exists("py_a") and not catalog.namespace_exists("py_none")
    done = catalog.update_namespace_properties("py_a", removals={"x", "nothing"}, updates={"y": "2"})
    assert (set(done.removed), set(done.updated), set(done.missing)) == ({"x"}, {"y"}, {"nothing"})
    assert {"owner": "me", "y": "2"}.items() <= catalog.load_namespace_properties("py_a").items()
    with pytest.raises(NamespaceAlreadyExistsError):
        catalog.create_namespace("py_a")
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace("py_a")
    catalog.drop_namespace(("py_a", "b"))
    catalog.drop_namespace("py_a")
    with pytest.raises(NoSuchNamespaceError):
        catalog.load_namespace_properties("py_a")


def test_names(served, catalog, ns):
    """Spaces, plus signs, dots and letters of the world in names."""
    for name in ("a b", "a+b", "a.b", "é🧊", "UPPER", "a%20b"):
        table = catalog.create_table((ns, name), KV)
        table.append(kv((1, name, 1.0)))
        assert rows_of(catalog.load_table((ns, name))) == [(1, name, 1.0)]
        assert firn_rows(served, f'{ns}."{name}"') == [(1, name, 1.0)]
    assert len(catalog.list_tables(ns)) == 6


@pytest.mark.parametrize("version", WRITES)
def test_create_append_types(served, catalog, ns, version):
    schema = Schema(
        NestedField(1, "id", LongType(), required=True), NestedField(2, "i", IntegerType()), NestedField(3, "s", StringType(), doc="text"), NestedField(4, "d", DateType()),
        NestedField(5, "ts", TimestampType()), NestedField(6, "tz", TimestamptzType()), NestedField(7, "n", DecimalType(12, 3)),
        NestedField(8, "l", ListType(9, IntegerType(), element_required=False)), NestedField(10, "m", MapType(11, StringType(), 12, LongType(), value_required=False)),
        NestedField(13, "st", StructType(NestedField(14, "a", IntegerType()), NestedField(15, "b", StringType()))))
    name = f"{ns}.t"
    table = catalog.create_table(name, schema, partition_spec=PartitionSpec(PartitionField(4, 1000, DayTransform(), "day"), PartitionField(1, 1001, BucketTransform(4), "b")),
                                 sort_order=SortOrder(SortField(1, transform=IdentityTransform())), properties={"format-version": version, "owner": "me"})
    assert table.metadata.format_version == int(version)
    assert table.properties["owner"] == "me"
    row = {"id": 1, "i": 2, "s": "x", "d": dt.date(2024, 2, 29), "ts": dt.datetime(2024, 2, 29, 1, 2, 3, 456789), "tz": dt.datetime(2024, 2, 29, 1, 2, 3, 456789, tzinfo=dt.timezone.utc),
           "n": decimal.Decimal("1.250"), "l": [1, None, 3], "m": [("a", 1), ("b", None)], "st": {"a": 1, "b": "y"}}
    table.append(pa.Table.from_pylist([row, {"id": 2}], schema=table.schema().as_arrow()))
    assert [r["id"] for r in served.firn.sql(f"SELECT id FROM {name} WHERE d = DATE '2024-02-29'")] == [1]
    got = served.firn.sql(f"SELECT id, s, n::VARCHAR AS n, ts::VARCHAR AS ts, l, st FROM {name} ORDER BY id")
    assert got[0]["n"] == "1.250" and got[0]["ts"] == "2024-02-29 01:02:03.456789" and got[1]["s"] is None
    firn_may_write(served, name, version)
    served.firn.execute(f"INSERT INTO {name} (id, s) VALUES (3, 'firn')")
    table.refresh()
    assert table.scan(row_filter=EqualTo("s", "firn")).to_arrow()["id"].to_pylist() == [3]
    assert table.scan().to_arrow().num_rows == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_evolve(served, catalog, ns, version):
    name = f"{ns}.t"
    table = catalog.create_table(name, KV, properties={"format-version": version})
    if version in WRITES:
        table.append(kv((1, "a", 1.5)))
    else:
        served.firn.execute(f"INSERT INTO {name} VALUES (1, 'a', 1.5)")
        table.refresh()
    with table.update_schema() as update:
        update.add_column("n", IntegerType(), doc="new")
        update.add_column(("st"), StructType(NestedField(20, "x", IntegerType())))
        update.move_first("k")
        update.rename_column("k", "key")
    with table.update_schema() as update:
        update.update_column("n", LongType())
        update.add_column(("st", "y"), StringType())
        update.delete_column("v")
    with table.update_spec() as update:
        update.add_field("id", BucketTransform(4), "id_bucket")
        update.add_field("key", TruncateTransform(2), "key_trunc")
    with table.update_spec() as update:
        update.remove_field("id_bucket")
    with table.update_sort_order() as update:
        update.desc("id", IdentityTransform())
    assert [f.name for f in table.schema().fields] == ["key", "id", "n", "st"]
    assert {"st.x", "st.y"} <= set(table.schema().column_names)
    firn_may_write(served, name, version)
    served.firn.execute(f"INSERT INTO {name} (key, id, n) VALUES ('firn', 2, 6000000000)", f"ALTER TABLE {name} ADD COLUMN z DATE")
    table = catalog.load_table(name)
    assert table.schema().fields[-1].name == "z"
    assert sorted((r["key"], r["id"], r["n"]) for r in table.scan().to_arrow().to_pylist()) == [("a", 1, None), ("firn", 2, 6000000000)]
    assert firn_rows(served, name, "key, id, n") == [("a", 1, None), ("firn", 2, 6000000000)]


@pytest.mark.parametrize("version", WRITES)
def test_write(served, catalog, ns, version):
    """append, overwrite with and without a filter, delete, upsert, dynamic partition overwrite: firn agrees after each."""
    name = f"{ns}.t"
    table = catalog.create_table(name, KV, partition_spec=PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "k")), properties={"format-version": version})
    table.append(kv((1, "a", 1.0), (2, "b", 2.0), (3, "c", 3.0)))
    agree(served, catalog, name, [(1, "a", 1.0), (2, "b", 2.0), (3, "c", 3.0)])
    table.overwrite(kv((2, "b", 20.0), (4, "b", 40.0)), overwrite_filter=EqualTo("k", "b"))
    agree(served, catalog, name, [(1, "a", 1.0), (2, "b", 20.0), (4, "b", 40.0), (3, "c", 3.0)])
    table.delete(delete_filter=EqualTo("id", 4))
    agree(served, catalog, name, [(1, "a", 1.0), (2, "b", 20.0), (3, "c", 3.0)])
    done = table.upsert(kv((3, "c", 30.0), (5, "e", 50.0)), join_cols=["id"])
    assert (done.rows_updated, done.rows_inserted) == (1, 1)
    agree(served, catalog, name, [(1, "a", 1.0), (2, "b", 20.0), (3, "c", 30.0), (5, "e", 50.0)])
    table.dynamic_partition_overwrite(kv((6, "a", 6.0)))
    agree(served, catalog, name, [(6, "a", 6.0), (2, "b", 20.0), (3, "c", 30.0), (5, "e", 50.0)])
    firn_may_write(served, name, version)
    served.firn.execute(f"UPDATE {name} SET v = v + 1 WHERE id = 2", f"DELETE FROM {name} WHERE id = 3")
    agree(served, catalog, name, [(6, "a", 6.0), (2, "b", 21.0), (5, "e", 50.0)])
    table.refresh()
    table.overwrite(kv((9, "z", 9.0)))
    agree(served, catalog, name, [(9, "z", 9.0)])
    table.delete()
    agree(served, catalog, name, [])


@pytest.mark.parametrize("version", ["2", "3"])
def test_merge_on_read(served, catalog, ns, version):
    """PyIceberg reads firn's delete files (position deletes in v2, deletion vectors in v3)."""
    name = f"{ns}.t"
    served.firn.execute(f"CREATE TABLE {name} (id BIGINT, k VARCHAR, v DOUBLE) TBLPROPERTIES ('format-version'='{version}', 'write.delete.mode'='merge-on-read')",
                        f"INSERT INTO {name} SELECT i, 'k' || i, i FROM range(10) r(i)", f"DELETE FROM {name} WHERE id % 3 = 0")
    agree(served, catalog, name, [(i, f"k{i}", float(i)) for i in range(10) if i % 3])


def test_scan_filters(served, catalog, ns):
    name = f"{ns}.t"
    table = catalog.create_table(name, KV, partition_spec=PartitionSpec(PartitionField(1, 1000, BucketTransform(4), "b")))
    for part in range(4):
        table.append(kv(*((i, f"k{i % 5}" if i % 7 else None, i / 2) for i in range(part * 25, part * 25 + 25))))
    for expression, where in ((EqualTo("id", 42), "id = 42"), (And(GreaterThan("id", 10), LessThan("v", 20.0)), "id > 10 AND v < 20"), (In("k", ["k1", "k3"]), "k IN ('k1', 'k3')"),
                              (IsNull("k"), "k IS NULL"), (StartsWith("k", "k"), "k LIKE 'k%'"), (Or(NotEqualTo("k", "k1"), EqualTo("id", 1)), "k != 'k1' OR id = 1")):
        assert rows_of(table, row_filter=expression) == firn_rows(served, name, where="WHERE " + where), where
    assert table.scan(selected_fields=("k",), limit=5).to_arrow().num_rows == 5
    assert table.scan().count() == 100


def test_time_travel(served, catalog, ns):
    name = f"{ns}.t"
    table = catalog.create_table(name, KV)
    table.append(kv((1, "a", 1.0)))
    first = table.current_snapshot().snapshot_id
    table.append(kv((2, "b", 2.0)))
    table.manage_snapshots().create_tag(first, "v1").create_branch(first, "old").commit()
    assert rows_of(table, snapshot_id=first) == [(1, "a", 1.0)] == firn_rows(served, f"{name} VERSION AS OF 'v1'")
    table.append(kv((3, "c", 3.0)), branch="old")
    assert firn_rows(served, f"{name} VERSION AS OF 'old'") == [(1, "a", 1.0), (3, "c", 3.0)]
    assert agree(served, catalog, name) == [(1, "a", 1.0), (2, "b", 2.0)]
    table.manage_snapshots().remove_tag("v1").commit()
    assert [h["snapshot_id"] for h in served.firn.sql(f"SELECT snapshot_id FROM {name}.history ORDER BY made_current_at")] == [h.snapshot_id for h in catalog.load_table(name).history()]


def test_transaction(served, catalog, ns):
    name = f"{ns}.t"
    table = catalog.create_table(name, KV)
    with table.transaction() as tx:
        tx.append(kv((1, "a", 1.0)))
        with tx.update_schema() as update:
            update.add_column("n", IntegerType())
        tx.set_properties(a="b")
    assert catalog.load_table(name).properties["a"] == "b"
    assert agree(served, catalog, name, [(1, "a", 1.0, None)])
    with catalog.create_table_transaction(f"{ns}.staged", KV) as tx:
        assert not catalog.table_exists(f"{ns}.staged")
        tx.append(kv((7, "g", 7.0)))
    agree(served, catalog, f"{ns}.staged", [(7, "g", 7.0)])


def test_conflict(served, catalog, ns):
    """Two overwrites of one table from the same state: the second is refused, and nothing of it is there."""
    name = f"{ns}.t"
    catalog.create_table(name, KV).append(kv((1, "a", 1.0)))
    mine, theirs = catalog.load_table(name), catalog.load_table(name)
    theirs.overwrite(kv((2, "b", 2.0)))
    with pytest.raises((CommitFailedException, ValidationException)):
        mine.overwrite(kv((3, "c", 3.0)))
    agree(served, catalog, name, [(2, "b", 2.0)])
    stale = catalog.load_table(name)
    catalog.load_table(name).append(kv((4, "d", 4.0)))
    stale.append(kv((5, "e", 5.0)))  # appends do not get in each other's way
    agree(served, catalog, name, [(2, "b", 2.0), (4, "d", 4.0), (5, "e", 5.0)])


def test_rename_register_drop(served, catalog, ns):
    catalog.create_namespace(ns + "_2")
    table = catalog.create_table(f"{ns}.t", KV)
    table.append(kv((1, "a", 1.0)))
    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table(f"{ns}.t", KV)
    catalog.rename_table(f"{ns}.t", f"{ns}_2.u")
    assert not catalog.table_exists(f"{ns}.t") and catalog.list_tables(ns + "_2") == [(ns + "_2", "u")]
    agree(served, catalog, f"{ns}_2.u", [(1, "a", 1.0)])
    location = catalog.load_table(f"{ns}_2.u").metadata_location
    catalog.drop_table(f"{ns}_2.u")
    with pytest.raises(NoSuchTableError):
        catalog.load_table(f"{ns}_2.u")
    catalog.register_table(f"{ns}.back", location)
    agree(served, catalog, f"{ns}.back", [(1, "a", 1.0)])
    catalog.purge_table(f"{ns}.back")
    assert catalog.list_tables(ns) == [] == [t for t in served.firn.tables() if t["namespace"] == ns]


def test_properties(served, catalog, ns):
    table = catalog.create_table(f"{ns}.t", KV)
    with table.transaction() as tx:
        tx.set_properties({"a": "1", "b": "2"})
    with table.transaction() as tx:
        tx.remove_properties("a")
    assert [r["value"] for r in served.firn.sql(f"SHOW TBLPROPERTIES {ns}.t ('b')")] == ["2"]
    served.firn.execute(f"ALTER TABLE {ns}.t SET TBLPROPERTIES ('c' = '3')")
    properties = catalog.load_table(f"{ns}.t").properties
    assert properties["c"] == "3" and "a" not in properties


def test_views(served, catalog, ns):
    served.firn.execute(f"CREATE TABLE {ns}.t (id BIGINT)", f"CREATE VIEW {ns}.v AS SELECT id FROM {ns}.t")
    assert catalog.list_views(ns) == [(ns, "v")]
    assert catalog.view_exists(f"{ns}.v") and not catalog.view_exists(f"{ns}.t")
    catalog.drop_view(f"{ns}.v")
    assert catalog.list_views(ns) == []
    assert catalog.list_tables(ns) == [(ns, "t")]


def test_firn_writes_pyiceberg_reads(served, catalog, ns):
    name = f"{ns}.t"
    served.firn.execute(f"CREATE TABLE {name} (id BIGINT, k VARCHAR, v DOUBLE) PARTITIONED BY (truncate(1, k))", f"INSERT INTO {name} VALUES (1, 'a', 1.5), (2, NULL, 2.5)",
                        f"ALTER TABLE {name} ADD PARTITION FIELD bucket(4, id)", f"INSERT INTO {name} VALUES (3, 'c', 3.5)",
                        f"MERGE INTO {name} AS t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 9.5")
    agree(served, catalog, name, [(1, "a", 9.5), (2, None, 2.5), (3, "c", 3.5)])
    assert [str(f.transform) for f in catalog.load_table(name).spec().fields] == ["truncate[1]", "bucket[4]"]
