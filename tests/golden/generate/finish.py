"""Copies /firn-golden to tests/golden/tables and writes each table's expected.json from what Iceberg's Java reader returns.

Spark and PyIceberg read every table too; a table on which two readers disagree is not written.
"""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
sys.path.insert(0, os.path.join(REPO, "tests", "interop"))
import encoding  # noqa: E402

ROOT = "/firn-golden"
OUT = os.path.join(REPO, "tests", "golden", "tables")
ROWS_MAX = 2500

JAVA_ABOUT = {
    "types_all_v1": "every v1/v2 primitive type with extremes, NaN, -0.0, infinities and nulls, format v1",
    "types_all_v2": "every v1/v2 primitive type (time, uuid and fixed too) with extremes, NaN, -0.0, infinities and nulls, format v2",
    "types_all_v3": "every v1/v2 primitive type with extremes, NaN, -0.0, infinities and nulls, format v3",
    "types_v3_nanos": "timestamp_ns and timestamptz_ns, partitioned by day and bucket of them",
    "types_v3_unknown": "unknown columns, at the top and in a struct",
    "types_v3_variant": "a variant column, unshredded: string, int, object, variant null, SQL null",
    "types_v3_geo": "geometry and geography columns, no rows: must load",
    "defaults_v3": "initial defaults of many types, in a struct and on a required column; write default changed later",
    "eq_global": "global equality deletes on an unpartitioned table, by two different keys, with rows added between",
    "eq_partitioned": "equality deletes in a partition, under an older unpartitioned spec (global), and data of another spec that they must not touch",
    "eq_reinsert": "keys deleted and inserted again: in the same commit, in a later one",
    "eq_null_keys": "equality deletes with null keys: null equals null; composite keys",
    "eq_renamed": "the key column renamed between deletes, a new column under its old name",
    "eq_widened": "the key column widened from int to long between deletes",
    "eq_added_column": "the key column is missing in older data files and counts as null there",
    "eq_multiple": "several equality delete files with different keys and position deletes in one snapshot",
    "eq_types": "equality keys of double with NaN, timestamptz, binary, decimal",
    "pos_deletes_with_row": "position delete file with the optional row column",
    "pos_deletes_same_commit": "data, position and equality deletes in one commit: the position delete applies, the equality delete does not",
    "mixed_deletes_v2_v3": "v2 position and equality deletes, upgraded to v3, deletion vector, equality deletes again",
    "dv_containers": "deletion vectors with run, bitmap and array containers over 200,000 rows; two blobs in one Puffin file",
    "part_java_types": "bucket, truncate and identity partitions of uuid, time, fixed and binary with nulls",
    "part_widened": "partition source columns widened (int to long, float to double, decimal) after files were written",
    "empty_v1": "created, never written, format v1",
    "empty_v2": "created, never written, format v2",
    "empty_v3": "created, never written, format v3",
    "empty_snapshot": "an empty append, then a row, then everything deleted",
    "identifier_fields": "identifier fields at the top and inside a struct; documented column",
}

# Iceberg's generic Java reader applies a name mapping to top-level columns only, and fails on unmapped columns.
ROWS_FROM = {"name_mapping_spark": "spark", "name_mapping_nested": "spark", "name_mapping_legacy": "spark", "py_name_mapping": "pyiceberg"}
# Readers known to be wrong, with the reason; any other disagreement is a failure of the generator.
KNOWN_WRONG = {
    ("pyiceberg", "evolve_nested"): "a null list or map of structs comes back empty",
    ("pyiceberg", "nested_v1"): "a null list or map of structs comes back empty",
    ("pyiceberg", "nested_v2"): "a null list or map of structs comes back empty",
    ("pyiceberg", "nested_v3"): "a null list or map of structs comes back empty",
}


