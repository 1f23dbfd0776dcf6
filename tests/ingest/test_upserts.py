"""Upserts at scale: a topic of changes through `firn ingest run --drain`, and the table against a fold that numpy makes of the same changes.

FIRN_UPSERT_CHANGES and FIRN_UPSERT_KEYS change the scale: 1,000,000 changes of 100,000 keys if not set; the full measure is 10,000,000 of 1,000,000.
What change i is follows from splitmix64(i) (bench/kafka_load.c), so the fold needs neither Kafka nor firn.
"""
import json
import os
import subprocess
import time

import numpy as np
import pytest
import servers
from servers.kafka import KafkaBroker

CHANGES = int(os.environ.get("FIRN_UPSERT_CHANGES", "1000000"))
KEYS = int(os.environ.get("FIRN_UPSERT_KEYS", "100000"))
PARTITIONS = 8
SLICES = 2  # of the topic, a drain each: the second meets rows of the first


def say(text):
    print(f"campaign: upserts: {text}", flush=True)


def splitmix64(i):
    with np.errstate(over="ignore"):
        x = (i.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def fold(changes, keys):
    """(ids, seqs) of the rows that are left after the first so many changes, by id."""
    i = np.arange(changes, dtype=np.int64)
    x = splitmix64(i)
    ids = (x % np.uint64(keys)).astype(np.int64)
    last = np.full(keys, -1, dtype=np.int64)
    np.maximum.at(last, ids, i)
    seen = last >= 0
    gone = np.zeros(keys, dtype=bool)
    gone[seen] = (x[last[seen]] >> np.uint64(40)) % np.uint64(10) == 0
    left = np.nonzero(seen & ~gone)[0]
    return left, last[left]


def check(who, got_ids, got_seqs, changes):
    order = np.argsort(got_ids, kind="stable")
    ids, seqs = fold(changes, KEYS)
    got_ids, got_seqs = got_ids[order], got_seqs[order]
    assert len(got_ids) == len(ids), f"{who}: {len(got_ids):,} rows instead of {len(ids):,}"
    assert np.array_equal(got_ids, ids), f"{who}: other keys"
    assert np.array_equal(got_seqs, seqs), f"{who}: {np.count_nonzero(got_seqs != seqs):,} rows are not their key's last change"
    say(f"{who} reads the fold: {len(ids):,} rows")


class Lake:
    def __init__(self, folder, bootstrap, version):
        self.path, self.feed, self.topic = str(folder / "lake"), f"changes_v{version}", "changes"
        self.firn = servers.firn_binary()
        self.run("init", self.path)
        with open(os.path.join(self.path, "firn.yaml"), "a") as config:
            config.write(f"\nsources:\n  - name: broker\n    kafka: {bootstrap}\n")
        os.makedirs(os.path.join(self.path, "feeds"), exist_ok=True)
        with open(os.path.join(self.path, "feeds", self.feed + ".yaml"), "w") as feed:
            feed.write(f"source: broker\ntopics: [{self.topic}]\nformat: json\nkey_format: json\ntable: silver.{self.feed}\nmode: upsert\n"
                       f"key: [id]\nproperties: {{format-version: {version}}}\ncommit: {{every: 10s, rows: {max(CHANGES // 20, 1000)}}}\n")

    def run(self, *args):
        done = subprocess.run([self.firn, *(() if args[0] == "init" else ("--lake", self.path)), *args], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=3600, env={**os.environ, "NO_COLOR": "1"})
        assert done.returncode == 0, f"firn {' '.join(args)}\n{done.stderr}{done.stdout}"
        return done.stdout

    def drain(self, processes):
        """Several at once share the partitions."""
        command = [self.firn, "--lake", self.path, "ingest", "run", self.feed, "--drain"]
        log = os.path.join(self.path, "drain.log")
        with open(log, "ab") as out:
            running = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out) for _ in range(processes)]
            codes = [process.wait(3600) for process in running]
        with open(log, errors="replace") as text:
            assert codes == [0] * processes, f"{codes}\n{text.read()[-4000:]}"

    def sql(self, statement):
        return json.loads(self.run("sql", "--format", "json", "-c", statement))

    def metadata(self):
        row = next(r for r in json.loads(self.run("table", "list", "--format", "json")) if r["name"] == self.feed)
        return os.path.join(self.path, row["metadata_location"].replace("file://", ""))


def load(bootstrap, first, count):
    loader = os.path.join(os.path.dirname(servers.firn_binary()), "bench", "kafka_load")
    subprocess.run([loader, "changes", "--brokers", bootstrap, "--topic", "changes", "--partitions", str(PARTITIONS), "--first", str(first), "--count", str(count),
                    "--keys", str(KEYS)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=3600)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    """A table of format version 2, drained by one process, and one of version 3, by three that share the partitions."""
    folder = tmp_path_factory.mktemp("upserts")
    with KafkaBroker(folder / "broker") as broker:
        made = {}
        for version in (2, 3):
            (folder / f"v{version}").mkdir()
            made[version] = Lake(folder / f"v{version}", broker.bootstrap, version)
        for n in range(SLICES):
            load(broker.bootstrap, n * CHANGES // SLICES, (n + 1) * CHANGES // SLICES - n * CHANGES // SLICES)
            for version, lake in made.items():
                began = time.monotonic()
                lake.drain(1 if version == 2 else 3)
                took = time.monotonic() - began
                say(f"version {version}, slice {n + 1} of {SLICES}: {CHANGES // SLICES:,} changes in {took:.1f} s, {CHANGES / SLICES / took:,.0f}/s")
        yield made


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    import sparkenv

    base = tmp_path_factory.mktemp("spark")
    session = sparkenv.session({"local": f"file:{base}/warehouse"}, "firn-upserts", str(base / "tmp"))
    yield session
    session.stop()


@pytest.mark.parametrize("version", [2, 3])
def test_the_table_equals_the_fold(lakes, version):
    lake = lakes[version]
    commits = lake.sql(f"SELECT count(*) AS n FROM silver.{lake.feed}.snapshots")[0]["n"]
    path = os.path.join(lake.path, "rows.parquet")
    lake.run("sql", "-q", "-c", f"COPY (SELECT id, seq FROM silver.{lake.feed}) TO '{path}'")
    import pyarrow.parquet as pq

    rows = pq.read_table(path)
    check(f"firn, version {version}, {commits} snapshots", rows["id"].to_numpy(), rows["seq"].to_numpy(), CHANGES)


@pytest.mark.parametrize("version", [2, 3])
def test_pyiceberg_reads_the_same(lakes, version):
    from pyiceberg.table import StaticTable

    rows = StaticTable.from_metadata(lakes[version].metadata()).scan(selected_fields=("id", "seq")).to_arrow()
    check(f"PyIceberg, version {version}", rows["id"].to_numpy(), rows["seq"].to_numpy(), CHANGES)


@pytest.mark.parametrize("version", [2, 3])
def test_spark_reads_the_same(lakes, spark, version, tmp_path):
    import glob

    import pyarrow.parquet as pq

    out = str(tmp_path / "rows")
    metadata = lakes[version].metadata()
    spark.read.format("iceberg").load(f"file:{metadata}").select("id", "seq").write.parquet(f"file:{out}")
    rows = pq.read_table(sorted(glob.glob(out + "/*.parquet")))
    check(f"Spark, version {version}", rows["id"].to_numpy(), rows["seq"].to_numpy(), CHANGES)
