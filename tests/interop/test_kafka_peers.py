"""The Kafka peers themselves: what the other tests build on holds before firn comes in."""
import pytest
import servers
from confluent_kafka import KafkaException
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from servers.kafka_client import KafkaClient

LOGIN = {"sasl.username": servers.kafka.USER, "sasl.password": servers.kafka.PASSWORD}


def test_a_killed_broker_keeps_its_records(tmp_path):
    with servers.KafkaBroker(tmp_path / "kafka") as broker:
        client = KafkaClient(broker)
        client.create("orders", partitions=2)
        client.produce("orders", [{"value": f"v{i}", "partition": i % 2, "key": f"k{i}"} for i in range(100)])
        broker.kill()
        broker.start()
        assert client.ends("orders") == {0: (0, 50), 1: (0, 50)}
        assert sorted(r.value for r in client.read("orders")) == sorted(f"v{i}".encode() for i in range(100))
        client.truncate("orders", {0: 10})
        assert client.ends("orders")[0] == (10, 50)


def test_three_brokers_go_on_without_one(tmp_path):
    with servers.KafkaCluster(tmp_path, 3, heap="256m") as cluster:
        client = KafkaClient(cluster)
        client.create("orders", partitions=3, copies=3, min_insync_replicas=2)
        cluster.brokers[2].kill()
        client.produce("orders", [{"value": "x", "partition": i % 3} for i in range(30)])
        assert len(client.read("orders")) == 30


@pytest.mark.parametrize("listener, config", [
    ("SSL", {"security.protocol": "SSL"}),
    ("SASL_PLAINTEXT", {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", **LOGIN}),
    ("SASL_SSL", {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-256", **LOGIN}),
    ("SASL_SSL", {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", **LOGIN}),
])
def test_secure_listeners(kafka, listener, config):
    ca = {"ssl.ca.location": kafka.ca} if "SSL" in config["security.protocol"].split("_") else {}
    assert KafkaClient(kafka.secure[listener], **ca, **config).topics() == kafka.client.topics()
    if "sasl.password" in config:
        with pytest.raises(KafkaException):
            KafkaClient(kafka.secure[listener], **ca, **{**config, "sasl.password": "wrong"}).admin.list_topics(timeout=3)


def test_oauthbearer(kafka):
    with servers.TokenServer() as tokens:
        config = {"sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": servers.kafka.USER, "sasl.oauthbearer.client.secret": servers.kafka.PASSWORD}
        client = KafkaClient(kafka.secure["SASL_PLAINTEXT"], **{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url": tokens.url}, **config)
        client.admin.poll(1)
        assert client.topics() == kafka.client.topics()
        assert tokens.asked >= 1


def test_confluents_own_serializer_writes_what_the_registry_knows(kafka, registry, topic):
    schema = '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]}'
    serializer = AvroSerializer(SchemaRegistryClient({"url": registry.uri}), schema)
    kafka.client.produce(topic, [serializer({"id": 7}, SerializationContext(topic, MessageField.VALUE))])
    value = kafka.client.read(topic)[0].value
    schema_id = int.from_bytes(value[1:5], "big")
    assert value[0] == 0 and value[5:] == b"\x0e"
    assert registry.call("GET", f"/schemas/ids/{schema_id}")["schema"].replace(" ", "") == schema.replace(" ", "")


def test_the_registry_keeps_its_ids(tmp_path):
    with servers.SchemaRegistry(tmp_path) as registry:
        first = registry.register("a-value", {"type": "string"})
        registry.stop()
        registry.start()
        assert registry.register("a-value", {"type": "string"}) == first
        assert registry.register("b-value", {"type": "object", "properties": {"a": {"type": "integer"}}}, "JSON") != first
        with pytest.raises(servers.kafka.RegistryError) as refused:
            registry.call("GET", "/schemas/ids/999")
        assert refused.value.status == 404
