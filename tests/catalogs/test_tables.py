"""The everyday life of tables and views, the same on every peer."""
from lakes import RemoteLake


def test_a_table_from_its_creation_to_its_end(lake):
    lake.execute("CREATE TABLE $ns.t (a INT, b VARCHAR)")
    assert lake.sql("SELECT * FROM $ns.t") == []
    lake.execute("INSERT INTO $ns.t VALUES (1, 'x'), (2, 'y')", "INSERT INTO $ns.t VALUES (3, 'z')")
    first = lake.sql("SELECT snapshot_id FROM $ns.t.snapshots ORDER BY committed_at")[0]["snapshot_id"]
    lake.execute(
        "ALTER TABLE $ns.t ADD COLUMN c DOUBLE",
        "UPDATE $ns.t SET c = 1.5 WHERE a = 1",
        "DELETE FROM $ns.t WHERE a = 2",
    )
    assert lake.sql("SELECT * FROM $ns.t ORDER BY a") == [{"a": 1, "b": "x", "c": 1.5}, {"a": 3, "b": "z", "c": None}]
    # time travel: before the column came and the row went. Nessie keeps one snapshot of a table and has the rest in its own log.
    if lake.peer.name == "nessie":
        assert "no snapshot" in lake.refused(f"SELECT * FROM $ns.t FOR VERSION AS OF {first}")
    else:
        assert lake.sql(f"SELECT * FROM $ns.t FOR VERSION AS OF {first} ORDER BY a") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    lake.execute("ALTER TABLE $ns.t RENAME COLUMN b TO name", "ALTER TABLE $ns.t RENAME TO u")
    assert lake.column("SELECT name FROM $ns.u ORDER BY a") == ["x", "z"]
    assert "no table" in lake.refused("SELECT * FROM $ns.t")
    lake.execute("DROP TABLE $ns.u")
    assert "no table" in lake.refused("SELECT * FROM $ns.u")


def test_partitions_and_table_properties(lake):
    lake.execute(
        "CREATE TABLE $ns.p (d DATE, v INT) PARTITIONED BY (months(d))",
        "INSERT INTO $ns.p SELECT DATE '2024-01-01' + CAST(range AS INT), range FROM range(90)",
    )
    assert lake.column("SELECT count(*) FROM $ns.p.partitions") == [3]
    assert lake.column("SELECT sum(v) FROM $ns.p WHERE d >= DATE '2024-02-01' AND d < DATE '2024-03-01'") == [sum(range(31, 60))]


def test_create_as_select_and_replace(lake):
    lake.execute("CREATE TABLE $ns.x AS SELECT range AS i FROM range(100)")
    assert lake.column("SELECT sum(i) FROM $ns.x") == [4950]
    lake.execute("CREATE OR REPLACE TABLE $ns.x AS SELECT 7 AS i, 'new' AS t")
    assert lake.sql("SELECT * FROM $ns.x") == [{"i": 7, "t": "new"}]
    lake.execute("CREATE OR REPLACE TABLE $ns.x AS SELECT 8 AS i, 'same' AS t")
    assert lake.sql("SELECT * FROM $ns.x") == [{"i": 8, "t": "same"}]
    assert "already" in lake.refused("CREATE TABLE $ns.x (i INT)")


def test_merge(lake):
    lake.execute(
        "CREATE TABLE $ns.m AS SELECT range AS k, 'old' AS v FROM range(3)",
        "MERGE INTO $ns.m USING (SELECT 2 AS k UNION ALL SELECT 9) s ON m.k = s.k"
        " WHEN MATCHED THEN UPDATE SET v = 'new' WHEN NOT MATCHED THEN INSERT VALUES (s.k, 'born')",
    )
    assert lake.sql("SELECT * FROM $ns.m ORDER BY k") == [{"k": 0, "v": "old"}, {"k": 1, "v": "old"}, {"k": 2, "v": "new"}, {"k": 9, "v": "born"}]