def classpath(classes):
    import glob

    import pyspark
    from sparkenv import iceberg_jar
    libs = sorted(glob.glob(os.path.join(REPO, ".deps", "golden", "*.jar")))
    return ":".join([classes, *libs, iceberg_jar(), os.path.join(os.path.dirname(pyspark.__file__), "jars", "*")])


def current_metadata(name, py_locations):
    if name in py_locations:
        return py_locations[name].removeprefix("file://")
    folder = f"{ROOT}/{name}/metadata"
    n = open(f"{folder}/version-hint.text").read().strip()
    for suffix in ("metadata.json", "gz.metadata.json"):
        if os.path.exists(f"{folder}/v{n}.{suffix}"):
            return f"{folder}/v{n}.{suffix}"
    raise FileNotFoundError(folder)


def order(fields, rows, order_by):
    names = [f["name"] for f in fields] if fields and isinstance(fields[0], dict) else fields
    by = [c for c in order_by if c in names]
    return sorted(rows, key=lambda r: (*[(r[c] is None, 0 if r[c] is None else r[c]) for c in by], json.dumps(r, sort_keys=True)))


def shrink(doc, rows, names):
    """Rows in full while they are few; count and sums of the integer columns beyond that."""
    if len(rows) <= ROWS_MAX:
        doc["rows"] = rows
    else:
        doc["rows"] = None
        doc["sums"] = {n: sum(r[n] or 0 for r in rows) for n in names if rows and isinstance(rows[0][n], int)}


def read_with(reader, spark, name, path, dump):
    """Replaces the rows of a dump by what `reader` returns, the snapshots' rows too."""
    def read(columns, snapshot_id):
        if reader == "spark":
            version = f" VERSION AS OF {snapshot_id}" if snapshot_id else ""
            return [tuple(r) for r in spark.sql(f"SELECT * FROM g.{name}{version}").collect()]
        from pyiceberg.table import StaticTable
        return StaticTable.from_metadata(path).scan(snapshot_id=snapshot_id).to_arrow().to_pylist()

    schemas = {s["schema-id"]: s["fields"] for s in metadata_of(path)["schemas"]}
    dump["rows"] = encoding.rows(dump["schema"], read(None, None))
    dump["count"] = len(dump["rows"])
    for snapshot in metadata_of(path)["snapshots"]:
        s = dump["snapshots"][str(snapshot["snapshot-id"])]
        s["rows"] = encoding.rows(schemas[snapshot["schema-id"]], read(s["columns"], snapshot["snapshot-id"]))
        s["count"] = len(s["rows"])


def metadata_of(path):
    import gzip
    with (gzip.open(path) if path.endswith(".gz.metadata.json") else open(path)) as f:
        return json.load(f)


def spark_check(spark, name, doc):
    """(agrees | differs | unread, detail)"""
    try:
        got = encoding.rows(doc["schema"], [tuple(r) for r in spark.table(f"g.{name}").collect()])
    except Exception as e:  # noqa: BLE001
        return "unread", str(e).splitlines()[0][:160]
    want = encoding.golden_rows(doc["schema"], doc["rows"])
    if key(got) != key(want):
        return "differs", difference(got, want)
    return "agrees", ""


def pyiceberg_check(doc, path):
    from pyiceberg.table import StaticTable
    try:
        got = encoding.rows(doc["schema"], StaticTable.from_metadata(path).scan().to_arrow().to_pylist())
    except Exception as e:  # noqa: BLE001
        return "unread", (str(e).splitlines() or [repr(e)])[0][:160]
    want = encoding.golden_rows(doc["schema"], doc["rows"])
    if key(got) != key(want):
        return "differs", difference(got, want)
    return "agrees", ""


def difference(got, want):
    return f"got {sorted(set(key(got)) - set(key(want)))[:3]} expected {sorted(set(key(want)) - set(key(got)))[:3]}"


def key(rows):
    return sorted(json.dumps(r, sort_keys=True) for r in rows)


