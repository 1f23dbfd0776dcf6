"""What firn says of a cluster and of feeds: `ingest topics`, `ingest status`, and the metrics, with every way to log in."""
import glob
import json
import os
import shutil
import subprocess
import urllib.request

import confluent_kafka
import pytest
import servers
from conftest import Firn, rows_of
from prometheus_client.parser import text_string_to_metric_families
from servers.kafka import PASSWORD, USER
from servers.kafka_client import framed

LOGIN = {"username": USER, "password": PASSWORD}


def lake_with(tmp_path, **source):
    firn = Firn(tmp_path / "lake")
    firn.ok("init")
    with open(tmp_path / "lake" / "firn.yaml", "a") as f:
        f.write("\n" + json.dumps({"sources": [{"name": "shop", **source}]})[1:-1] + "\n")  # JSON is YAML
    return firn


def topics(firn, *args):
    return {row["topic"]: row for row in rows_of(firn.ok("ingest", "topics", "--format", "json", *args))}


@pytest.fixture
def newer_librdkafka(tmp_path, monkeypatch):
    """The one inside confluent-kafka, for the firn that the test starts."""
    inside = os.path.join(os.path.dirname(os.path.dirname(confluent_kafka.__file__)), "confluent_kafka.libs", "librdkafka-*.so.1")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "librdkafka.so.1").symlink_to(glob.glob(inside)[0])
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "lib"))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram(kafka, topic, tmp_path, newer_librdkafka, mechanism):
    firn = lake_with(tmp_path, kafka=kafka.secure["SASL_SSL"], ca_file=kafka.ca, mechanism=mechanism, **LOGIN)
    assert topics(firn, "--pattern", topic)[topic]["records"] == 0


def test_scram_with_the_systems_librdkafka_works_or_says_why_not(kafka, topic, tmp_path):
    firn = lake_with(tmp_path, kafka=kafka.secure["SASL_SSL"], ca_file=kafka.ca, mechanism="SCRAM-SHA-512", **LOGIN)
    done = firn.run("ingest", "topics", "--pattern", topic)
    assert done.returncode == 0 or "librdkafka 2.6.1" in done.stderr


@pytest.mark.parametrize("listener, source", [
    ("SSL", {"security": "ssl"}),
    ("SSL", {}),
    ("SASL_PLAINTEXT", {"security": "sasl_plaintext", **LOGIN}),
    ("SASL_SSL", {"mechanism": "PLAIN", **LOGIN}),
    ("SASL_SSL", LOGIN),
])
def test_every_way_to_log_in(kafka, topic, tmp_path, listener, source):
    kafka.client.produce(topic, ['{"a": 1}'])
    ca = {"ca_file": kafka.ca} if "SSL" in listener else {}
    firn = lake_with(tmp_path, kafka=kafka.secure[listener], **ca, **source)
    assert topics(firn, "--pattern", topic)[topic]["records"] == 1


def test_a_client_certificate(kafka, topic, tmp_path):
    firn = lake_with(tmp_path, kafka=kafka.secure["SSL"], ca_file=kafka.ca, cert_file=kafka.cert, key_file=kafka.encrypted_key, key_password=kafka.key_password)
    assert topics(firn, "--pattern", topic)[topic]["records"] == 0


def test_a_wrong_password_is_said_and_not_shown(kafka, tmp_path):
    firn = lake_with(tmp_path, kafka=kafka.secure["SASL_SSL"], ca_file=kafka.ca, username=USER, password="hunter2")
    done = firn.run("ingest", "topics")
    assert done.returncode == 1
    assert "check the login" in done.stderr
    assert "hunter2" not in done.stderr


def test_tokens_by_openid_connect(kafka, topic, tmp_path):
    with servers.TokenServer() as tokens:
        source = {"security": "sasl_plaintext", "oauth_url": tokens.url, "oauth_client": USER}
        firn = lake_with(tmp_path, kafka=kafka.secure["SASL_PLAINTEXT"], oauth_secret=PASSWORD, **source)
        assert topics(firn, "--pattern", topic)[topic]["records"] == 0
        assert tokens.asked >= 1
        (tmp_path / "wrong").mkdir()
        refused = lake_with(tmp_path / "wrong", kafka=kafka.secure["SASL_PLAINTEXT"], oauth_secret="hunter2", **source).run("ingest", "topics")
        assert refused.returncode == 1
        assert "oauth_client" in refused.stderr and "hunter2" not in refused.stderr


def test_nobody_there(tmp_path):
    done = lake_with(tmp_path, kafka="127.0.0.1:1").run("ingest", "topics")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


ORDER = {"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "long"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "total", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}]},
]}


