"""Tables with deletes by Spark, compacted and expired by firn: Spark and PyIceberg read the same rows before, between and after, rows of version 3
under the same ids, and go on writing.
"""
import json
import os

import pytest
from conftest import local_path, rows_of
from pyiceberg.table import StaticTable

VERSIONS = ["2", "3"]


@pytest.fixture
def run(rest_spark):
    return lambda statement: sorted((tuple(r) for r in rest_spark.sql(statement).collect()), key=repr)


def make(run, name, version):
    """Appends, then position deletes or vectors, updates and a merge of Spark's."""
    run(f"CREATE NAMESPACE IF NOT EXISTS rest.{name.split('.')[0]}")
    run(f"""CREATE TABLE rest.{name} (id BIGINT, k STRING, v DOUBLE) USING iceberg PARTITIONED BY (k) TBLPROPERTIES ('format-version'='{version}',
            'write.delete.mode'='merge-on-read', 'write.update.mode'='merge-on-read', 'write.merge.mode'='merge-on-read')""")
    for i in range(4):
        run(f"INSERT INTO rest.{name} SELECT id + {i * 100}, concat('k', id % 3), id / 2 FROM range(60)")
    run(f"DELETE FROM rest.{name} WHERE id % 10 = 1")
    run(f"UPDATE rest.{name} SET v = -1 WHERE id % 10 = 2")
    run(f"MERGE INTO rest.{name} t USING (SELECT id * 5 AS id, 'k1' AS k FROM range(100)) s ON t.id = s.id AND t.k = s.k "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (s.id, s.k, 7)")


def metadata_location(served, name):
    for row in rows_of(served.firn.ok("table", "list", "--format", "json")):
        if f"{row['namespace']}.{row['name']}" == name:
            return os.path.join(served.lake, local_path(row["metadata_location"]))
    raise AssertionError(name)


def pyiceberg_rows(served, name):
    rows = StaticTable.from_metadata(metadata_location(served, name)).scan().to_arrow().to_pylist()
    return sorted(((r["id"], r["k"], r["v"]) for r in rows), key=repr)


def firn_rows(served, name):
    return sorted(((r["id"], r["k"], float(r["v"])) for r in served.firn.sql(f"SELECT * FROM {name}")), key=repr)


def everywhere(served, run, name, version):
    """The rows, which all three see alike; with their lineage in version 3."""
    rows = run(f"SELECT * FROM rest.{name}")
    assert rows == firn_rows(served, name) == pyiceberg_rows(served, name)
    return run(f"SELECT id, k, v, _row_id, _last_updated_sequence_number FROM rest.{name}") if version == "3" else rows


def maintain(served, *args):
    return json.loads(served.firn.ok("maintain", *args, "--format", "json"))[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_compact_then_expire(served, run, version):
    name = f"mt_{version}.t"
    make(run, name, version)
    before = everywhere(served, run, name, version)
    assert run(f"SELECT count(*) FROM rest.{name}.delete_files")[0][0] > 0
    assert pyiceberg_rows(served, name) == firn_rows(served, name)

    done = maintain(served, "compact", name)
    assert done["files_after"] == 3 and done["deleted_rows"] > 0 and done["given_up"] == 0
    assert everywhere(served, run, name, version) == before
    assert run(f"SELECT count(*) FROM rest.{name}.delete_files") == [(0,)]
    assert run(f"SELECT count(*) FROM rest.{name}.data_files") == [(3,)]
    assert run(f"SELECT k, count(*) FROM rest.{name}.data_files d LATERAL VIEW explode(array(d.partition.k)) p AS k GROUP BY k") == [("k0", 1), ("k1", 1), ("k2", 1)]
    operations = [r[0] for r in run(f"SELECT operation FROM rest.{name}.snapshots ORDER BY committed_at")]
    assert "replace" in operations

    gone = maintain(served, "expire", name, "--older-than", "0s")
    assert gone["left"] == 1 and gone["files"] > 20 and gone["kept_by"] is None
    assert everywhere(served, run, name, version) == before
    # What lies in the folder is what Spark's own tables of metadata name, beside the metadata.json files and the checksums of Hadoop.
    folder = os.path.dirname(os.path.dirname(metadata_location(served, name)))
    there = {os.path.join(d, f) for d, _, files in os.walk(folder) for f in files if not f.endswith((".metadata.json", ".crc"))}
    named = {local_path(r[0]) for column, table in (("file_path", "all_files"), ("path", "all_manifests"), ("manifest_list", "snapshots"))
             for r in run(f"SELECT {column} FROM rest.{name}.{table}")}
    assert there == named

    run(f"DELETE FROM rest.{name} WHERE id = 3")
    run(f"INSERT INTO rest.{name} VALUES (9999, 'k9', 0.5)")
    assert len(everywhere(served, run, name, version)) == len(before)


@pytest.mark.parametrize("version", VERSIONS)
def test_only_some_partitions(served, run, version):
    name = f"mp_{version}.t"
    make(run, name, version)
    before = everywhere(served, run, name, version)
    done = maintain(served, "compact", name, "--where", "k = 'k0'")
    assert done["partitions"] == 1 and done["files_after"] == 1
    assert everywhere(served, run, name, version) == before
    assert maintain(served, "compact", name)["partitions"] == 2
    assert everywhere(served, run, name, version) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_sparks_own_tags_and_branches_keep(served, run, version):
    name = f"mk_{version}.t"
    make(run, name, version)
    run(f"ALTER TABLE rest.{name} CREATE TAG v1")
    before = run(f"SELECT * FROM rest.{name}")
    run(f"ALTER TABLE rest.{name} CREATE BRANCH audit")
    run(f"INSERT INTO rest.{name}.branch_audit VALUES (-1, 'k0', 0.5)")
    run(f"DELETE FROM rest.{name} WHERE id < 300")
    gone = maintain(served, "expire", name, "--older-than", "0s")
    assert "tag v1" in gone["kept_by"]
    maintain(served, "compact", name)
    maintain(served, "expire", name, "--older-than", "0s")
    assert run(f"SELECT * FROM rest.{name} VERSION AS OF 'v1'") == before
    assert len(run(f"SELECT * FROM rest.{name} VERSION AS OF 'audit'")) == len(before) + 1
    assert all(r[0] >= 300 for r in run(f"SELECT * FROM rest.{name}"))
    run(f"ALTER TABLE rest.{name} DROP TAG v1")
    run(f"ALTER TABLE rest.{name} DROP BRANCH audit")
    assert maintain(served, "expire", name, "--older-than", "0s")["left"] == 1
    everywhere(served, run, name, version)


def test_a_tag_of_the_lake_keeps(served, run):
    name = "ml.t"
    make(run, name, "2")
    before = firn_rows(served, name)
    served.firn.ok("ref", "tag", "kept")
    run(f"DELETE FROM rest.{name} WHERE id < 300")
    gone = maintain(served, "expire", name, "--older-than", "0s")
    assert "tag kept has snapshot" in gone["kept_by"]
    assert firn_rows(served, f"{name}@kept") == before
    served.firn.ok("ref", "delete", "kept")
    assert maintain(served, "expire", name, "--older-than", "0s")["left"] == 1
    assert firn_rows(served, name) == run(f"SELECT * FROM rest.{name}")