def lineage(spark, name):
    rows = spark.sql(f"SELECT id, _row_id, _last_updated_sequence_number FROM g.{name} ORDER BY id").collect()
    return [{"id": r[0], "_row_id": r[1], "_last_updated_sequence_number": r[2]} for r in rows]


PREDICATES = ["ts = TIMESTAMPTZ '2024-03-03 00:00:00+00'", "ts >= TIMESTAMPTZ '2024-03-07 00:00:00+00'", "id = 5", "id < 0", "id >= 320", "k = 'k00100'", "k like 'k003%'",
              "v is null", "v > 190", "id in (1, 399)", "id between 80 and 87", "not (id < 320)"]


def pruning(path):
    from pyiceberg.expressions import AlwaysTrue  # noqa: F401
    from pyiceberg.table import StaticTable
    t = StaticTable.from_metadata(path)
    filters = ["ts == '2024-03-03T00:00:00+00:00'", "ts >= '2024-03-07T00:00:00+00:00'", "id == 5", "id < 0", "id >= 320", "k == 'k00100'", "k LIKE 'k003%'", "v is null",
               "v > 190", "id in (1, 399)", "id >= 80 and id <= 87", "not (id < 320)"]
    return [{"sql": sql, "files": len(list(t.scan(row_filter=f).plan_files())), "rows": t.scan(row_filter=f).to_arrow().num_rows} for sql, f in zip(PREDICATES, filters)]


def puffin(classes):
    """Puffin files with their vectors' positions as [first, last, step] runs, and one with theta sketches, which a reader must skip."""
    out = os.path.join(REPO, "tests", "golden", "puffin")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    docs = {}
    for name in ("dv_v3", "dv_upgraded", "dv_containers"):
        run = subprocess.run(["java", "-cp", classpath(classes), "DumpVectors", "file:" + current_metadata(name, {})], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=True)
        for line in run.stdout.split("\n"):
            if line.startswith("{"):
                vector = json.loads(line)
                docs.setdefault((name, vector.pop("puffin")), []).append(vector | {"positions": progressions(vector.pop("runs"))})
    seen = {}
    for (name, path), vectors in docs.items():
        seen[name] = seen.get(name, 0) + 1
        stem = f"{name}_{seen[name]}"
        shutil.copy(path.removeprefix("file:"), f"{out}/{stem}.puffin")
        with open(f"{out}/{stem}.json", "w") as f:
            f.write(pretty({"blob_type": "deletion-vector-v1", "vectors": vectors}))
    for f in os.listdir(f"{ROOT}/table_statistics/metadata"):
        if f.endswith(".stats"):
            shutil.copy(f"{ROOT}/table_statistics/metadata/{f}", f"{out}/theta.puffin")
            statistics = metadata_of(current_metadata("table_statistics", {}))["statistics"][0]
            with open(f"{out}/theta.json", "w") as g:
                g.write(pretty({k.replace("-", "_"): v for k, v in statistics.items() if k != "statistics-path"}))


def progressions(runs):
    """[[first, last], ...] of consecutive positions -> [first, last, step] with single positions in even steps joined."""
    out = []
    for first, last in runs:
        if first == last and out:
            f, l, s = out[-1]
            if f == l:
                out[-1] = [f, first, first - f]
                continue
            if first - l == s and s > 1:
                out[-1][1] = first
                continue
        out.append([first, last, 1])
    return out


