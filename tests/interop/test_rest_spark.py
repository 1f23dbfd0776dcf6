"""Spark works on a lake through firn serve, in SQL and by DataFrames; after each step firn reads the same rows, and Spark reads what firn writes."""
import datetime as dt
import glob
import json
import os
import re

import encoding
import pytest
import servers
from conftest import local_path
from pyspark.errors import AnalysisException
from pyspark.sql.functions import col, lit

VERSIONS = ["2", "3"]
MODES = ["copy-on-write", "merge-on-read"]


@pytest.fixture
def ns(rest_spark, request):
    name = "sp_" + "".join(c if c.isalnum() else "_" for c in request.node.name.removeprefix("test_")).strip("_")
    rest_spark.sql(f"CREATE NAMESPACE rest.{name}")
    return name


@pytest.fixture
def run(rest_spark):
    """Runs a statement; its rows as tuples."""
    return lambda statement: [tuple(r) for r in rest_spark.sql(statement).collect()]


def fields_of(served, name):
    namespace, table = name.split(".")
    meta = json.loads(servers.get(f"{served.uri}/v1/namespaces/{namespace}/tables/{table}")[1])["metadata"]
    return next(s for s in meta["schemas"] if s["schema-id"] == meta["current-schema-id"])["fields"]


def agree(served, run, name, expected=None):
    """Spark and firn see the same rows of rest.<name>."""
    fields = fields_of(served, name)
    theirs = sorted(json.dumps(r) for r in encoding.rows(fields, run(f"SELECT * FROM rest.{name}")))
    ours = sorted(json.dumps(r) for r in encoding.rows(fields, served.firn.sql(f"SELECT * FROM {name}")))
    assert theirs == ours
    if expected is not None:
        assert sorted(run(f"SELECT * FROM rest.{name}"), key=repr) == sorted(expected, key=repr)


def test_namespaces(served, run):
    run("CREATE NAMESPACE rest.sp_ns COMMENT 'for tests' WITH DBPROPERTIES ('a' = '1')")
    run("CREATE NAMESPACE rest.sp_ns.inner")
    run("ALTER NAMESPACE rest.sp_ns SET DBPROPERTIES ('b' = '2')")
    assert ("sp_ns",) in run("SHOW NAMESPACES IN rest") and run("SHOW NAMESPACES IN rest.sp_ns") == [("sp_ns.inner",)]
    described = dict(run("DESCRIBE NAMESPACE EXTENDED rest.sp_ns"))
    assert described["Comment"] == "for tests" and "(a,1)" in described["Properties"] and "(b,2)" in described["Properties"]
    run("CREATE TABLE rest.sp_ns.t (id INT)")
    with pytest.raises(Exception, match="not empty|cannot drop"):
        run("DROP NAMESPACE rest.sp_ns")
    run("DROP TABLE rest.sp_ns.t")
    run("DROP NAMESPACE rest.sp_ns.inner")
    run("DROP NAMESPACE rest.sp_ns")
    assert ("sp_ns",) not in run("SHOW NAMESPACES IN rest")


