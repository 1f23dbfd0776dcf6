"""Kafka Connect, standalone, with the Iceberg project's sink: what `firn ingest` is measured beside."""
import json
import os

from .base import DEPS, Server, ServerError, get, java
from .kafka import LOG4J, kept_port, need

CONNECT_JARS = os.path.join(DEPS, "jars", "connect")


class IcebergSink(Server):
    """Appends `topics` to `table`, which it creates when its namespace is there. `catalog`: the sink's iceberg.catalog.*, for
    instance {"type": "rest", "uri": server.uri} or {"type": "hadoop", "warehouse": folder}. Values are JSON objects without a
    schema, or Avro by `registry`. `tasks` is the number of threads that consume; all run in this one process. `settings` go to the
    connector, `worker` to the worker. The control topic "control-iceberg" must exist, with one partition."""

    name = "Iceberg's Kafka Connect sink"
    start_timeout_s = 120

    def __init__(self, folder, broker, topics, table, catalog, registry=None, tasks=1, commit_s=10, heap="4g", settings=None, worker=None):
        super().__init__(folder)
        self.port = kept_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.heap = heap
        self.worker = {
            "bootstrap.servers": broker.bootstrap,
            "listeners": self.uri,
            "offset.storage.file.filename": os.path.join(self.folder, "offsets"),
            "offset.flush.interval.ms": 1000,
            "plugin.discovery": "service_load",
            "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            **(self.avro(registry) if registry else {}),
            "consumer.auto.offset.reset": "earliest",
            **(worker or {}),
        }
        self.connector = {
            "name": "iceberg",
            "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
            "tasks.max": tasks,
            "topics": ",".join(topics),
            "iceberg.tables": table,
            "iceberg.tables.auto-create-enabled": "true",
            "iceberg.tables.evolve-schema-enabled": "true",
            "iceberg.control.commit.interval-ms": commit_s * 1000,
            **{f"iceberg.catalog.{key}": value for key, value in catalog.items()},
            **(settings or {}),
        }

    @staticmethod
    def avro(registry):
        """Apicurio's converter in Confluent's wire format: the only Avro converter on Maven Central."""
        return {
            "value.converter": "io.apicurio.registry.utils.converter.AvroConverter",
            "value.converter.apicurio.registry.url": registry.uri.replace("/apis/ccompat/v7", "/apis/registry/v2"),
            "value.converter.apicurio.registry.as-confluent": "true",
        }

    def command(self):
        need(CONNECT_JARS, self.name)
        for name, properties in (("worker", self.worker), ("sink", self.connector)):
            with open(os.path.join(self.folder, f"{name}.properties"), "w") as f:
                f.writelines(f"{key}={value}\n" for key, value in properties.items())
        with open(os.path.join(self.folder, "log4j2.xml"), "w") as f:
            f.write(LOG4J)
        classes = os.path.join(CONNECT_JARS, "*")
        return [java(), f"-Xmx{self.heap}", "-Dlog4j2.configurationFile=log4j2.xml", "-cp", classes, "org.apache.kafka.connect.cli.ConnectStandalone", "worker.properties", "sink.properties"]

    def status(self):
        return json.loads(get(f"{self.uri}/connectors/iceberg/status", timeout=30)[1])

    def answers(self):
        tasks = self.status()["tasks"]
        failed = [t for t in tasks if t["state"] == "FAILED"]
        if failed:
            raise ServerError(f"{self.name}: {failed[0].get('trace')}")
        return bool(tasks) and all(t["state"] == "RUNNING" for t in tasks)

    def cpu_s(self):
        """CPU seconds that the process has used so far, user and system."""
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, timeout_s=60):
        return super().stop(timeout_s)
