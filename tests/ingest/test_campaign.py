"""Exactly once, for ten minutes: see campaign.py. FIRN_CAMPAIGN_RECORDS, _SECONDS, _SEED and _BACKEND (sqlite, postgres) change it."""
import json
import os
import subprocess

import pytest
import servers
from campaign import FEED, TABLE, Campaign, say

RECORDS = int(os.environ.get("FIRN_CAMPAIGN_RECORDS", "10000000"))
SECONDS = int(os.environ.get("FIRN_CAMPAIGN_SECONDS", "600"))
SEED = int(os.environ["FIRN_CAMPAIGN_SEED"]) if os.environ.get("FIRN_CAMPAIGN_SEED") else None
BACKEND = os.environ.get("FIRN_CAMPAIGN_BACKEND", "postgres")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    with Campaign(tmp_path_factory.mktemp("campaign"), RECORDS, SECONDS, backend=BACKEND, seed=SEED, disk_mb=max(300, RECORDS // 5000)) as one:
        yield one


def test_every_record_once(campaign):
    """Three firn processes on one group, and everything that can fail fails; afterwards the table is the topic."""
    campaign.run()
    campaign.report()
    n = campaign.check_every_record_once()
    assert n == campaign.produced == campaign.records
    orphans = campaign.orphans()
    say(f"{n:,} rows, each once; {len(orphans)} data files of {campaign.counts['kill']} killed processes are in no table")
    # A process that is killed leaves the files of the commit that it was at; so does one that could not learn the outcome.
    interrupted = campaign.counts["kill"] + campaign.counts["guest kill"] + campaign.counts["catalog"] * len(campaign.workers) + campaign.counts["disk"] * len(campaign.workers)
    assert len(orphans) <= 2 * interrupted


@pytest.fixture
def afterwards(campaign):
    assert campaign.complete, "the campaign itself has failed"
    return campaign


def spark_session(tmp_path, uri):
    import sparkenv

    spark = sparkenv.session({"local": f"file:{tmp_path}/warehouse"}, "firn-campaign", str(tmp_path / "tmp"))
    for key, value in (("", "org.apache.iceberg.spark.SparkCatalog"), (".type", "rest"), (".uri", uri), (".cache-enabled", "false")):
        spark.conf.set(f"spark.sql.catalog.rest{key}", value)
    return spark


def test_a_rollback_by_spark_takes_rows_and_not_the_place(afterwards, tmp_path):
    """Spark rolls the table back. The feed goes on where it was: nothing comes twice. `firn ingest resume` brings the rest again, once."""
    before = afterwards.offsets()
    n = afterwards.check_every_record_once()
    with servers.FirnServer(afterwards.lake) as server:
        add_some(afterwards, 1000)
        drain(afterwards)
        spark = spark_session(tmp_path, server.uri)
        snapshots = [r.snapshot_id for r in spark.sql(f"SELECT snapshot_id FROM rest.{TABLE}.snapshots ORDER BY committed_at").collect()]
        target = afterwards.sql(f"SELECT snapshot_id FROM {TABLE}.history ORDER BY made_current_at DESC LIMIT 1 OFFSET 1")[0]["snapshot_id"]
        assert int(target) in snapshots
        spark.sql(f"CALL rest.system.rollback_to_snapshot('{TABLE}', {target})")
        spark.stop()
    offsets = afterwards.offsets()
    rows = afterwards.sql(f"SELECT count(*) AS n FROM {TABLE}")[0]["n"]
    assert rows < n + 1000 * afterwards.partitions and all(offsets[p] == before[p] + 1000 for p in before)

    drain(afterwards)  # nothing is read again by itself
    assert afterwards.offsets() == offsets and afterwards.sql(f"SELECT count(*) AS n FROM {TABLE}")[0]["n"] == rows

    held = afterwards.sql(f"SELECT _kafka.partition AS p, max(_kafka.offset) + 1 AS o FROM {TABLE} GROUP BY 1")
    places = ",".join(f"{FEED}:{r['p']}={r['o']}" for r in held)
    done = afterwards.firn("ingest", "resume", FEED, "--from", places)
    assert done.returncode == 0, done.stderr
    drain(afterwards)
    assert afterwards.check_every_record_once() == n + 1000 * afterwards.partitions


def test_a_branch_that_is_reset_takes_rows_and_place_back(afterwards):
    """`firn ref reset` is the rollback that a feed follows by itself: what was taken away is read again, once."""
    n = afterwards.check_every_record_once()
    commit = json.loads(afterwards.firn("ref", "log", "--format", "json").stdout)[0]["commit_id"]
    add_some(afterwards, 1000)
    drain(afterwards)
    assert afterwards.check_every_record_once() == n + 1000 * afterwards.partitions
    done = afterwards.firn("ref", "reset", "main", commit)
    assert done.returncode == 0, done.stderr
    assert afterwards.sql(f"SELECT count(*) AS n FROM {TABLE}")[0]["n"] == n
    drain(afterwards)
    assert afterwards.check_every_record_once() == n + 1000 * afterwards.partitions


def test_it_goes_on_after_all_snapshots_but_one_are_gone(afterwards):
    from pyiceberg.catalog import load_catalog

    with servers.FirnServer(afterwards.lake) as server:
        table = load_catalog("campaign", type="rest", uri=server.uri).load_table(TABLE)
        old = [s.snapshot_id for s in table.metadata.snapshots if s.snapshot_id != table.metadata.current_snapshot_id]
        table.maintenance.expire_snapshots().by_ids(old).commit()
        assert len(load_catalog("campaign", type="rest", uri=server.uri).load_table(TABLE).metadata.snapshots) == 1
    n = afterwards.check_every_record_once()
    add_some(afterwards, 500)
    drain(afterwards)
    assert afterwards.check_every_record_once() == n + 500 * afterwards.partitions


def add_some(campaign, per_partition):
    """More numbered records behind those that are there."""
    command = [campaign.load, "numbered", "--brokers", campaign.broker.bootstrap, "--topic", FEED, "--partitions", str(campaign.partitions)]
    first = max(high for _, high in campaign.client.ends(FEED).values())
    subprocess.run([*command, "--first", str(first), "--count", str(per_partition * campaign.partitions)], check=True, capture_output=True, timeout=120)


def drain(campaign):
    done = campaign.firn("ingest", "run", FEED, "--drain")
    assert done.returncode == 0, done.stderr + done.stdout