@pytest.mark.parametrize("version", VERSIONS)
def test_ddl(served, run, ns, version):
    t = f"{ns}.t"
    run(f"""CREATE TABLE rest.{t} (id BIGINT NOT NULL COMMENT 'key', s STRING, d DATE, ts TIMESTAMP, n DECIMAL(9,2), st STRUCT<a: INT, b: STRING>, l ARRAY<INT>, m MAP<STRING, INT>)
            USING iceberg PARTITIONED BY (bucket(4, id), days(ts), truncate(2, s)) COMMENT 'a table' TBLPROPERTIES ('format-version'='{version}', 'x'='1')""")
    row = "1, 'one', DATE '2024-02-29', TIMESTAMP '2024-02-29 12:00:00', 1.25, named_struct('a', 1, 'b', 'x'), array(1, 2), map('k', 1)"
    run(f"INSERT INTO rest.{t} VALUES ({row})")
    agree(served, run, t)
    for change in ("ADD COLUMNS (z INT COMMENT 'later' AFTER s)", "ADD COLUMN st.c DOUBLE", "RENAME COLUMN s TO str", "ALTER COLUMN z TYPE BIGINT", "ALTER COLUMN id DROP NOT NULL", "ALTER COLUMN d COMMENT 'day'",
                   "DROP COLUMN n", "ALTER COLUMN z FIRST", "ADD PARTITION FIELD years(d)", "DROP PARTITION FIELD bucket(4, id)", "REPLACE PARTITION FIELD days(ts) WITH hours(ts)", "WRITE ORDERED BY id DESC, str",
                   "SET TBLPROPERTIES ('y'='2')", "UNSET TBLPROPERTIES ('x')"):
        run(f"ALTER TABLE rest.{t} {change}")
    run(f"INSERT INTO rest.{t} VALUES (9, 2, 'two', DATE '1969-12-31', TIMESTAMP '1969-12-31 23:00:00', named_struct('a', 2, 'b', 'y', 'c', 2.5), array(), map())")
    agree(served, run, t)
    served.firn.execute(f"ALTER TABLE {t} ADD COLUMN f DOUBLE", f"INSERT INTO {t} (id, str, f) VALUES (3, 'firn', 0.5)", f"UPDATE {t} SET f = 1.5 WHERE id = 1")
    agree(served, run, t)
    properties = dict(run(f"SHOW TBLPROPERTIES rest.{t}"))
    assert properties["y"] == "2" and "x" not in properties and properties["format"] == "iceberg/parquet"
    run(f"ALTER TABLE rest.{t} RENAME TO {ns}.u")
    agree(served, run, f"{ns}.u")
    assert run(f"SHOW TABLES IN rest.{ns}") == [(ns, "u", False)]
    run(f"DROP TABLE rest.{ns}.u")
    assert run(f"SHOW TABLES IN rest.{ns}") == []


