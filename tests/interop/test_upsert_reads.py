"""Tables that feeds of mode upsert wrote, with position deletes (version 2) or deletion vectors (version 3): firn, PyIceberg and Spark read
the same rows, those of a fold of the topic.
"""
import json
import os
import random

import conftest
import pytest
from pyiceberg.table import StaticTable

CASES = {
    "v2": ("format-version: 2", ""),
    "v3": ("format-version: 3", ""),
    "v2_by_file": ("format-version: 2, write.delete.granularity: file", ""),
    "v2_days": ("format-version: 2", "partition_by: [day(made)]"),
    "v3_days": ("format-version: 3", "partition_by: [day(made)]"),
    "v2_buckets": ("format-version: 2", 'partition_by: ["bucket(4, id)"]'),
    "v3_regions": ("format-version: 3", "partition_by: [region]"),
}
COMMITS, CHANGES, KEYS = 6, 300, 120


def changes(rng, commit, rows):
    """Records of one commit, and what they make of `rows`."""
    records = []
    for i in range(CHANGES):
        k, region = rng.randrange(KEYS), rng.choice(["eu", "us"])
        key = {"id": k, "region": region}
        if rng.random() < 0.2:
            records.append({"key": json.dumps(key), "value": None})
            rows.pop((k, region), None)
            continue
        row = {**key, "made": f"2026-11-{rng.randrange(1, 6):02d}T{rng.randrange(24):02d}:00:00Z", "note": rng.choice([None, f"{commit}.{i}"]), "n": commit * CHANGES + i}
        records.append({"key": json.dumps(key), "value": json.dumps(row)})
        rows[(k, region)] = row
    return records


@pytest.fixture(scope="module")
def upserted(kafka, tmp_path_factory):
    """One topic, read commit by commit by a feed for each case."""
    firn = conftest.init(tmp_path_factory.mktemp("upserts") / "lake")
    with open(f"{firn.lake}/firn.yaml", "a") as config:
        config.write(f"\nsources:\n  - name: broker\n    kafka: {kafka.bootstrap}\n")
    kafka.client.create("upsert-reads")
    os.makedirs(f"{firn.lake}/feeds", exist_ok=True)
    for name, (properties, partitioning) in CASES.items():
        with open(f"{firn.lake}/feeds/{name}.yaml", "w") as feed:
            feed.write(f"source: broker\ntopics: [upsert-reads]\nformat: json\nkey_format: json\nschema: 'id bigint, region string, made timestamptz, note string, n bigint'\n"
                       f"table: silver.{name}\nmode: upsert\nproperties: {{{properties}}}\n{partitioning}\n")
    rng, rows = random.Random(26), {}
    for commit in range(COMMITS):
        kafka.client.produce("upsert-reads", changes(rng, commit, rows))
        firn.ok("ingest", "run", *CASES, "--drain", timeout=300)
    firn.fold = sorted((r["id"], r["region"], r["made"], r["note"], r["n"]) for r in rows.values())
    return firn


def text(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("case", CASES)
def test_firn(upserted, case):
    got = upserted.sql(f"SELECT id, region, strftime(made AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS made, note, n FROM silver.{case} ORDER BY id, region")
    assert [tuple(r.values()) for r in got] == upserted.fold
    deletes = upserted.sql(f"SELECT file_format, count(*) AS n FROM silver.{case}.delete_files GROUP BY ALL")
    assert [d["file_format"] for d in deletes] == (["PUFFIN"] if case.startswith("v3") else ["PARQUET"])


@pytest.mark.parametrize("case", CASES)
def test_one_vector_a_file(upserted, case):
    counts = upserted.sql(f"SELECT count(*) AS n, count(DISTINCT referenced_data_file) AS files FROM silver.{case}.delete_files")[0]
    if case.startswith("v3"):
        assert counts["n"] == counts["files"]


@pytest.mark.parametrize("case", CASES)
def test_pyiceberg(upserted, case):
    rows = StaticTable.from_metadata(upserted.metadata(f"silver.{case}")).scan().to_arrow().to_pylist()
    assert sorted((r["id"], r["region"], text(r["made"]), r["note"], r["n"]) for r in rows) == upserted.fold


@pytest.mark.parametrize("case", CASES)
def test_spark(spark, upserted, case):
    df = spark.read.format("iceberg").load("file:" + upserted.metadata(f"silver.{case}"))
    got = sorted((r["id"], r["region"], r["made"], r["note"], r["n"]) for r in df.selectExpr("id", "region", "date_format(made, \"yyyy-MM-dd'T'HH:mm:ss'Z'\") AS made", "note", "n").collect())
    assert got == upserted.fold


def test_spark_prunes_and_still_deletes(spark, upserted):
    """A filter that leaves files out leaves none of their deletes to be missed."""
    for case in CASES:
        df = spark.read.format("iceberg").load("file:" + upserted.metadata(f"silver.{case}"))
        assert df.where("id >= 40 AND region = 'eu'").count() == len([r for r in upserted.fold if r[0] >= 40 and r[1] == "eu"]), case
