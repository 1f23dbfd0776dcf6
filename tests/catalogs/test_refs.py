"""Branches: on catalogs that have them, and what is said on those that have none."""
import json
import urllib.request

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
    assert "'nope' not found" in lake.fails("sql", "--ref", "nope", "-c", lake.text("SELECT * FROM $ns.t"))


def refs(lake):
    return {ref["name"]: ref["kind"] for ref in json.loads(lake.ok("ref", "list", "--format", "json"))}


def test_branches_of_another_firn(other_firn, tmp_path):
    lake = other_firn.lake(tmp_path / "lake")
    lake.make_namespace()
    lake.execute("CREATE TABLE $ns.t AS SELECT 1 AS a")
    branch = f"dev_{lake.ns}"
    lake.execute(f"CREATE BRANCH {branch} FROM main", f"CREATE TAG {branch}_tag FROM main")
    assert refs(lake)[branch] == "branch" and refs(lake)[f"{branch}_tag"] == "tag"
    lake.execute("INSERT INTO $ns.t VALUES (2)", "CREATE TABLE $ns.only_here (x INT)", ref=branch)
    lake.execute("INSERT INTO $ns.t VALUES (3)")
    assert lake.column("SELECT a FROM $ns.t ORDER BY a", ref=branch) == [1, 2]
    assert lake.column("SELECT a FROM $ns.t ORDER BY a") == [1, 3]
    assert "only_here" in lake.ok("ref", "diff", "main", branch)
    # both sides appended: all rows stay
    lake.execute(f"MERGE BRANCH {branch} INTO main")
    assert lake.column("SELECT a FROM $ns.t ORDER BY a") == [1, 2, 3]
    assert lake.sql("SELECT * FROM $ns.only_here") == []
    log = json.loads(lake.ok("ref", "log", "--format", "json"))
    assert log[0]["commit_id"]
    # a real conflict is refused and explained
    lake.execute("UPDATE $ns.t SET a = 10 WHERE a = 1", ref=branch)
    lake.execute("UPDATE $ns.t SET a = 20 WHERE a = 1")
    text = lake.fails("ref", "merge", branch)
    assert f"{lake.ns}.t" in text
    assert 20 in lake.column("SELECT a FROM $ns.t")
    lake.execute(f"DROP BRANCH {branch}")
    assert branch not in refs(lake)
    assert "no" in lake.fails("sql", "--ref", branch, "-c", "SHOW SCHEMAS")