def test_ctas_rtas(served, run, ns):
    t = f"{ns}.t"
    run(f"CREATE TABLE rest.{t} USING iceberg PARTITIONED BY (k) AS SELECT id, concat('k', id % 3) AS k FROM range(10)")
    agree(served, run, t)
    first = run(f"SELECT snapshot_id FROM rest.{t}.snapshots")[0][0]
    run(f"REPLACE TABLE rest.{t} USING iceberg AS SELECT 7L AS id, DATE '2024-01-01' AS d")
    agree(served, run, t)
    run(f"CREATE OR REPLACE TABLE rest.{t} USING iceberg AS SELECT id, 'x' AS s FROM range(3)")
    agree(served, run, t, [(0, "x"), (1, "x"), (2, "x")])
    # Only id: Spark cannot read a partition column that the replaced table no longer has.
    assert len(run(f"SELECT id FROM rest.{t} VERSION AS OF {first}")) == 10 == served.firn.sql(f"SELECT count(*) AS n FROM {t} VERSION AS OF {first}")[0]["n"]
    with pytest.raises(AnalysisException, match="ALREADY_EXISTS"):
        run(f"CREATE TABLE rest.{t} (id INT)")
    run(f"CREATE TABLE IF NOT EXISTS rest.{t} (id INT)")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_dml(served, run, rest_spark, ns, version, mode):
    t = f"{ns}.t"
    run(f"""CREATE TABLE rest.{t} (id BIGINT, k STRING, v DOUBLE) USING iceberg PARTITIONED BY (k) TBLPROPERTIES ('format-version'='{version}',
            'write.delete.mode'='{mode}', 'write.update.mode'='{mode}', 'write.merge.mode'='{mode}')""")
    run(f"INSERT INTO rest.{t} SELECT id, concat('k', id % 4), id / 2 FROM range(40)")
    agree(served, run, t)
    run(f"DELETE FROM rest.{t} WHERE id % 5 = 0")
    agree(served, run, t)
    run(f"DELETE FROM rest.{t} WHERE k = 'k3'")
    agree(served, run, t)
    run(f"UPDATE rest.{t} SET v = v * 10, k = 'moved' WHERE id BETWEEN 10 AND 20")
    agree(served, run, t)
    run(f"""MERGE INTO rest.{t} t USING (SELECT id, 'merged' AS k, 1.5D AS v, id % 2 AS odd FROM range(30, 50)) s ON t.id = s.id
            WHEN MATCHED AND s.odd = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET k = s.k, v = s.v WHEN NOT MATCHED AND s.odd = 0 THEN INSERT (id, k, v) VALUES (s.id, s.k, s.v)
            WHEN NOT MATCHED BY SOURCE AND t.id < 3 THEN DELETE""")
    agree(served, run, t)
    served.firn.execute(f"DELETE FROM {t} WHERE id = 14", f"UPDATE {t} SET v = 0 WHERE k = 'k1'", f"INSERT INTO {t} VALUES (1000, 'firn', 1.0)",
                        f"MERGE INTO {t} AS t USING (SELECT 1000 AS id UNION ALL SELECT 1001) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 2.0 WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, 'firn')")
    agree(served, run, t)
    rest_spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    run(f"INSERT OVERWRITE rest.{t} SELECT 500, 'firn', 5.0D")
    agree(served, run, t)
    assert run(f"SELECT id FROM rest.{t} WHERE k = 'firn'") == [(500,)] and len(run(f"SELECT * FROM rest.{t}")) > 1
    rest_spark.conf.set("spark.sql.sources.partitionOverwriteMode", "static")
    run(f"INSERT OVERWRITE rest.{t} PARTITION (k = 'merged') SELECT 600, 6.0D")
    agree(served, run, t)
    run(f"INSERT OVERWRITE rest.{t} SELECT 1, 'k', 1.0D")
    agree(served, run, t, [(1, "k", 1.0)])
    run(f"TRUNCATE TABLE rest.{t}")
    agree(served, run, t, [])


def test_dataframes(served, run, rest_spark, ns):
    t = f"{ns}.t"
    df = rest_spark.range(20).select(col("id"), (col("id") % 3).cast("string").alias("k"))
    df.writeTo(f"rest.{t}").using("iceberg").partitionedBy(col("k")).tableProperty("format-version", "2").create()
    first = run(f"SELECT snapshot_id, committed_at FROM rest.{t}.snapshots")[0]
    df.select((col("id") + 100).alias("id"), lit("9").alias("k")).writeTo(f"rest.{t}").append()
    agree(served, run, t)
    df.limit(2).select((col("id") + 200).alias("id"), lit("9").alias("k")).writeTo(f"rest.{t}").overwritePartitions()
    agree(served, run, t)
    df.limit(1).select((col("id") + 300).alias("id"), lit("1").alias("k")).writeTo(f"rest.{t}").overwrite(col("k") == "1")
    agree(served, run, t)
    assert rest_spark.read.option("snapshot-id", first[0]).table(f"rest.{t}").count() == 20
    assert rest_spark.table(f"rest.{t}").filter("k = '9'").count() == 2
    df.write.format("iceberg").mode("append").save(f"rest.{t}")
    agree(served, run, t)
    df.limit(3).writeTo(f"rest.{t}").using("iceberg").createOrReplace()
    agree(served, run, t, [(0, "0"), (1, "1"), (2, "2")])


