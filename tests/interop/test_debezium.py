"""Debezium with a real PostgreSQL: the table that a feed of mode debezium keeps is the database's table, type by type, in each of the
formats that Debezium's converters write.
"""
import json
import os
import subprocess

import conftest
import pytest
import servers
from servers.debezium import Debezium

COLUMNS = """
    id integer PRIMARY KEY, region text NOT NULL, b boolean, s smallint, l bigint, r real, d double precision, n numeric(12,2), free numeric,
    day date, clock time, made timestamp, moment timestamptz, u uuid, j jsonb, bytes bytea, large text
"""
# What both sides are read as: texts that each database prints alike.
SAME = {
    "clock": "CAST(clock AS VARCHAR)", "day": "CAST(day AS VARCHAR)", "made": "strftime(made, '%Y-%m-%d %H:%M:%S.%f')",
    "moment": "strftime(moment AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')", "n": "CAST(n AS VARCHAR)", "free": "CAST(free AS VARCHAR)", "u": "CAST(u AS VARCHAR)",
    "bytes": "lower(hex(bytes))",
}
THEIRS = {
    "clock": "clock::text", "day": "day::text", "made": "to_char(made, 'YYYY-MM-DD HH24:MI:SS.US')", "moment": "to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    "n": "n::text", "free": "trim_scale(free)::text", "u": "u::text", "bytes": "encode(bytes, 'hex')",
}
NAMES = ["id", "region", "b", "s", "l", "n", "free", "day", "clock", "made", "moment", "u", "bytes", "large"]
FIRST = [
    "INSERT INTO items SELECT i, CASE i % 2 WHEN 0 THEN 'eu' ELSE 'us' END, i % 3 = 0, i, i * 10000000000, i / 3.0, i / 7.0, i * 1.25, i * -0.001, DATE '2026-01-01' + i, "
    "TIME '00:00:00.000001' + i * INTERVAL '1 second', TIMESTAMP '2026-01-01 00:00:00.000001' + i * INTERVAL '1 hour', TIMESTAMPTZ '2026-01-01 00:00:00.000001+02' + i * INTERVAL '1 hour', "
    "gen_random_uuid(), jsonb_build_object('i', i), decode(lpad(to_hex(i), 8, '0'), 'hex'), repeat(md5(i::text), 300) FROM generate_series(1, 50) i",
    "INSERT INTO items (id, region) VALUES (100, 'null')",
]
THEN = [
    "UPDATE items SET n = n + 1, region = 'moved' WHERE id BETWEEN 1 AND 20",
    "DELETE FROM items WHERE id % 5 = 0",
    "INSERT INTO items (id, region, n) VALUES (5, 'again', 1), (200, 'eu', 2)",
    "UPDATE items SET n = NULL WHERE id = 7",
    "UPDATE items SET id = 300 WHERE id = 8",
    "ALTER TABLE items ADD COLUMN added integer",
    "INSERT INTO items (id, region, added) VALUES (400, 'new', 42)",
]


@pytest.fixture(scope="module")
def postgres():
    with servers.PostgresCluster() as cluster:
        cluster.down()
        with open(os.path.join(cluster.data, "postgresql.conf"), "a") as conf:
            conf.write("wal_level = logical\n")
        cluster.up()
        yield cluster


def psql(cluster, database, statement):
    done = subprocess.run([cluster.bin("psql"), "-h", "127.0.0.1", "-p", str(cluster.port), "-U", "firn", "-d", database, "-qAtc", statement],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env={**os.environ, "PGTZ": "UTC"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def theirs(cluster, database):
    columns = ", ".join(f"{THEIRS.get(c, c)} AS {c}" for c in NAMES)
    return [json.loads(line) for line in psql(cluster, database, f"SELECT row_to_json(x) FROM (SELECT {columns} FROM items ORDER BY id) x").splitlines()]


def ours(firn, table):
    return firn.sql("SELECT " + ", ".join(f"{SAME.get(c, c)} AS {c}" for c in NAMES) + f" FROM silver.{table} ORDER BY id")


FORMATS = {"wrapped": {"schemas": True}, "avro": {}, "flat": {"schemas": True, "settings": {
    "transforms": "unwrap", "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
    "transforms.unwrap.delete.tombstone.handling.mode": "rewrite", "transforms.unwrap.add.fields": "op"}}}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_table_is_the_database_s(kind, kafka, registry, postgres, tmp_path):
    database, prefix, topic = f"db_{kind}", f"deb_{kind}", f"deb_{kind}.public.items"
    postgres.database(database)
    psql(postgres, database, f"CREATE TABLE items ({COLUMNS})")
    psql(postgres, database, "ALTER TABLE items REPLICA IDENTITY FULL")
    for statement in FIRST:
        psql(postgres, database, statement)
    kafka.client.create(topic)
    firn = conftest.init(tmp_path / "lake")
    with open(f"{firn.lake}/firn.yaml", "a") as config:
        config.write(f"\nsources:\n  - name: broker\n    kafka: {kafka.bootstrap}\n    registry: {registry.uri}\n")
    os.makedirs(f"{firn.lake}/feeds", exist_ok=True)
    payload = "avro" if kind == "avro" else "json"
    with open(f"{firn.lake}/feeds/items.yaml", "w") as feed:
        feed.write(f"source: broker\ntopics: [{topic}]\nformat: {payload}\nkey_format: {payload}\ntable: silver.items\nmode: debezium\nproperties: {{format-version: 3}}\n")

    def arrived(n):
        kafka.client.wait(lambda: firn_sees(kafka, topic) >= n, f"{n} records in {topic}", 60)
        firn.ok("ingest", "run", "items", "--drain", timeout=300)

    options = dict(FORMATS[kind])
    if kind == "avro":
        options["registry"] = registry
    with Debezium(tmp_path / "debezium", kafka, postgres, database, prefix=prefix, **options):
        arrived(51)
        assert ours(firn, "items") == theirs(postgres, database)
        for statement in THEN:
            psql(postgres, database, statement)
        # 20 updates, 10 deletes with a tombstone each unless they are rewritten, 2 inserts, 1 update, a key's change (delete, create), 1 insert
        arrived(51 + 20 + 10 * (1 if kind == "flat" else 2) + 2 + 1 + (2 if kind == "flat" else 3) + 1)
        assert ours(firn, "items") == theirs(postgres, database)
        assert firn.sql("SELECT added FROM silver.items WHERE id = 400") == [{"added": 42}]
    types = {f["name"]: f["type"] for f in conftest.schema_of(firn.metadata("silver.items"))}
    assert {k: types[k] for k in ("day", "clock", "made", "moment", "u")} == {"day": "date", "clock": "time", "made": "timestamp", "moment": "timestamptz", "u": "uuid"}


def firn_sees(kafka, topic):
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "count", "log_level": 2})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1]
    finally:
        consumer.close()
