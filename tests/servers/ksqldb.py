"""A double of ksqlDB: its REST API as the real server answers, over topics that are held in memory, with scripted faults.

    python3 -m tests.servers.ksqldb --port 0 --scenario seed     prints the port on the first line of stdout, that of the control API on the second

What it follows is in docs/internals/tests.md. Needs nothing but Python; HTTP/2 needs the package h2, once a client speaks it. The parts:
ksqldb_http.py (connections), ksqldb_sql.py (the statements), ksqldb_world.py (topics, streams, tables), ksqldb_api.py (endpoints, forms, faults),
ksqldb_seed.py (what is in it).
"""
import argparse
import base64
import datetime
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from decimal import Decimal

from .base import REPO, Server, ServerError


class KsqlDB(Server):
    """The double as a process. `control` does what its control API can: control("append", source=..., rows=[...])."""

    name = "ksqlDB (double)"
    start_timeout_s = 30

    def __init__(self, folder, scenario="seed", events=2000, seed=1, partitions=4, port=0, today=None, user=None, password=None, token=None, tls=False):
        super().__init__(folder)
        self.options = ["--scenario", scenario, "--events", str(events), "--seed", str(seed), "--partitions", str(partitions)]
        self.port, self.control_port, self.tls, self.user, self.password, self.token = port, None, tls, user, password, token
        if today:
            self.options += ["--today", today]
        if user:
            self.options += ["--user", user, "--password", password]
        if token:
            self.options += ["--token", token]

    @property
    def ca(self):
        return os.path.join(self.folder, "ca.crt")

    def command(self):
        if self.tls and not os.path.exists(self.ca):
            make_certificate(self.folder)
        self.log_from = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        tls = ["--tls", os.path.join(self.folder, "server.pem")] if self.tls else []
        return [sys.executable, "-m", "tests.servers.ksqldb", "--port", str(self.port), *self.options, *tls]

    def environment(self):
        return {"PYTHONPATH": REPO, "PYTHONDONTWRITEBYTECODE": "1"}

    def find_uri(self):
        with open(self.log) as log:
            log.seek(self.log_from)
            lines = log.read().split("\n")
        if len(lines) < 3:
            return
        self.port, self.control_port = int(lines[0]), int(lines[1])  # the port stays over a restart
        self.uri = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def answers(self):
        return self.control_port is not None and self.control("queries") is not None

    def control(self, what, **body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control_port}/__test__/{what}", json.dumps(body, default=str).encode(), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.loads(reply.read(), parse_float=Decimal)
        except urllib.error.HTTPError as e:
            raise ServerError(f"control {what}: {e.code} {e.read().decode()}") from None

    def faults(self, *faults):
        """The faults from now on, in place of those before."""
        self.control("faults", faults=list(faults))

    def rows(self, source):
        return self.control("rows", source=source)["rows"]

    def append(self, source, *rows):
        """rows: {column: value}; a rowtime and partition may be given as {"values": ..., "rowtime": ms, "partition": n}."""
        return self.control("append", source=source, rows=[r if "values" in r else {"values": r} for r in rows])["places"]

    def requests(self, clear=False):
        return self.control("requests", clear=clear)["requests"]

    def post(self, path, body, headers=None, timeout=30):
        """(status, headers, bytes) of one request, as a client would see it."""
        fields = {"content-type": "application/json", **(headers or {})}
        if self.user and "authorization" not in fields:
            fields["authorization"] = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        context = ssl.create_default_context(cafile=self.ca) if self.tls else None
        try:
            with urllib.request.urlopen(urllib.request.Request(self.uri + path, json.dumps(body).encode(), fields), timeout=timeout, context=context) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()


def make_certificate(folder):
    """A CA (ca.crt) and a server of it for 127.0.0.1 (server.pem: key and certificate)."""
    def openssl(*args):
        done = subprocess.run(["openssl", *args], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise ServerError(f"openssl {' '.join(args)}\n{done.stderr}")

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=firn tests")
    with open(os.path.join(folder, "san"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1,DNS:localhost")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "san", "-out", "server.crt")
    with open(os.path.join(folder, "server.pem"), "w") as pem:
        for part in ("server.key", "server.crt"):
            with open(os.path.join(folder, part)) as f:
                pem.write(f.read())


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.servers.ksqldb", description="A double of ksqlDB on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--scenario", default="seed", help="seed, types, empty; several with commas")
    parser.add_argument("--events", type=int, default=2000, help="transactions of the scenario seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--today", help="YYYY-MM-DD; the day that event days are counted back from")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--token")
    parser.add_argument("--tls", metavar="PEM", help="key and certificate: https, with HTTP/2 by ALPN")
    args = parser.parse_args()

    from .ksqldb_api import Api
    from .ksqldb_http import Listener
    from .ksqldb_seed import fill
    from .ksqldb_world import World

    today = datetime.datetime.strptime(args.today, "%Y-%m-%d") if args.today else datetime.datetime.now(datetime.timezone.utc)
    midnight = int(today.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=datetime.timezone.utc).timestamp() * 1000)
    world = World()
    fill(world, args.scenario.split(","), args.seed, args.events, args.partitions, midnight)
    api = Api(world, args.user, args.password, args.token)
    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls)
        context.set_alpn_protocols(["h2", "http/1.1"])
    api.listener = Listener(args.port, api.handle, context)
    control = Listener(0, api.handle)
    print(f"{api.listener.port}\n{control.port}", flush=True)
    done = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: done.set())
    done.wait()


if __name__ == "__main__":
    main()
