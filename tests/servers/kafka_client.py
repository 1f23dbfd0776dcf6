"""Topics and records for tests, by Confluent's Python client (its own librdkafka, newer than Debian's)."""
import collections
import concurrent.futures
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

Record = collections.namedtuple("Record", "topic partition offset timestamp key value headers")


def framed(schema_id, payload):
    """Confluent's wire format: magic byte 0, the id, the payload (Protobuf: with its message indexes in front)."""
    return b"\0" + schema_id.to_bytes(4, "big") + payload


class KafkaClient:
    """`broker` is a KafkaBroker, a KafkaCluster or a bootstrap string; `config` is librdkafka's."""

    def __init__(self, broker, **config):
        self.config = {"bootstrap.servers": getattr(broker, "bootstrap", broker), "log_level": 2, "reconnect.backoff.max.ms": 500, **config}
        self.admin = AdminClient(self.config)
        self._producer = None

    @property
    def producer(self):
        if self._producer is None:
            self._producer = Producer({**self.config, "linger.ms": 5, "enable.idempotence": True, "queue.buffering.max.messages": 1_000_000})
        return self._producer

    def create(self, topic, partitions=1, copies=1, **config):
        """Makes a topic and waits until the cluster shows it. Topic settings have _ for the dots of their names."""
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        done(self.admin.create_topics([NewTopic(topic, partitions, copies, config=settings)]))
        self.wait(lambda: topic in self.topics() and self.topics()[topic] == partitions, f"topic {topic}")
        return topic

    def delete(self, topic):
        done(self.admin.delete_topics([topic]))
        self.wait(lambda: topic not in self.topics(), f"topic {topic} to be gone")

    def add_partitions(self, topic, total):
        done(self.admin.create_partitions([NewPartitions(topic, total)]))
        self.wait(lambda: self.topics().get(topic) == total, f"{total} partitions of {topic}")

    def topics(self):
        """{topic: number of partitions}"""
        found = self.admin.list_topics(timeout=30).topics
        return {name: len(t.partitions) for name, t in found.items() if t.error is None}

    @staticmethod
    def wait(ready, what, timeout_s=30):
        until = time.monotonic() + timeout_s
        while not ready():
            if time.monotonic() > until:
                raise TimeoutError(f"waited {timeout_s} s for {what}")
            time.sleep(0.05)

    def produce(self, topic, records):
        """Records: values, or dicts of key, value, partition, headers, timestamp. Bytes, text or None. Waits until all are there."""
        failed = []

        def delivered(error, _message):
            if error:
                failed.append(error)

        for record in records:
            fields = record if isinstance(record, dict) else {"value": record}
            while True:
                try:
                    self.producer.produce(topic, on_delivery=delivered, **fields)
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.producer.poll(0)
        left = self.producer.flush(120)
        if left or failed:
            raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT, f"{left} records were not taken"))

    def transaction(self, topic, records, commit=True, transactional_id="firn-tests"):
        """The same in a transaction that is committed or aborted."""
        producer = Producer({**self.config, "transactional.id": transactional_id})
        producer.init_transactions(60)
        producer.begin_transaction()
        for record in records:
            producer.produce(topic, **(record if isinstance(record, dict) else {"value": record}))
        producer.flush(60)
        producer.commit_transaction(60) if commit else producer.abort_transaction(60)

    def ends(self, topic):
        """{partition: (first offset there is, offset behind the last)}"""
        consumer = self._consumer("firn-tests-ends")
        try:
            return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30) for p in range(self.topics()[topic])}
        finally:
            consumer.close()

    def truncate(self, topic, offsets):
        """Takes away the records below {partition: offset}, as retention does."""
        done(self.admin.delete_records([TopicPartition(topic, p, o) for p, o in offsets.items()]))

    def committed(self, group, topic):
        """{partition: offset that the group has committed}, without those that have none"""
        consumer = self._consumer(group)
        try:
            found = consumer.committed([TopicPartition(topic, p) for p in range(self.topics()[topic])], timeout=30)
            return {p.partition: p.offset for p in found if p.offset >= 0}
        finally:
            consumer.close()

    def read(self, topic, timeout_s=60):
        """All records of a topic up to its end of now, as Records."""
        ends = self.ends(topic)
        consumer = self._consumer("firn-tests-read", **{"auto.offset.reset": "earliest", "enable.partition.eof": True})
        consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in ends.items()])
        open_partitions, found, until = {p for p, (low, high) in ends.items() if low < high}, [], time.monotonic() + timeout_s
        try:
            while open_partitions:
                if time.monotonic() > until:
                    raise TimeoutError(f"could not read {topic} to its end within {timeout_s} s")
                for m in consumer.consume(10_000, 0.5):
                    if m.error():
                        if m.error().code() != KafkaError._PARTITION_EOF:
                            raise KafkaException(m.error())
                        open_partitions.discard(m.partition())
                    else:
                        found.append(Record(m.topic(), m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers()))
            return found
        finally:
            consumer.close()

    def _consumer(self, group, **config):
        return Consumer({**self.config, "group.id": group, "enable.auto.commit": False, **config})


def done(futures):
    concurrent.futures.wait(futures.values(), timeout=60)
    for future in futures.values():
        future.result(0)
