"""Kafka brokers (KRaft, Kafka's own jars), a schema registry (Apicurio, which speaks Confluent's protocol), OAuth tokens.

Brokers and the registry keep their ports and their data: stop(), kill() and start() again is a restart. Ports are taken from
below the range that the system gives to outgoing connections, so that nobody sits on them meanwhile.
"""
import base64
import contextlib
import glob
import http.server
import json
import os
import random
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from .base import DEPS, Server, ServerError, java

KAFKA_JARS = os.path.join(DEPS, "jars", "kafka")
APICURIO = os.path.join(DEPS, "jars", "apicurio")
USER, PASSWORD = "firn", "old-snow"
SMALL_JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]  # starts fast; `fast=True` compiles for speed

LOG4J = """<Configuration status="ERROR"><Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="out"/></Root><Logger name="kafka.server" level="INFO"/>
<Logger name="org.apache.iceberg.connect" level="INFO"/></Loggers></Configuration>
"""


def kept_port():
    for _ in range(1000):
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as s:
            with contextlib.suppress(OSError):
                s.bind(("127.0.0.1", port))
                return port
    raise ServerError("no free port of 127.0.0.1 between 15000 and 32000")


def need(path, what):
    if not os.path.exists(path):
        raise ServerError(f"{what} is not in {path}: ./run setup kafka fetches it")


def kafka_java(heap, fast=False):
    jvm = ["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"] if fast else SMALL_JVM
    return [java(), f"-Xmx{heap}", *jvm, "-Dlog4j2.configurationFile=log4j2.xml", "-cp", os.path.join(KAFKA_JARS, "*")]


