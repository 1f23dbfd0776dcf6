"""Scan planning by firn serve: PyIceberg reads the same rows as when it plans by itself, over deletes, evolved partitions and nested columns; and views over REST."""
import datetime as dt
import decimal
import json
import urllib.request

import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchViewError
from pyiceberg.expressions import And, AlwaysTrue, EqualTo, GreaterThan, GreaterThanOrEqual, In, IsNaN, IsNull, LessThan, Not, NotEqualTo, NotIn, NotNaN, NotNull, NotStartsWith, Or, StartsWith
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType
from pyiceberg.view.metadata import SQLViewRepresentation, ViewRepresentation, ViewVersion

TABLES = """
create schema plan;
create table plan.plain (id bigint, name varchar, d date, ts timestamp, dec decimal(9,2), x double, n struct(a int, b varchar), l int[]) partitioned by (day(ts));
insert into plan.plain select i, case when i % 7 = 0 then null else 'n' || i end, date '2024-01-01' + (i % 5)::int, timestamp '2024-01-01' + interval (i) hour, (i * 1.5)::decimal(9,2),
    case when i % 11 = 0 then 'nan'::double else i / 3.0 end, {'a': i::int, 'b': 'b' || i}, [i::int, 2] from range(200) t(i);
insert into plan.plain select i, 'second', date '2024-02-01', timestamp '2024-03-01', 1.0, 2.0, {'a': 1, 'b': null}, [] from range(50) t(i);
create table plan.position (id bigint, g varchar, v int) partitioned by (g) tblproperties ('write.delete.mode'='merge-on-read');
insert into plan.position select i, case when i % 3 = 0 then null else 'g' || (i % 3) end, i::int from range(300) t(i);
delete from plan.position where id % 10 = 3;
create table plan.vector (id bigint, g varchar) tblproperties ('format-version'='3', 'write.delete.mode'='merge-on-read');
insert into plan.vector select i, 'g' || (i % 3) from range(300) t(i);
delete from plan.vector where id % 10 = 4;
create table plan.evolved (id bigint, a varchar) partitioned by (bucket(4, id));
insert into plan.evolved select i, 'x' || i from range(100) t(i);
alter table plan.evolved set partitioned by (truncate(2, a));
alter table plan.evolved add column b int;
insert into plan.evolved select i, 'y' || i, i::int from range(100, 150) t(i);
"""

FILTERS = {
    "plain": [
        AlwaysTrue(), EqualTo("id", 5), LessThan("d", dt.date(2024, 1, 3)), GreaterThan("ts", dt.datetime(2024, 1, 5)), In("name", ["n1", "n2", "second"]), NotIn("name", ["n1"]), IsNull("name"),
        NotNull("name"), NotEqualTo("name", "n3"), Not(EqualTo("id", 5)), GreaterThanOrEqual("dec", decimal.Decimal("100.50")), IsNaN("x"), NotNaN("x"), GreaterThan("x", 10.0), StartsWith("name", "n1"),
        NotStartsWith("name", "n1"), Or(EqualTo("id", 7), And(GreaterThan("id", 195), LessThan("id", 198))), EqualTo("n.a", 3), "ts > '2024-01-05T00:00:00' and id < 150", "d = '2024-01-02'", "dec > 200",
    ],
    "position": [AlwaysTrue(), EqualTo("g", "g1"), IsNull("g"), LessThan("v", 50), NotEqualTo("g", "g1")],
    "vector": [AlwaysTrue(), EqualTo("g", "g1"), LessThan("id", 50)],
    "evolved": [AlwaysTrue(), EqualTo("id", 7), IsNull("b"), GreaterThan("b", 120), StartsWith("a", "y1")],
}


@pytest.fixture(scope="module")
def planned(served):
    for statement in TABLES.split(";\n"):
        if statement.strip():
            served.firn.execute(statement)
    by_server = load_catalog("server", type="rest", uri=served.uri, **{"scan-planning-mode": "server"})
    by_client = load_catalog("client", type="rest", uri=served.uri)
    assert by_server.supports_server_side_planning() and not by_client.supports_server_side_planning()
    return by_server, by_client


def rows_of(scan):
    return sorted(map(repr, scan.to_arrow().to_pylist()))


@pytest.mark.parametrize("name", FILTERS)
def test_the_server_plans_as_the_client_does(planned, name):
    tables = [catalog.load_table(f"plan.{name}") for catalog in planned]
    for row_filter in FILTERS[name]:
        scans = [t.scan(row_filter=row_filter) for t in tables]
        expected = rows_of(scans[1])
        assert expected and rows_of(scans[0]) == expected, row_filter
        assert scans[0].count() == len(expected), row_filter
        paths = [sorted(task.file.file_path for task in scan.plan_files()) for scan in scans]
        assert set(paths[0]) <= set(paths[1]), row_filter  # firn prunes at least as well


def test_an_old_snapshot(planned):
    tables = [catalog.load_table("plan.plain") for catalog in planned]
    first = tables[0].metadata.snapshots[0].snapshot_id
    got = [rows_of(t.scan(snapshot_id=first)) for t in tables]
    assert got[0] == got[1] and len(got[0]) == 200


def test_plans_outlive_the_server(served, planned):
    def post(path, body):
        request = urllib.request.Request(f"{served.uri}/v1/main/namespaces/plan/tables/plain/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    plan = post("plan", {"filter": {"type": "eq", "term": "id", "value": 5}})
    assert plan["status"] == "completed" and plan["file-scan-tasks"]
    served.stop()
    served.start()
    again = post("tasks", {"plan-task": plan["plan-id"]})
    assert again["file-scan-tasks"] == plan["file-scan-tasks"]


def test_views(served, planned):
    catalog = planned[1]
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "g", StringType()))
    version = ViewVersion(version_id=1, schema_id=0, timestamp_ms=1700000000000, summary={"engine-name": "pyiceberg"}, default_namespace=["plan"],
                          representations=[ViewRepresentation(SQLViewRepresentation(type="sql", dialect="spark", sql="select id, g from position where `id` < 5"))])
    view = catalog.create_view("plan.v", schema, version)
    assert catalog.view_exists("plan.v") and ("plan", "v") in catalog.list_views("plan")
    assert sorted(r["id"] for r in served.firn.sql("SELECT id, g FROM plan.v")) == [0, 1, 2, 4]
    served.firn.execute("CREATE VIEW plan.w AS SELECT count(*) AS n FROM plan.vector")
    assert catalog.load_view("plan.w").metadata.versions[0].representations[0].root.dialect == "duckdb"
    catalog.drop_view("plan.v")
    assert not catalog.view_exists("plan.v") and view is not None
    with pytest.raises(NoSuchViewError):
        catalog.drop_view("plan.v")
