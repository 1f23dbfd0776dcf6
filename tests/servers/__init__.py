"""The servers that tests, benchmarks and the Kafka demo talk to: firn's own, and other people's.

Each is a context manager with a `pid` and `ready_s`, the seconds from its start to its first answer; those that speak HTTP have
`uri`. All listen on free ports of 127.0.0.1. Only the standard library is used: benchmarks and the demo run under any Python 3.
What needs packages is in kafka_client.py, which is imported by name, as is ksqldb.py, which is a program, too.
"""
from .base import DEPS, REPO, Server, ServerError, free_port, get, java  # noqa: F401
from .catalogs import (  # noqa: F401
    RCK_JARS,
    FirnServer,
    NessieServer,
    ObjectShelf,
    PostgresCluster,
    ReferenceServer,
    catalog_of,
    configure,
    firn_binary,
)
from .connect import IcebergSink  # noqa: F401
from .kafka import KafkaBroker, KafkaCluster, SchemaRegistry, TokenServer  # noqa: F401