class KafkaBroker(Server):
    """One broker that is its own controller, or one of a KafkaCluster. `secure` adds listeners with SSL and SASL:

    bootstrap                PLAINTEXT
    secure["SSL"]            TLS; client certificates are asked for, and taken when they are of the same CA
    secure["SASL_PLAINTEXT"] PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 (user "firn", password "old-snow"), OAUTHBEARER (unsigned tokens)
    secure["SASL_SSL"]       the same over TLS
    ca, cert, key            PEM files for clients; key_password goes with encrypted_key
    """

    name = "Kafka"
    start_timeout_s = 90

    def __init__(self, folder, node=1, voters=None, secure=False, heap="512m", fast=False, properties=None, brokers=1):
        super().__init__(folder)
        self.node, self.heap, self.fast, self.brokers = node, heap, fast, brokers
        self.port, self.control_port = kept_port(), kept_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.voters = voters or {node: self.control_port}
        self.properties = properties or {}
        self.secure = {name: f"127.0.0.1:{kept_port()}" for name in ("SSL", "SASL_PLAINTEXT", "SASL_SSL")} if secure else {}
        self.log_from = 0

    def settings(self):
        listeners = {"PLAINTEXT": self.bootstrap, **self.secure}
        text = ",".join(f"{name}://{address}" for name, address in listeners.items())
        copies = min(self.brokers, 3)
        return {
            "process.roles": "broker,controller",
            "node.id": self.node,
            "controller.quorum.voters": ",".join(f"{node}@127.0.0.1:{port}" for node, port in self.voters.items()),
            "listeners": f"{text},CONTROLLER://127.0.0.1:{self.control_port}",
            "advertised.listeners": text,
            "listener.security.protocol.map": ",".join(f"{name}:{name}" for name in listeners) + ",CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": os.path.join(self.folder, "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "controlled.shutdown.enable": "true" if self.brokers > 1 else "false",
            "log.retention.hours": -1,
            "message.max.bytes": 16 << 20,
            **(self.security() if self.secure else {}),
            **self.properties,
        }

    def security(self):
        plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        oauth = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        settings = {
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": os.path.join(self.folder, "server.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.ca,
            "ssl.client.auth": "requested",
        }
        for listener in ("sasl_plaintext", "sasl_ssl"):
            settings[f"listener.name.{listener}.plain.sasl.jaas.config"] = plain
            settings[f"listener.name.{listener}.scram-sha-256.sasl.jaas.config"] = scram
            settings[f"listener.name.{listener}.scram-sha-512.sasl.jaas.config"] = scram
            settings[f"listener.name.{listener}.oauthbearer.sasl.jaas.config"] = oauth
        return settings

    @property
    def ca(self):
        return os.path.join(self.folder, "ca.crt")

    @property
    def cert(self):
        return os.path.join(self.folder, "client.crt")

    @property
    def key(self):
        return os.path.join(self.folder, "client.key")

    @property
    def encrypted_key(self):
        return os.path.join(self.folder, "client-encrypted.key")

    key_password = PASSWORD

    def make_certificates(self):
        def openssl(*args):
            done = subprocess.run(["openssl", *args], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode != 0:
                raise ServerError(f"openssl {' '.join(args)}\n{done.stderr}")

        new = ["-newkey", "rsa:2048", "-nodes", "-keyout"]
        openssl("req", "-x509", *new, "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=firn tests")
        with open(os.path.join(self.folder, "san"), "w") as f:
            f.write("subjectAltName=IP:127.0.0.1,DNS:localhost")
        for who in ("server", "client"):
            openssl("req", *new, f"{who}.key", "-out", f"{who}.csr", "-subj", f"/CN={who}")
            openssl("x509", "-req", "-in", f"{who}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "san", "-out", f"{who}.crt")
        openssl("pkcs8", "-topk8", "-in", "client.key", "-v2", "aes-256-cbc", "-passout", f"pass:{PASSWORD}", "-out", "client-encrypted.key")
        with open(os.path.join(self.folder, "server.pem"), "w") as pem:
            for part in ("server.key", "server.crt", "ca.crt"):
                with open(os.path.join(self.folder, part)) as f:
                    pem.write(f.read())

    def command(self):
        need(KAFKA_JARS, "Kafka")
        if self.secure and not os.path.exists(self.ca):
            self.make_certificates()
        with open(os.path.join(self.folder, "server.properties"), "w") as f:
            f.writelines(f"{key}={value}\n" for key, value in self.settings().items())
        with open(os.path.join(self.folder, "log4j2.xml"), "w") as f:
            f.write(LOG4J)
        if not os.path.exists(os.path.join(self.folder, "data", "meta.properties")):
            self.format()
        self.log_from = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        return [*kafka_java(self.heap, self.fast), "kafka.Kafka", "server.properties"]

    def format(self):
        scram = [f"--add-scram={m}=[name={USER},password={PASSWORD}]" for m in ("SCRAM-SHA-256", "SCRAM-SHA-512")] if self.secure else []
        command = [*kafka_java("256m"), "kafka.tools.StorageTool", "format", "-t", "ZmlybnRlc3RzZmlybnRlcw", "-c", "server.properties", *scram]
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise ServerError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")

    def answers(self):
        with open(self.log, errors="replace") as log:
            log.seek(self.log_from)
            return "Kafka Server started" in log.read()

    def __repr__(self):
        return f"<Kafka {self.node} at {self.bootstrap}>"


class KafkaCluster:
    """Several brokers. One that is stopped or killed does not take the others along, if topics have copies."""

    def __init__(self, folder, n=3, **options):
        self.brokers = [KafkaBroker(os.path.join(str(folder), f"broker{i + 1}"), node=i + 1, brokers=n, **options) for i in range(n)]
        voters = {b.node: b.control_port for b in self.brokers}
        for broker in self.brokers:
            broker.voters = voters
        self.bootstrap = ",".join(b.bootstrap for b in self.brokers)

    def __enter__(self):
        started = time.monotonic()
        try:
            for broker in self.brokers:
                broker.launch()
            for broker in self.brokers:
                broker.wait_until_it_answers(started)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for broker in self.brokers:
            if broker.process:
                broker.kill()  # data of a test: nobody waits for a controlled shutdown


class RegistryError(ServerError):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status


class SchemaRegistry(Server):
    """Apicurio Registry; `uri` is the base of Confluent's protocol. It keeps its ids over restarts."""

    name = "Apicurio Registry"
    probe = "/subjects"

    def __init__(self, folder, heap="512m"):
        super().__init__(folder)
        self.heap = heap
        self.port = kept_port()
        self.uri = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def command(self):
        found = glob.glob(os.path.join(APICURIO, "apicurio-registry-app-*-runner.jar"))
        need(found[0] if found else APICURIO, self.name)
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self.port,
            "quarkus.datasource.jdbc.url": f"jdbc:h2:file:{self.folder}/schemas",
            "quarkus.log.level": "WARN",
        }
        return [java(), f"-Xmx{self.heap}", *SMALL_JVM, *(f"-D{key}={value}" for key, value in settings.items()), "-jar", found[0]]

    def call(self, method, path, body=None):
        """One request of Confluent's protocol; the decoded answer. RegistryError has the status of a refusal."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.uri + path, data, {"Content-Type": "application/vnd.schemaregistry.v1+json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read() or "null")
        except urllib.error.HTTPError as e:
            raise RegistryError(e.code, e.read().decode(errors="replace")) from None

    def register(self, subject, schema, kind="AVRO", references=()):
        """Registers a schema (text, or a JSON value) and returns its id. References: (name, subject, version)."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        refs = [{"name": name, "subject": of, "version": version} for name, of, version in references]
        return self.call("POST", f"/subjects/{subject}/versions", {"schema": text, "schemaType": kind, "references": refs})["id"]


class TokenServer:
    """An OAuth2 token endpoint for client credentials: unsigned tokens for the broker's OAUTHBEARER, good for `lifetime_s`.

    A double, not somebody's product: what is real here is librdkafka's OIDC client and Kafka's token check."""

    def __init__(self, lifetime_s=3600):
        server = self
        self.lifetime_s, self.asked, self.refuse = lifetime_s, 0, False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                server.asked += 1
                good = self.headers.get("Authorization") == wanted and not server.refuse
                body = {"access_token": server.token(), "token_type": "Bearer", "expires_in": server.lifetime_s} if good else {"error": "invalid_client"}
                text = json.dumps(body).encode()
                self.send_response(200 if good else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/token"

    def token(self):
        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        now = int(time.time())
        return f"{part({'alg': 'none'})}.{part({'sub': USER, 'iat': now, 'exp': now + self.lifetime_s})}."

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
