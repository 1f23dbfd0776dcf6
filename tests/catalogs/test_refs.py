"""Branches: on catalogs that have them, and what is said on those that have none."""
import json
import urllib.request

import pytest


def test_a_plain_catalog_has_none_and_says_so(reference, tmp_path):
    lake = reference.lake(tmp_path / "lake")
    text = lake.refused("CREATE BRANCH dev FROM main")
    assert "no branches" in text
    assert [ref["name"] for ref in json.loads(lake.ok("ref", "list", "--format", "json"))] == ["main"]
    assert "no branch or tag dev" in lake.fails("sql", "--ref", "dev", "-c", "SHOW SCHEMAS")


def nessie_api(nessie, method, path, body=None):
    base = nessie.uri.replace("/iceberg", "/api/v2/")
    request = urllib.request.Request(base + path, method=method, data=json.dumps(body).encode() if body else None, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def test_a_branch_of_nessie_is_written_and_read_by_its_name(nessie, tmp_path):
    lake = nessie.lake(tmp_path / "lake")
    lake.make_namespace()
    lake.execute("CREATE TABLE $ns.t AS SELECT 1 AS a")
    main = nessie_api(nessie, "GET", "trees/main")["reference"]
    nessie_api(nessie, "POST", "trees?name=dev&type=BRANCH", main)
    lake.execute("INSERT INTO $ns.t VALUES (2)", ref="dev")
    assert lake.column("SELECT a FROM $ns.t ORDER BY a", ref="dev") == [1, 2]
    assert lake.column("SELECT a FROM $ns.t") == [1]
    assert "there is no branch or tag nope" in lake.fails("sql", "--ref", "nope", "-c", lake.text("SELECT * FROM $ns.t"))
