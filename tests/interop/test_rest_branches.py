"""Two clients on two branches of one lake: Spark on dev, PyIceberg on main, each by its configuration alone; then MERGE BRANCH."""
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import pyarrow as pa
import pytest
from conftest import Firn
import servers
from pyiceberg.catalog import load_catalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

SCHEMA = Schema(NestedField(1, "id", LongType()), NestedField(2, "who", StringType()))


def rows(*ids, who="py"):
    return pa.table({"id": pa.array(ids, pa.int64()), "who": pa.array([who] * len(ids), pa.string())})


@pytest.fixture
def main(served, rest_spark):
    return load_catalog("main", type="rest", uri=served.uri)


@pytest.fixture
def table(served, main, request):
    """A table of its own on main and on dev, which starts the test where main is."""
    name = "br_" + "".join(c if c.isalnum() else "_" for c in request.node.name.removeprefix("test_")).strip("_") + ".t"
    main.create_namespace(name.split(".")[0])
    main.create_table(name, SCHEMA).append(rows(0))
    served.firn.ok("ref", "delete", "dev")
    served.firn.ok("ref", "branch", "dev")
    return name


def ids(served, name, ref="main"):
    return sorted(r["id"] for r in json.loads(served.firn.ok("--ref", ref, "sql", "--format", "json", "-c", f"SELECT id FROM {name}")))


def merge(served, *options):
    return served.firn.run("sql", "-c", " ".join(["MERGE BRANCH dev INTO main", *options]))


@pytest.mark.parametrize("catalog", ["dev", "devp"])
def test_both_append(served, rest_spark, main, table, catalog):
    """dev by its URI, dev by its warehouse: neither sees the other branch, and the merge keeps all rows."""
    rest_spark.sql(f"INSERT INTO {catalog}.{table} VALUES (1, 'spark'), (2, 'spark')")
    main.load_table(table).append(rows(10, 11))
    rest_spark.sql(f"INSERT INTO {catalog}.{table} VALUES (3, 'spark')")
    main.load_table(table).append(rows(12))
    assert ids(served, table) == [0, 10, 11, 12] == sorted(main.load_table(table).scan().to_arrow()["id"].to_pylist())
    assert ids(served, table, "dev") == [0, 1, 2, 3] == sorted(r[0] for r in rest_spark.sql(f"SELECT id FROM {catalog}.{table}").collect())
    done = merge(served)
    assert done.returncode == 0, done.stderr
    everything = [0, 1, 2, 3, 10, 11, 12]
    assert ids(served, table) == everything
    assert sorted(main.load_table(table).scan().to_arrow()["id"].to_pylist()) == everything
    assert sorted(r[0] for r in rest_spark.sql(f"SELECT id FROM rest.{table}").collect()) == everything
    # Both go on: what was merged is not merged again.
    rest_spark.sql(f"INSERT INTO {catalog}.{table} VALUES (4, 'spark')")
    main.load_table(table).append(rows(13))
    assert merge(served).returncode == 0
    assert ids(served, table) == sorted([*everything, 4, 13])


def test_both_append_many_tables(served, rest_spark, main, table):
    """One merge takes over tables that one side changed, made or dropped, and replays one that both appended to."""
    ns = table.split(".")[0]
    for name in ("only_main", "only_dev", "gone"):
        main.create_table(f"{ns}.{name}", SCHEMA).append(rows(0))
    served.firn.ok("ref", "delete", "dev")
    served.firn.ok("ref", "branch", "dev")
    rest_spark.sql(f"INSERT INTO dev.{table} VALUES (1, 'spark')")
    rest_spark.sql(f"DELETE FROM dev.{ns}.only_dev")
    rest_spark.sql(f"DROP TABLE dev.{ns}.gone")
    rest_spark.sql(f"CREATE TABLE dev.{ns}.fresh USING iceberg AS SELECT 5L AS id")
    main.load_table(table).append(rows(10))
    main.load_table(f"{ns}.only_main").overwrite(rows(20))
    done = merge(served)
    assert done.returncode == 0, done.stderr
    assert ids(served, table) == [0, 1, 10]
    assert (ids(served, f"{ns}.only_main"), ids(served, f"{ns}.only_dev"), ids(served, f"{ns}.fresh")) == ([20], [], [5])
    assert sorted(t[1] for t in main.list_tables(ns)) == ["fresh", "only_dev", "only_main", "t"]


def test_conflict_is_refused_and_explained(served, rest_spark, main, table):
    ns = table.split(".")[0]
    main.create_table(f"{ns}.fine", SCHEMA)
    served.firn.ok("ref", "delete", "dev")
    served.firn.ok("ref", "branch", "dev")
    rest_spark.sql(f"UPDATE dev.{table} SET who = 'spark' WHERE id = 0")
    rest_spark.sql(f"INSERT INTO dev.{ns}.fine VALUES (1, 'spark')")
    main.load_table(table).overwrite(rows(0, who="main"))
    dry = merge(served, "DRY RUN")
    done = merge(served)
    assert done.returncode == 1 and table in dry.stderr + dry.stdout
    assert table in done.stderr and "conflict" in (done.stderr + done.stdout).lower(), done.stderr
    # Nothing of the merge is there, not even the table that had no conflict.
    assert ids(served, f"{ns}.fine") == [] and [r["who"] for r in served.firn.sql(f"SELECT who FROM {table}")] == ["main"]
    assert [r["who"] for r in json.loads(served.firn.ok("--ref", "dev", "sql", "--format", "json", "-c", f"SELECT who FROM {table}"))] == ["spark"]


