"""Debezium's PostgreSQL connector in Kafka Connect, standalone: change events of a real database in real topics."""
import json
import os

from .base import DEPS, Server, ServerError, get, java
from .kafka import LOG4J, kept_port, need

DEBEZIUM_JARS = os.path.join(DEPS, "jars", "debezium")
JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


class Debezium(Server):
    """Changes of the tables of a PostgreSQL database (wal_level logical) as topics <prefix>.<schema>.<table>, which must exist.
    `schemas`: Connect's JSON with {"schema", "payload"}, else plain JSON; with `registry`, Avro in Confluent's wire format. `settings` go to
    the connector."""

    name = "Debezium"
    start_timeout_s = 120

    def __init__(self, folder, broker, cluster, database, prefix="shop", schemas=False, registry=None, settings=None):
        super().__init__(folder)
        self.port = kept_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        converter = self.avro(registry) if registry else {
            side + key: value for side in ("key", "value") for key, value in ((".converter", JSON_CONVERTER), (".converter.schemas.enable", str(schemas).lower()))}
        self.worker = {
            "bootstrap.servers": broker.bootstrap,
            "listeners": self.uri,
            "offset.storage.file.filename": os.path.join(self.folder, "offsets"),
            "offset.flush.interval.ms": 1000,
            "plugin.discovery": "service_load",
            **converter,
        }
        self.connector = {
            "name": "debezium",
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "tasks.max": 1,
            "database.hostname": "127.0.0.1",
            "database.port": cluster.port,
            "database.user": "firn",
            "database.password": "none",
            "database.dbname": database,
            "topic.prefix": prefix,
            "plugin.name": "pgoutput",
            "slot.name": "firn_" + prefix.replace("-", "_"),
            "publication.name": "firn_" + prefix.replace("-", "_"),
            "snapshot.mode": "initial",
            **(settings or {}),
        }

    @staticmethod
    def avro(registry):
        return {
            f"{side}.{key}": value
            for side in ("key", "value")
            for key, value in (("converter", "io.apicurio.registry.utils.converter.AvroConverter"),
                               ("converter.apicurio.registry.url", registry.uri.replace("/apis/ccompat/v7", "/apis/registry/v2")),
                               ("converter.apicurio.registry.auto-register", "true"),
                               ("converter.apicurio.registry.find-latest", "true"),
                               ("converter.apicurio.registry.as-confluent", "true"),
                               ("converter.apicurio.registry.headers.enabled", "false"), ("converter.apicurio.registry.use-id", "contentId"))
        }

    def command(self):
        need(DEBEZIUM_JARS, self.name)
        for name, properties in (("worker", self.worker), ("connector", self.connector)):
            with open(os.path.join(self.folder, f"{name}.properties"), "w") as f:
                f.writelines(f"{key}={value}\n" for key, value in properties.items())
        with open(os.path.join(self.folder, "log4j2.xml"), "w") as f:
            f.write(LOG4J)
        return [java(), "-Xmx512m", "-XX:+UseSerialGC", "-Dlog4j2.configurationFile=log4j2.xml", "-cp", os.path.join(DEBEZIUM_JARS, "*"),
                "org.apache.kafka.connect.cli.ConnectStandalone", "worker.properties", "connector.properties"]

    def status(self):
        return json.loads(get(f"{self.uri}/connectors/debezium/status", timeout=30)[1])

    def answers(self):
        status = self.status()
        failed = [t for t in [status["connector"], *status["tasks"]] if t["state"] == "FAILED"]
        if failed:
            raise ServerError(f"{self.name}: {failed[0].get('trace')}")
        return bool(status["tasks"]) and all(t["state"] == "RUNNING" for t in status["tasks"])

    def stop(self, timeout_s=60):
        return super().stop(timeout_s)