def test_time_travel_and_metadata_tables(served, run, rest_spark, ns):
    t = f"{ns}.t"
    run(f"CREATE TABLE rest.{t} (id INT, k STRING) USING iceberg PARTITIONED BY (k)")
    for i in range(3):
        run(f"INSERT INTO rest.{t} VALUES ({i}, 'k{i % 2}')")
    snapshots = run(f"SELECT snapshot_id, committed_at FROM rest.{t}.snapshots ORDER BY committed_at")
    for n, (snapshot, at) in enumerate(snapshots, 1):
        assert len(run(f"SELECT * FROM rest.{t} VERSION AS OF {snapshot}")) == n == served.firn.sql(f"SELECT count(*) AS n FROM {t} VERSION AS OF {snapshot}")[0]["n"]
        assert len(run(f"SELECT * FROM rest.{t} TIMESTAMP AS OF '{at}'")) == n == served.firn.sql(f"SELECT count(*) AS n FROM {t} TIMESTAMP AS OF '{at}'")[0]["n"]
    assert rest_spark.read.option("as-of-timestamp", int(snapshots[0][1].timestamp() * 1000) + 1).table(f"rest.{t}").count() == 1
    assert len(rest_spark.read.format("iceberg").option("start-snapshot-id", snapshots[0][0]).option("end-snapshot-id", snapshots[2][0]).load(f"rest.{t}").collect()) == 2
    for name in ("snapshots", "history", "refs", "files", "data_files", "delete_files", "manifests", "entries", "partitions", "metadata_log_entries", "all_files", "all_data_files", "all_delete_files",
                 "all_entries", "all_manifests", "position_deletes"):
        assert rest_spark.table(f"rest.{t}.{name}").count() == served.firn.sql(f"SELECT count(*) AS n FROM {t}.{name}")[0]["n"], name


def test_table_branches_and_tags(served, run, ns):
    t = f"{ns}.t"
    run(f"CREATE TABLE rest.{t} (id INT) USING iceberg")
    run(f"INSERT INTO rest.{t} VALUES (1)")
    run(f"ALTER TABLE rest.{t} CREATE TAG v1 RETAIN 30 DAYS")
    run(f"ALTER TABLE rest.{t} CREATE BRANCH audit RETAIN 7 DAYS WITH SNAPSHOT RETENTION 3 SNAPSHOTS")
    run(f"INSERT INTO rest.{t}.branch_audit VALUES (2)")
    assert sorted(run(f"SELECT * FROM rest.{t} VERSION AS OF 'audit'")) == [(1,), (2,)]
    assert [r["id"] for r in served.firn.sql(f"SELECT id FROM {t} VERSION AS OF 'audit' ORDER BY id")] == [1, 2]
    assert run(f"SELECT * FROM rest.{t}") == [(1,)]
    run(f"CALL rest.system.fast_forward('{t}', 'main', 'audit')")
    agree(served, run, t, [(1,), (2,)])
    served.firn.execute(f"ALTER TABLE {t} CREATE TAG v2", f"INSERT INTO {t} VALUES (4)")
    assert len(run(f"SELECT * FROM rest.{t} VERSION AS OF 'v2'")) == 2 and len(run(f"SELECT * FROM rest.{t} VERSION AS OF 'v1'")) == 1
    run(f"ALTER TABLE rest.{t} REPLACE TAG v2")
    run(f"ALTER TABLE rest.{t} DROP BRANCH audit")
    run(f"ALTER TABLE rest.{t} DROP TAG v1")
    assert sorted(r[0] for r in run(f"SELECT name FROM rest.{t}.refs")) == ["main", "v2"] == sorted(r["name"] for r in served.firn.sql(f"SELECT name FROM {t}.refs"))