def test_spark_keeps_to_its_branch(served, rest_spark, main, table):
    """DDL and a table's own branches on dev are invisible on main; Iceberg's fast-forward and tags stay on dev, too."""
    ns = table.split(".")[0]
    rest_spark.sql(f"ALTER TABLE dev.{table} ADD COLUMN extra INT")
    rest_spark.sql(f"ALTER TABLE dev.{table} CREATE TAG v1")
    rest_spark.sql(f"CREATE NAMESPACE dev.{ns}_inner")
    rest_spark.sql(f"CREATE VIEW dev.{ns}.v AS SELECT 1 AS one")
    assert main.load_table(table).schema().column_names == ["id", "who"] and "v1" not in main.load_table(table).refs()
    assert main.list_views(ns) == [] and not main.namespace_exists(f"{ns}_inner")
    assert merge(served).returncode == 0
    assert main.load_table(table).schema().column_names == ["id", "who", "extra"] and "v1" in main.load_table(table).refs()
    assert main.list_views(ns) == [(ns, "v")]


def test_t_at_branch(served, rest_spark, table):
    rest_spark.sql(f"INSERT INTO dev.{table} VALUES (1, 'spark')")
    ns = table.split(".")[0]
    assert sorted(r[0] for r in rest_spark.sql(f"SELECT id FROM rest.{ns}.`t@dev`").collect()) == [0, 1]


# ---- kill -9 at every point of a merge ---------------------------------------------------------------

POINTS = ["storage.put", "storage.create", "storage.write", "storage.fsync", "storage.rename", "storage.fsync_dir", "storage.mkdir", "commit.manifest_written", "commit.manifest_list_written",
          "commit.metadata_written", "catalog.begin", "catalog.commit.before", "catalog.commit.after", "commit.pointer_swapped"]


def state(firn):
    """Rows of both tables on main, and how many commits it has."""
    return (sorted(r["id"] for r in firn.sql("SELECT id FROM s.a")), sorted(r["id"] for r in firn.sql("SELECT id FROM s.b")),
            any(t["name"] == "c" for t in firn.tables()))


@pytest.fixture(scope="module")
def two_sided(tmp_path_factory):
    """A lake where dev and main both appended to a, and dev changed b and made c; each test works on a copy."""
    server = servers.FirnServer(tmp_path_factory.mktemp("merge") / "lake")
    with server:
        firn = Firn(server.lake)
        firn.execute("CREATE SCHEMA s", "CREATE TABLE s.a (id BIGINT, who VARCHAR)", "CREATE TABLE s.b (id BIGINT)", "INSERT INTO s.a VALUES (0, '')", "INSERT INTO s.b VALUES (0)", "CREATE BRANCH dev")
        catalog = load_catalog("dev", type="rest", uri=server.branch_uri("dev"))
        catalog.load_table("s.a").append(rows(1))
        catalog.load_table("s.b").append(pa.table({"id": pa.array([1], pa.int64())}))
        catalog.create_table("s.c", SCHEMA)
        load_catalog("main", type="rest", uri=server.uri).load_table("s.a").append(rows(10))
    subprocess.run(["cp", "-a", server.lake, server.lake + ".pristine"], check=True)
    return server.lake


OLD, NEW = ([0, 10], [0], False), ([0, 1, 10], [0, 1], True)


@pytest.mark.parametrize("through", ["sql", "server"])
def test_kill_9_leaves_no_half_merge(two_sided, through):
    """SIGKILL at the passages of every point of the merge, in `firn sql` and in `firn serve`: all of it or nothing, and it can go on."""
    lake, pristine = two_sided, two_sided + ".pristine"
    killed = {}
    for point in POINTS:
        for passage in range(1, 11 if through == "sql" else 3):
            subprocess.run(["rm", "-rf", lake], check=True)
            subprocess.run(["cp", "-a", pristine, lake], check=True)
            died = merge_killed(lake, f"{point}:{passage}", through)
            firn = Firn(lake)
            now = state(firn)
            assert now in (OLD, NEW), f"half merged by a kill at passage {passage} of {point}: {now}"
            if not died:
                assert now == NEW  # the merge got through without passing there so often
                break
            killed[point] = passage
            done = firn.run("sql", "-c", "MERGE BRANCH dev INTO main")
            assert done.returncode == 0, done.stderr
            assert state(firn) == NEW
    assert {"storage.rename", "catalog.commit.before", "catalog.commit.after"} <= set(killed), killed


def merge_killed(lake, kill, through):
    """Merges with FIRN_FAULT_KILL; whether the process was killed."""
    environment = {**os.environ, "FIRN_FAULT_KILL": kill}
    if through == "sql":
        done = subprocess.run([Firn(lake).binary, "--lake", lake, "sql", "-q", "-c", "MERGE BRANCH dev INTO main"], env=environment, capture_output=True, timeout=60)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode != 0
    server = servers.FirnServer(lake, env={"FIRN_FAULT_KILL": kill})
    try:
        server.start()
    except servers.ServerError:
        return True  # it passed there as it started
    request = urllib.request.Request(server.uri.removesuffix("/iceberg") + "/api/v1/merge", data=b'{"from": "dev", "into": "main"}', method="POST", headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            assert reply.status == 200
    except urllib.error.HTTPError as e:
        raise AssertionError(e.read()) from e
    except OSError:
        assert server.process.wait(30) == -signal.SIGKILL
        server.process = None
        return True
    server.stop()
    return False