def test_views(lake):
    lake.execute("CREATE TABLE $ns.t AS SELECT 5 AS a", "CREATE VIEW $ns.v AS SELECT a + 1 AS b FROM $ns.t")
    assert lake.sql("SELECT * FROM $ns.v") == [{"b": 6}]
    lake.execute("CREATE OR REPLACE VIEW $ns.v AS SELECT a + 2 AS c, 'x' AS d FROM $ns.t")
    assert lake.sql("SELECT * FROM $ns.v") == [{"c": 7, "d": "x"}]
    lake.execute("ALTER VIEW $ns.v RENAME TO w")
    assert lake.sql("SELECT c FROM $ns.w") == [{"c": 7}]
    lake.execute("DROP VIEW $ns.w")
    assert "no table" in lake.refused("SELECT * FROM $ns.w")


def test_nested_namespaces(lake):
    lake.execute("CREATE SCHEMA $ns.inner", "CREATE TABLE $ns.inner.t AS SELECT 1 AS one")
    assert lake.sql("SELECT * FROM $ns.inner.t") == [{"one": 1}]
    assert lake.ns + ".inner" in lake.column("SHOW SCHEMAS")
    assert "not empty" in lake.refused("DROP SCHEMA $ns.inner")
    lake.execute("DROP TABLE $ns.inner.t", "DROP SCHEMA $ns.inner")
    assert lake.ns + ".inner" not in lake.column("SHOW SCHEMAS")


def test_a_table_is_rolled_back(lake):
    lake.execute("CREATE TABLE $ns.e (a INT)", *(f"INSERT INTO $ns.e VALUES ({i})" for i in range(3)))
    first = lake.sql("SELECT snapshot_id FROM $ns.e.snapshots ORDER BY committed_at")[0]["snapshot_id"]
    if lake.peer.name == "nessie":
        assert lake.column("SELECT count(*) FROM $ns.e.snapshots") == [1]
        return
    lake.execute(f"CALL rollback_to_snapshot('$ns.e', {first})")
    assert lake.column("SELECT a FROM $ns.e") == [0]
    lake.execute("INSERT INTO $ns.e VALUES (9)")
    assert lake.column("SELECT a FROM $ns.e ORDER BY a") == [0, 9]


def test_the_command_line(lake):
    lake.execute("CREATE TABLE $ns.t AS SELECT range AS i FROM range(10)")
    assert "healthy" in lake.ok("status")
    assert f"{lake.ns}" in lake.ok("table", "list", "--format", "json")
    shown = lake.ok("table", "show", f"{lake.ns}.t")
    assert "10 rows" in shown
    lake.ok("table", "rename", f"{lake.ns}.t", f"{lake.ns}.u")
    lake.ok("table", "drop", f"{lake.ns}.u", "--yes") if "--yes" in lake.ok("help", "table", "drop") else lake.ok("table", "drop", f"{lake.ns}.u")


def test_a_lake_is_made_on_a_catalog(reference, tmp_path):
    lake = reference.lake(tmp_path / "driver")
    made = tmp_path / "made"
    lake.folder = str(made)
    lake.ok("init", "--catalog", reference.uri)
    lake.execute("CREATE TABLE IF NOT EXISTS made_here AS SELECT 1 AS a")
    assert lake.column("SELECT a FROM made_here") == [1]
    assert reference.uri in (made / "firn.yaml").read_text()
    assert reference.uri in lake.ok("status")


def test_a_catalog_that_is_away_is_told(reference, tmp_path):
    lake = RemoteLake(tmp_path / "away", reference, uri="http://127.0.0.1:1", token="a-secret-token")
    text = lake.fails("sql", "-c", "SHOW SCHEMAS")
    assert "127.0.0.1:1" in text and "a-secret-token" not in text


def test_a_name_with_a_mistake_names_the_nearest(lake):
    lake.execute("CREATE TABLE $ns.orders (a INT)")
    assert f"Did you mean {lake.ns}.orders?" in lake.refused("SELECT * FROM $ns.ordes")