@pytest.mark.parametrize("version", VERSIONS)
def test_maintenance(served, run, ns, version):
    """Compaction, manifests, expiry, orphans: rows stay as they are."""
    t = f"{ns}.t"
    run(f"""CREATE TABLE rest.{t} (id INT, k STRING) USING iceberg PARTITIONED BY (k) TBLPROPERTIES ('format-version'='{version}', 'write.delete.mode'='merge-on-read')""")
    for i in range(6):
        run(f"INSERT INTO rest.{t} SELECT CAST(id + {i * 10} AS INT), concat('k', id % 2) FROM range(10)")
    run(f"DELETE FROM rest.{t} WHERE id % 7 = 0")
    before = sorted(run(f"SELECT * FROM rest.{t}"))
    run(f"CALL rest.system.rewrite_data_files(table => '{t}', options => map('rewrite-all', 'true'))")
    agree(served, run, t, before)
    run(f"CALL rest.system.rewrite_position_delete_files(table => '{t}', options => map('rewrite-all', 'true'))")
    run(f"CALL rest.system.rewrite_manifests('{t}')")
    agree(served, run, t, before)
    run(f"CALL rest.system.expire_snapshots(table => '{t}', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)")
    agree(served, run, t, before)
    assert len(run(f"SELECT * FROM rest.{t}.snapshots")) == 1
    location = os.path.dirname(os.path.dirname(served.firn.metadata(t)))
    stray = os.path.join(location, "data", "stray.parquet")
    with open(stray, "w") as f:
        f.write("nobody's")
    os.utime(stray, (0, 0))
    found = run(f"CALL rest.system.remove_orphan_files(table => '{t}')")
    assert [local_path(r[0]) for r in found] == [stray]
    assert not os.path.exists(stray)
    agree(served, run, t, before)
    served.firn.execute(f"INSERT INTO {t} VALUES (1000, 'firn')")
    agree(served, run, t, before + [(1000, "firn")])


def test_snapshot_procedures(served, run, rest_spark, ns):
    t = f"{ns}.t"
    run(f"CREATE TABLE rest.{t} (id INT) USING iceberg TBLPROPERTIES ('write.wap.enabled'='true')")
    run(f"INSERT INTO rest.{t} VALUES (1)")
    run(f"INSERT INTO rest.{t} VALUES (2)")
    first, second = [r[0] for r in run(f"SELECT snapshot_id FROM rest.{t}.snapshots ORDER BY committed_at")]
    run(f"CALL rest.system.rollback_to_snapshot('{t}', {first})")
    agree(served, run, t, [(1,)])
    run(f"CALL rest.system.set_current_snapshot('{t}', {second})")
    agree(served, run, t, [(1,), (2,)])
    rest_spark.conf.set("spark.wap.id", "audit-1")
    run(f"INSERT INTO rest.{t} VALUES (3)")
    rest_spark.conf.unset("spark.wap.id")
    agree(served, run, t, [(1,), (2,)])
    staged = run(f"SELECT snapshot_id FROM rest.{t}.snapshots WHERE summary['wap.id'] = 'audit-1'")[0][0]
    served.firn.execute(f"INSERT INTO {t} VALUES (4)")
    run(f"CALL rest.system.cherrypick_snapshot('{t}', {staged})")
    agree(served, run, t, [(1,), (2,), (3,), (4,)])
    run(f"CALL rest.system.rollback_to_timestamp('{t}', TIMESTAMP '{run(f'SELECT max(committed_at) FROM rest.{t}.snapshots')[0][0]}')")
    assert len(run(f"CALL rest.system.ancestors_of('{t}')")) >= 3


def test_maintenance_spares_other_refs(served, run, ns):
    """What expiry and orphan removal on main may not touch: rows that only dev, or only a tag of the lake, still has."""
    t = f"{ns}.t"
    run(f"CREATE TABLE rest.{t} (id INT) USING iceberg")
    run(f"INSERT INTO rest.{t} VALUES (1)")
    branch = ns.replace("_", "-")
    served.firn.ok("ref", "tag", f"{branch}-tag")
    served.firn.ok("ref", "branch", branch)
    served.firn.ok("--ref", branch, "sql", "-q", "-c", f"INSERT INTO {t} VALUES (2)")
    run(f"INSERT OVERWRITE rest.{t} SELECT 3")
    for call in (f"CALL rest.system.expire_snapshots(table => '{t}', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)",
                 f"CALL rest.system.remove_orphan_files(table => '{t}', older_than => TIMESTAMP '{age_everything(served, t)}')"):
        try:
            run(call)
        except Exception as e:  # refusing is as good as sparing
            assert re.search("GC is disabled|gc.enabled", str(e)), e
    agree(served, run, t, [(3,)])
    assert [r["id"] for r in json.loads(served.firn.ok("--ref", branch, "sql", "--format", "json", "-c", f"SELECT id FROM {t} ORDER BY id"))] == [1, 2]
    assert [r["id"] for r in json.loads(served.firn.ok("--ref", f"{branch}-tag", "sql", "--format", "json", "-c", f"SELECT id FROM {t} ORDER BY id"))] == [1]