def test_formats_and_columns(kafka, registry, topic, tmp_path):
    client = kafka.client
    names = {kind: client.create(f"{topic}.{kind}", partitions=2) for kind in ("avro", "json", "text", "raw", "empty")}
    schema_id = registry.register(f"{names['avro']}-value", ORDER)
    order = bytes([2, 4, 2, 2, 100])  # id 1, at 2 us, total 1.00
    client.produce(names["avro"], [{"key": f"k{i}", "value": framed(schema_id, order), "partition": i % 2} for i in range(10)])
    client.produce(names["json"], [json.dumps({"id": i, "name": "x", "tags": ["a"]}) for i in range(10)] + ["{broken"])
    client.produce(names["text"], [{"key": None, "value": "hello"}])
    client.produce(names["raw"], [b"\xff\xfe\x00"])
    firn = lake_with(tmp_path, kafka=kafka.bootstrap, registry=registry.uri)
    found = topics(firn, "--pattern", f"^{topic}[.].*")
    assert set(found) == set(names.values())
    avro = found[names["avro"]]
    assert (avro["records"], avro["partitions"], avro["value_format"], avro["key_format"]) == (10, 2, "avro", "string")
    assert (avro["schema_id"], avro["schema_version"], avro["subject"]) == (schema_id, 1, f"{names['avro']}-value")
    assert avro["columns"] == "id BIGINT, at TIMESTAMP WITH TIME ZONE, total DECIMAL(10,2)"
    as_json = found[names["json"]]
    assert as_json["value_format"] == "json"
    assert as_json["columns"].startswith("id BIGINT, name ")
    assert as_json["bad"] == 1 and "offset" in as_json["problem"]
    assert found[names["text"]]["value_format"] == "string"
    assert found[names["text"]]["key_format"] == "none"
    assert found[names["raw"]]["value_format"] == "bytes"
    assert found[names["empty"]]["problem"] == "no records yet"
    for row in found.values():
        assert row["records"] == 0 or float(row["records_per_s"]) > 0
    people = firn.ok("ingest", "topics", "--pattern", f"^{topic}[.].*")
    assert f"avro v1 (id {schema_id})" in people and "total DECIMAL(10,2)" in people
    # Without the registry it says what is missing.
    (tmp_path / "bare").mkdir()
    bare = topics(lake_with(tmp_path / "bare", kafka=kafka.bootstrap), "--pattern", names["avro"])
    assert "registry" in bare[names["avro"]]["problem"]


def test_the_feed_file_runs_and_status_tells_how_far(kafka, topic, tmp_path):
    kafka.client.produce(topic, [json.dumps({"id": i}) for i in range(100)])
    firn = lake_with(tmp_path, kafka=kafka.bootstrap)
    os.makedirs(tmp_path / "lake" / "feeds", exist_ok=True)
    (tmp_path / "lake" / "feeds" / "orders.yaml").write_text(firn.ok("ingest", "topics", "--feed", topic))
    def status():
        return rows_of(firn.ok("ingest", "status", "--format", "json"))[0]
    assert (status()["state"], status()["lag"]) == ("not running", 100)
    firn.ok("ingest", "run", "orders", "--drain")
    table = firn.ok("feed", "list", "--format", "json")
    table = rows_of(table)[0]["table"]
    assert firn.sql(f"select count(*) n, count(distinct id) d from {table}") == [{"n": 100, "d": 100}]
    assert status()["lag"] == 0
    kafka.client.produce(topic, [json.dumps({"id": 7})])
    assert status()["lag"] == 1
    assert "not running" in firn.ok("ingest", "status")


def test_metrics_are_what_prometheus_reads(kafka, topic, tmp_path):
    kafka.client.produce(topic, [json.dumps({"id": i}) for i in range(100)])
    firn = lake_with(tmp_path, kafka=kafka.bootstrap)
    os.makedirs(tmp_path / "lake" / "feeds", exist_ok=True)
    (tmp_path / "lake" / "feeds" / "orders.yaml").write_text(firn.ok("ingest", "topics", "--feed", topic))
    with servers.FirnServer(tmp_path / "lake") as server:
        base = server.uri.split("/iceberg")[0]
        feed = subprocess.Popen([firn.binary, "--lake", firn.lake, "ingest", "run", "orders"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def text():
                with urllib.request.urlopen(base + "/metrics", timeout=10) as reply:
                    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
                    return reply.read().decode()
            kafka.client.wait(lambda: 'firn_ingest_records_total{feed="orders"' in text(), "the feed's figures")
            kafka.client.wait(lambda: rows_of(firn.ok("ingest", "status", "--format", "json"))[0]["rows"] == 100, "100 rows")
            found = text()
        finally:
            feed.terminate()
            assert feed.wait(30) == 0
    assert "firn_build_info{version=" in found
    assert 'firn_http_requests_total{code="2xx"}' in found
    families = {family.name: family for family in text_string_to_metric_families(found)}
    assert families["firn_ingest_rows"].type == "counter"
    assert [(s.labels["feed"], s.value) for s in families["firn_ingest_rows"].samples] == [("orders", 100)]
    assert {s.labels["code"] for s in families["firn_http_requests"].samples} == {f"{i}xx" for i in range(1, 6)}
    assert families["process_resident_memory_bytes"].samples[0].value > 1e6
    if shutil.which("promtool"):  # Prometheus's own: also names and help
        check = subprocess.run(["promtool", "check", "metrics"], input=found, capture_output=True, text=True, timeout=30)
        assert check.returncode == 0, check.stdout + check.stderr
