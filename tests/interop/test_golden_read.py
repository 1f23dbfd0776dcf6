"""firn reads what Spark, PyIceberg and Iceberg Java wrote: every row of every golden table, now and at every snapshot."""
import json
import os
import re

import encoding
import pytest
from conftest import GOLDEN

# firn reads Parquet only and DuckDB has no such types: then one clear error that says why, never wrong rows.
MAY_REFUSE = {"data_avro": "avro", "data_orc": "orc", "pos_deletes_avro": "avro", "types_v3_variant": "variant", "types_v3_geo": "geo",
              "types_v3_nanos": "timestamptz_ns"}

NAMES = sorted(n for n in os.listdir(GOLDEN) if os.path.exists(os.path.join(GOLDEN, n, "expected.json")))


def load(name):
    with open(os.path.join(GOLDEN, name, "expected.json")) as f:
        return json.load(f)


def location(doc):
    return f"file:/firn-golden/{doc['name']}/{doc['metadata']}"


def order_by(columns, present):
    by = [c for c in columns if c in present]
    return " ORDER BY " + ", ".join(f'"{c}" NULLS LAST' for c in by) if by else ""


def refused(firn, name, query):
    """True when firn answered a query that it may refuse with one clear sentence."""
    if name not in MAY_REFUSE:
        return False
    done = firn.run("sql", "--format", "json", "-c", query)
    if done.returncode == 0:
        return False
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and MAY_REFUSE[name] in lines[0].lower(), done.stderr
    return True


def fields_of_snapshot(doc, snapshot_id):
    """The fields of the schema that a snapshot was written with: its names as recorded, its types from the metadata file."""
    import gzip

    path = os.path.join(GOLDEN, doc["name"], doc["metadata"])
    with (gzip.open(path) if ".gz." in path else open(path)) as f:
        meta = json.load(f)
    snapshot = next(s for s in meta["snapshots"] if s["snapshot-id"] == int(snapshot_id))
    for s in meta.get("schemas", []):
        if s["schema-id"] == snapshot.get("schema-id"):
            return s["fields"]
    return doc["schema"]


def compare(fields, got, doc):
    if doc["rows"] is None:
        assert len(got) == doc["count"]
        for column, total in doc["sums"].items():
            assert sum(int(r[column] or 0) for r in got) == total
        return
    assert encoding.rows(fields, got) == encoding.golden_rows(fields, doc["rows"])


def register(firn, doc):
    """The golden table under a name in the lake's catalog, for what a function in FROM cannot say."""
    name = f'golden."{doc["name"]}"'
    made = getattr(firn, "registered", set())
    if name not in made:
        firn.execute(f"CALL register_table('golden.{doc['name']}', '{location(doc)}')")
        firn.registered = made | {name}
    return name


@pytest.mark.parametrize("name", NAMES)
def test_rows(golden_lake, name):
    doc = load(name)
    columns = [f["name"] for f in doc["schema"]]
    query = f"SELECT * FROM iceberg_scan('{location(doc)}')" + order_by(doc["order_by"], columns)
    if refused(golden_lake, name, query):
        return
    got = golden_lake.sql(query)
    if got:
        assert list(got[0]) == columns
    compare(doc["schema"], got, doc)


@pytest.mark.parametrize("name", NAMES)
def test_count_star(golden_lake, name):
    doc = load(name)
    query = f"SELECT count(*) AS n FROM iceberg_scan('{location(doc)}')"
    if refused(golden_lake, name, query):
        return
    assert golden_lake.sql(query)[0]["n"] == doc["count"]


@pytest.mark.parametrize("name", [n for n in NAMES if load(n)["snapshots"]])
def test_time_travel(golden_lake, name):
    """AT (VERSION => id) for every snapshot, in the schema that was current then."""
    doc = load(name)
    table = register(golden_lake, doc)
    for snapshot_id, snapshot in doc["snapshots"].items():
        query = f"SELECT * FROM {table} AT (VERSION => {snapshot_id})" + order_by(doc["order_by"], snapshot["columns"])
        if refused(golden_lake, name, query):
            continue
        got = golden_lake.sql(query)
        fields = fields_of_snapshot(doc, snapshot_id)
        expected = dict(snapshot)
        if "rows" not in snapshot:
            expected["rows"], expected["sums"] = doc["rows"], doc.get("sums")
        compare(fields, got, expected)


@pytest.mark.parametrize("name", ["rollback", "branches", "evolve_columns", "basic_v1"])
def test_time_travel_by_timestamp(golden_lake, name):
    """Time travel follows the snapshot log, not the lineage: a rolled-back table shows what was current then."""
    doc = load(name)
    table = register(golden_lake, doc)
    log = doc["snapshot_log"]
    for entry, following in zip(log, [*log[1:], None]):
        if following and following["timestamp_ms"] == entry["timestamp_ms"]:
            continue
        # At the very millisecond of the entry; the next entry is later.
        query = f"SELECT count(*) AS n FROM {table} AT (TIMESTAMP => make_timestamp({entry['timestamp_ms']}000)::TIMESTAMPTZ)"
        assert golden_lake.sql(query)[0]["n"] == doc["snapshots"][str(entry["snapshot_id"])]["count"], entry
    before = log[0]["timestamp_ms"] - 1
    done = golden_lake.run("sql", "-c", f"SELECT * FROM {table} AT (TIMESTAMP => make_timestamp({before}000)::TIMESTAMPTZ)")
    assert done.returncode == 1 and done.stderr.strip(), "a time before the first snapshot must be an error"


@pytest.mark.parametrize("name", ["branches", "py_overwrite"])
def test_branches_and_tags(golden_lake, name):
    doc = load(name)
    table = register(golden_lake, doc)
    for ref, entry in doc["refs"].items():
        got = golden_lake.sql(f"SELECT count(*) AS n FROM {table} AT (VERSION => '{ref}')")
        assert got[0]["n"] == doc["snapshots"][str(entry["snapshot_id"])]["count"], ref


@pytest.mark.parametrize("name", [n for n in NAMES if "row_lineage" in load(n)])
def test_row_lineage(golden_lake, name):
    doc = load(name)
    rows = golden_lake.sql(f"SELECT id, _row_id, _last_updated_sequence_number FROM iceberg_scan('{location(doc)}') ORDER BY id")
    assert rows == doc["row_lineage"]


@pytest.mark.parametrize("case", load("many_files")["pruning"] if "many_files" in NAMES else [], ids=lambda c: c["sql"])
def test_pruning(golden_lake, case):
    """Filters give the right rows, and no more files are read than PyIceberg's planning keeps."""
    doc = load("many_files")
    table = f"iceberg_scan('{location(doc)}')"
    assert golden_lake.sql(f"SELECT count(*) AS n FROM {table} WHERE {case['sql']}")[0]["n"] == case["rows"]
    plan = golden_lake.ok("sql", "-c", f"EXPLAIN SELECT * FROM {table} WHERE {case['sql']}")
    m = re.search(r"(\d+) files, (\d+) read", plan.replace(",", "").replace(" files ", " files, ")) or re.search(r"(\d+) files,? (\d+) read", plan)
    assert m, plan
    assert int(m[1]) == len(doc["scan"])
    assert int(m[2]) <= case["files"], plan