def age_everything(served, t):
    """Makes the table's files look ten days old, so that orphan removal takes them for abandoned; gives a time after that."""
    location = os.path.dirname(os.path.dirname(served.firn.metadata(t)))
    for path in glob.glob(location + "/**", recursive=True):
        os.utime(path, (os.stat(path).st_atime - 864000, os.stat(path).st_mtime - 864000))
    return (dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")


def test_views(served, run, ns):
    run(f"CREATE TABLE rest.{ns}.t (id INT, k STRING) USING iceberg")
    run(f"INSERT INTO rest.{ns}.t VALUES (1, 'a'), (2, 'b')")
    run(f"CREATE VIEW rest.{ns}.v (n COMMENT 'number', k) COMMENT 'a view' TBLPROPERTIES ('p'='1') AS SELECT id * 10, k FROM rest.{ns}.t")
    assert sorted(run(f"SELECT * FROM rest.{ns}.v")) == [(10, "a"), (20, "b")]
    run(f"CREATE OR REPLACE VIEW rest.{ns}.v AS SELECT id FROM rest.{ns}.t WHERE id > 1")
    assert run(f"SELECT * FROM rest.{ns}.v") == [(2,)]
    run(f"ALTER VIEW rest.{ns}.v SET TBLPROPERTIES ('q'='2')")
    assert dict(run(f"SHOW TBLPROPERTIES rest.{ns}.v"))["q"] == "2"
    run(f"ALTER VIEW rest.{ns}.v UNSET TBLPROPERTIES ('q')")
    assert "q" not in dict(run(f"SHOW TBLPROPERTIES rest.{ns}.v"))
    assert (ns, "v", False) in run(f"SHOW VIEWS IN rest.{ns}")
    assert "WHERE id > 1" in run(f"SHOW CREATE TABLE rest.{ns}.v")[0][0]
    with pytest.raises(AnalysisException, match="ALREADY_EXISTS"):
        run(f"CREATE VIEW rest.{ns}.v AS SELECT 1 AS x")
    run(f"ALTER VIEW rest.{ns}.v RENAME TO rest.{ns}.w")
    assert run(f"SELECT * FROM rest.{ns}.w") == [(2,)]
    assert [r["name"] for r in served.firn.sql(f"SHOW VIEWS IN {ns}")] == ["w"]
    run(f"DROP VIEW rest.{ns}.w")
    assert run(f"SHOW VIEWS IN rest.{ns}") == []


@pytest.mark.parametrize("version", VERSIONS)
def test_firn_writes_spark_reads(served, run, ns, version):
    t = f"{ns}.t"
    served.firn.execute(f"CREATE TABLE {t} (id BIGINT, k VARCHAR, v DOUBLE) PARTITIONED BY (truncate(1, k)) TBLPROPERTIES ('format-version'='{version}', 'write.delete.mode'='merge-on-read')",
                        f"INSERT INTO {t} SELECT i, 'k' || (i % 3), i FROM range(20) r(i)", f"DELETE FROM {t} WHERE id % 4 = 1", f"ALTER TABLE {t} RENAME COLUMN k TO key")
    agree(served, run, t)
    run(f"DELETE FROM rest.{t} WHERE id = 2")
    run(f"UPDATE rest.{t} SET v = -1 WHERE key = 'k0'")
    agree(served, run, t)
