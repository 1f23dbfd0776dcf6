"""Commits on other people's catalogs: many at once, killed in the middle, and with answers that are lost."""
import signal

import pytest

POINTS = ["commit.data_written", "commit.manifest_list_written", "catalog.commit.before", "catalog.commit.after", "commit.pointer_swapped"]


def test_two_processes_append_at_once_and_all_rows_are_there(lake, tmp_path):
    lake.execute("CREATE TABLE $ns.t (who INT, n INT)", "ALTER TABLE $ns.t SET TBLPROPERTIES ('commit.retry.num-retries' = '50')")
    if lake.peer.name == "nessie":
        # Nessie 0.99 does not check the requirement that a table has no snapshot yet: two first appends both land, one is lost.
        lake.execute("INSERT INTO $ns.t VALUES (-1, 0)")
    twin = lake.peer.lake(tmp_path / "twin")  # another lake: no lock in common, the catalog alone decides
    appends = 8
    script = lambda who: ";".join(f"INSERT INTO {lake.ns}.t VALUES ({who}, {i})" for i in range(appends))
    processes = [one.start("sql", "-q", "-c", script(who)) for who, one in enumerate([lake, twin])]
    for process in processes:
        out, err = process.communicate(timeout=180)
        assert process.returncode == 0, err + lake.peer.server.log_end(5)
    assert lake.sql("SELECT who, count(*) AS n, count(DISTINCT n) AS d FROM $ns.t WHERE who >= 0 GROUP BY who ORDER BY who") == [{"who": who, "n": appends, "d": appends} for who in (0, 1)]


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_the_middle_of_a_commit(lake, point):
    lake.execute("CREATE TABLE $ns.t AS SELECT 1 AS a")
    done = lake.run("sql", "-q", "-c", lake.text("INSERT INTO $ns.t VALUES (2)"), env={"FIRN_FAULT_KILL": point})
    assert done.returncode == -signal.SIGKILL, done.stderr
    landed = point in ("catalog.commit.after", "commit.pointer_swapped")
    assert lake.column("SELECT a FROM $ns.t ORDER BY a") == ([1, 2] if landed else [1])
    lake.execute("INSERT INTO $ns.t VALUES (3)")
    assert lake.column("SELECT a FROM $ns.t ORDER BY a") == ([1, 2, 3] if landed else [1, 3])


@pytest.mark.parametrize("point", ["catalog.commit.before", "catalog.commit.after"])
def test_killed_while_a_table_is_created(lake, point):
    done = lake.run("sql", "-q", "-c", lake.text("CREATE TABLE $ns.t AS SELECT 1 AS a"), env={"FIRN_FAULT_KILL": point})
    assert done.returncode == -signal.SIGKILL, done.stderr
    if point == "catalog.commit.after":
        assert lake.column("SELECT a FROM $ns.t") == [1]
    else:
        assert "no table" in lake.refused("SELECT a FROM $ns.t")
        lake.execute("CREATE TABLE $ns.t AS SELECT 1 AS a")


def test_a_change_of_the_schema_meets_an_append(lake, tmp_path):
    lake.execute("CREATE TABLE $ns.t (a INT)", "ALTER TABLE $ns.t SET TBLPROPERTIES ('commit.retry.num-retries' = '50')")
    # one writer appends: the first append has no rival (see above)
    twin = lake.peer.lake(tmp_path / "twin")
    alter = ";".join(f"ALTER TABLE {lake.ns}.t ADD COLUMN c{i} INT" for i in range(4))
    append = ";".join(f"INSERT INTO {lake.ns}.t (a) VALUES ({i})" for i in range(6))
    processes = [lake.start("sql", "-q", "-c", alter), twin.start("sql", "-q", "-c", append)]
    for process in processes:
        out, err = process.communicate(timeout=180)
        assert process.returncode == 0, err
    assert lake.column("SELECT a FROM $ns.t ORDER BY a") == list(range(6))
    assert list(lake.sql("SELECT * FROM $ns.t LIMIT 1")[0]) == ["a", "c0", "c1", "c2", "c3"]