def main(py_locations, about, spark, classes, only=()):
    names = sorted(n for n in os.listdir(ROOT) if os.path.isdir(f"{ROOT}/{n}/metadata") and (not only or n in only))
    paths = {n: current_metadata(n, py_locations) for n in names}
    run = subprocess.run(["java", "-Duser.timezone=UTC", "-cp", classpath(classes), "Dump", *("file:" + paths[n] for n in names)], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, check=True)
    problems = []
    os.makedirs(OUT, exist_ok=True)
    for stale in os.listdir(OUT):
        if not only or stale in only:
            shutil.rmtree(os.path.join(OUT, stale))
    dumps = [json.loads(line) for line in run.stdout.split("\n") if line.startswith("{")]
    if len(dumps) != len(names):
        raise RuntimeError(f"{len(names)} tables, {len(dumps)} dumps: {run.stderr[-2000:]}")
    for name, dump in zip(names, dumps):
        if "error" in dump:
            problems.append(f"{name}: Java cannot read it: {dump['error']}")
            continue
        info = about[name]
        if name in ROWS_FROM:
            read_with(ROWS_FROM[name], spark, name, paths[name], dump)
        elif dump["count"] < 0:
            problems.append(f"{name}: rows unread")
            continue
        doc = {"name": name, "about": info["about"], "writer": info["writer"], "metadata": os.path.relpath(paths[name], f"{ROOT}/{name}"),
               "location": dump["location"], "order_by": info["order_by"], "schema": dump["schema"], "count": dump["count"]}
        shrink(doc, order(dump["schema"], dump["rows"], info["order_by"]), [f["name"] for f in dump["schema"]])
        doc["current_snapshot_id"] = dump["current_snapshot_id"]
        doc["snapshots"] = {}
        for sid, s in dump["snapshots"].items():
            rows = order(s["columns"], s.pop("rows"), info["order_by"])
            doc["snapshots"][sid] = s
            if sid != str(dump["current_snapshot_id"]) or s["columns"] != [f["name"] for f in dump["schema"]]:
                shrink(s, rows, s["columns"])
        doc["snapshot_log"], doc["refs"] = dump["snapshot_log"], dump["refs"]
        doc["scan"] = sorted(dump.get("scan", []), key=lambda f: f["file"])
        for f in doc["scan"]:
            f["deletes"].sort(key=lambda d: d["file"])
        if doc["rows"] is not None:
            checks = {"pyiceberg": pyiceberg_check(doc, paths[name])}
            if name not in py_locations:
                checks["spark"] = spark_check(spark, name, doc)
            for reader, (verdict, detail) in checks.items():
                if verdict != "agrees":
                    print(f"{name}: {reader} {verdict}: {detail}")
                if verdict == "differs" and (reader, name) not in KNOWN_WRONG:
                    problems.append(f"{name}: {reader} {detail}")
            doc["agreeing_readers"] = [ROWS_FROM.get(name, "java")] + [r for r, (v, _) in checks.items() if v == "agrees" and r != ROWS_FROM.get(name)]
        if name.startswith(("lineage_", "dv_")) and name != "dv_containers":
            doc["row_lineage"] = lineage(spark, name)
        if name == "many_files":
            doc["pruning"] = pruning(paths[name])
        # Older metadata files only make the tree larger; one table keeps its whole metadata log.
        old = [] if name == "basic_v2" else [f for f in os.listdir(f"{ROOT}/{name}/metadata")
                                             if f.endswith(".metadata.json") and f != os.path.basename(paths[name])]
        shutil.copytree(f"{ROOT}/{name}", f"{OUT}/{name}", ignore=shutil.ignore_patterns("*.crc", "_SUCCESS", *old))
        with open(f"{OUT}/{name}/expected.json", "w") as out:
            out.write(pretty(doc))
    for p in problems:
        print("PROBLEM", p)
    return 1 if problems else 0


def pretty(doc):
    """One key a line, one row a line: diffs of regenerated files stay readable."""
    lines = []
    for k, v in doc.items():
        if isinstance(v, list) and v and isinstance(v[0], dict):
            body = "[\n" + ",\n".join("    " + json.dumps(e, ensure_ascii=False) for e in v) + "\n  ]"
        elif isinstance(v, dict) and v and k in ("snapshots",):
            body = "{\n" + ",\n".join(f"    {json.dumps(s)}: {json.dumps(e, ensure_ascii=False)}" for s, e in v.items()) + "\n  }"
        else:
            body = json.dumps(v, ensure_ascii=False)
        lines.append(f"  {json.dumps(k)}: {body}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
