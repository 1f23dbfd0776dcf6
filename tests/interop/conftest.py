"""Fixtures: the firn binary, lakes that it fills, one Spark session for the whole run.

FIRN names the binary (default build/firn). Nothing here skips: a peer that is missing is a failed test.
"""
import json
import os
import re
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(REPO, "tests", "golden", "generate"), os.path.join(REPO, "tests")]

import servers  # noqa: E402

GOLDEN = os.path.join(REPO, "tests", "golden", "tables")

os.environ["TZ"] = "UTC"
time.tzset()


class FirnError(AssertionError):
    pass


class Firn:
    """The binary on one lake."""

    def __init__(self, lake):
        self.binary = os.path.abspath(os.environ.get("FIRN", os.path.join(REPO, "build", "firn")))
        self.lake = str(lake)

    def run(self, *args, timeout=120):
        env = dict(os.environ, NO_COLOR="1")
        env.pop("FIRN_LAKE", None)
        return subprocess.run([self.binary, "--lake", self.lake, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env=env)

    def ok(self, *args, timeout=120):
        done = self.run(*args, timeout=timeout)
        if done.returncode != 0:
            raise FirnError(f"firn {' '.join(args)}\nexit {done.returncode}\n{done.stderr}{done.stdout}")
        return done.stdout

    def sql(self, statement):
        """Rows of one query as dicts. Reals and decimals come as text, so that no digit is lost on the way."""
        return rows_of(self.ok("sql", "--format", "json", "-c", statement))

    def execute(self, *statements):
        for s in statements:
            self.ok("sql", "-q", "-c", s)

    def tables(self):
        return rows_of(self.ok("table", "list", "--format", "json"))

    def metadata(self, name):
        """Path of the current metadata file of "namespace.table"."""
        for row in self.tables():
            if f"{row['namespace']}.{row['name']}" == name:
                return os.path.join(self.lake, local_path(row["metadata_location"]))
        raise FirnError(f"firn table list does not show {name}")


def rows_of(text):
    return json.loads(text, parse_float=str) if text.strip() else []


def local_path(location):
    return re.sub(r"^file:/*", "/", location)


def schema_of(metadata_path):
    """The fields of the current schema, in Iceberg's JSON form."""
    with open(metadata_path) as f:
        meta = json.load(f)
    return next(s for s in meta["schemas"] if s["schema-id"] == meta["current-schema-id"])["fields"]


def init(lake):
    firn = Firn(lake)
    done = subprocess.run([firn.binary, "init", firn.lake], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise FirnError(f"firn init: {done.stderr}")
    return firn


@pytest.fixture(scope="session")
def golden_lake(tmp_path_factory):
    """A lake that reads /firn-golden/... from tests/golden/tables."""
    firn = init(tmp_path_factory.mktemp("golden") / "lake")
    path = os.path.join(firn.lake, "firn.yaml")
    with open(path) as f:
        text = f.read()
    aliases = f'aliases:\n    - {{from: "/firn-golden", to: "{GOLDEN}"}}\n'
    if re.search(r"^storage:", text, re.M):
        text = re.sub(r"^( *)aliases:.*\n", "", text, flags=re.M)
        text = re.sub(r"^storage:.*\n", "storage:\n  " + aliases, text, flags=re.M)
    else:
        text += "\nstorage:\n  " + aliases
    with open(path, "w") as f:
        f.write(text)
    firn.execute("CREATE SCHEMA golden")
    return firn


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory):
    """The e-commerce lake as `firn demo` leaves it."""
    lake = tmp_path_factory.mktemp("demo") / "lake"
    firn = Firn(lake)
    done = subprocess.run([firn.binary, "demo", "ecommerce", "--lake", firn.lake], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise FirnError(f"firn demo: {done.stderr}{done.stdout}")
    return firn


@pytest.fixture(scope="session")
def written_lake(tmp_path_factory):
    """The tables of written.py, each made by the test that first asks for it."""
    firn = init(tmp_path_factory.mktemp("written") / "lake")
    firn.execute("CREATE SCHEMA v2", "CREATE SCHEMA v3")
    firn.made = {}
    return firn


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    import sparkenv

    base = tmp_path_factory.mktemp("spark")
    session = sparkenv.session({"local": f"file:{base}/warehouse"}, "firn-interop", str(base / "tmp"))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """`firn serve` on a lake of its own; `firn` is the binary on the same lake."""
    server = servers.FirnServer(tmp_path_factory.mktemp("served") / "lake")
    with server:
        server.firn = Firn(server.lake)
        yield server
        assert server.process.poll() is None, server.log_end()


@pytest.fixture(scope="session")
def rest_spark(spark, served):
    """The session with firn's catalogs: `rest` is main, `dev` another branch by its URI, `devp` the same by the warehouse's name."""
    served.firn.ok("ref", "branch", "dev")
    for name, uri, warehouse in (("rest", served.uri, None), ("dev", served.branch_uri("dev"), None), ("devp", served.uri, "dev")):
        spark.conf.set(f"spark.sql.catalog.{name}", "org.apache.iceberg.spark.SparkCatalog")
        spark.conf.set(f"spark.sql.catalog.{name}.type", "rest")
        spark.conf.set(f"spark.sql.catalog.{name}.uri", uri)
        spark.conf.set(f"spark.sql.catalog.{name}.cache-enabled", "false")
        if warehouse:
            spark.conf.set(f"spark.sql.catalog.{name}.warehouse", warehouse)
    return spark


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """A broker for the whole run, with a client in `client`: each test has topics of its own. Its secure listeners are on, too."""
    from servers.kafka_client import KafkaClient

    with servers.KafkaBroker(tmp_path_factory.mktemp("kafka"), secure=True) as broker:
        broker.client = KafkaClient(broker)
        yield broker


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A schema registry for the whole run: each test has subjects of its own."""
    with servers.SchemaRegistry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture
def topic(kafka, request):
    """A topic of one partition, named after the test."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", request.node.name).strip("-")[:200]
    return kafka.client.create(name)
