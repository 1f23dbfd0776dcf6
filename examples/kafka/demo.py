#!/usr/bin/env python3
"""./run demo kafka: an e-commerce stream through Kafka into Iceberg tables, watched while it happens.

Starts a Kafka broker and a schema registry, produces customers, orders and order events (bench/kafka_load.c), makes the lake
./demo-lake-kafka with the three feeds beside this file, runs `firn ingest run` on it, and shows once a second what came in, how far
behind the tables are, and what SQL counts. Then it compares tables and topics, reads the same tables by PyIceberg, and stops all that
it started. The lake stays; the broker's data stay in it, so that the demo can be run again and goes on.

  --seconds N   how long records are produced (30)
  --rate N      records a second (20000)
"""
import argparse
import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(REPO, "tests"))
import servers  # noqa: E402

TABLES = ["customers", "orders", "order_events"]
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "", "")


class DemoError(Exception):
    pass


def shown(path):
    inside = os.path.relpath(path)
    return path if inside.startswith("..") else inside


def step(name, text, started):
    print(f"  {name:<18}{text:<68} {time.monotonic() - started:7.2f} s", flush=True)


class Demo:
    def __init__(self, lake, seconds, rate):
        self.lake, self.seconds, self.rate = lake, seconds, rate
        self.firn_path = servers.firn_binary()
        self.load_path = os.path.join(os.path.dirname(self.firn_path), "bench", "kafka_load")
        self.logs = os.path.join(lake, "demo-logs")

    def firn(self, *args, timeout=120):
        done = subprocess.run([self.firn_path, "--lake", self.lake, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise DemoError(f"firn {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def rows(self, *args):
        text = self.firn(*args, "--format", "json")
        return json.loads(text) if text.strip() else []

    def count(self, table):
        try:
            return int(self.rows("sql", "-c", f"SELECT count(*) AS n FROM bronze.{table}")[0]["n"])
        except DemoError:
            return 0  # not there yet: a table is made when its first records come

    def place(self, table):
        """How many records of its topic the table has taken in: the sum of the next offsets in its property."""
        try:
            rows = self.rows("table", "properties", f"bronze.{table}")
        except DemoError:
            return 0
        held = [r["value"] for r in rows if r["key"] == f"firn.offsets.{table}"]
        return sum(json.loads(held[0]).get(table, {}).values()) if held else 0

    def make_lake(self, broker, registry):
        if not os.path.exists(os.path.join(self.lake, "firn.yaml")):
            subprocess.run([self.firn_path, "init", self.lake], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        path = os.path.join(self.lake, "firn.yaml")
        with open(path) as f:
            text = f.read().split("\n# The demo's Kafka")[0]
        with open(path, "w") as f:
            f.write(f'{text}\n# The demo\'s Kafka, on other ports every time.\nsources:\n  - name: shop\n    kafka: "{broker.bootstrap}"\n    registry: "{registry.uri}"\n')
        os.makedirs(os.path.join(self.lake, "feeds"), exist_ok=True)
        for feed in glob.glob(os.path.join(HERE, "feeds", "*.yaml")):
            if not os.path.exists(os.path.join(self.lake, "feeds", os.path.basename(feed))):
                shutil.copy(feed, os.path.join(self.lake, "feeds"))

    @contextlib.contextmanager
    def process(self, name, *command):
        with open(os.path.join(self.logs, f"{name}.log"), "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def log_end(self, name):
        with open(os.path.join(self.logs, f"{name}.log"), errors="replace") as log:
            return "".join(log.readlines()[-10:])

    # ---- the live view ----

    def figures(self):
        """What `firn ingest status` says, over all feeds: records a second, lag, dead letters, freshness."""
        rows = self.rows("ingest", "status")
        for row in rows:
            if row["state"] == "stopped":
                raise DemoError(f"feed {row['feed']} stopped: {row['message']}")
        per_s = sum(row.get("records_per_s") or 0 for row in rows)
        lag = sum(max(row.get("lag") or 0, 0) for row in rows)
        fresh = max((row.get("freshness_ms") or 0 for row in rows), default=0)
        return per_s, lag, sum(row.get("dead_letters") or 0 for row in rows), max(fresh, 0)

    def watch(self, producer, ingest):
        """Once a second until the last record is in its table."""
        print(f"\n  {BOLD}{'time':>5} {'in/s':>10} {'lag':>9} {'fresh':>8}   " + " ".join(f"{t:>14}" for t in TABLES) + f" {'bad':>6}{PLAIN}")
        started, before = time.monotonic(), sum(self.place(t) for t in TABLES)
        produced = None
        while produced is None or sum(self.place(t) for t in TABLES) < before + produced:
            time.sleep(1)
            if ingest.poll() is not None:
                raise DemoError(f"firn ingest run ended with {ingest.returncode}: {self.log_end('ingest')}")
            if producer.poll() not in (None, 0):
                raise DemoError(f"the producer failed: {self.log_end('producer')}")
            if producer.poll() == 0:
                produced = int(self.log_end("producer").split()[-1])
            per_s, lag, bad, fresh = self.figures()
            counts = " ".join(f"{self.count(t):>14,}" for t in TABLES)
            print(f"  {time.monotonic() - started:>4.0f}s {per_s:>10,.0f} {lag:>9,} {fresh / 1000:>6.1f} s   {counts} {bad:>6,}", flush=True)
            if time.monotonic() - started > self.seconds + 120:
                raise DemoError(f"the tables are still behind two minutes after the last record: {self.log_end('ingest')}")
        print(f"\n  {DIM}firn ingest status{PLAIN}")
        print("".join(f"  {line}\n" for line in self.firn("ingest", "status").splitlines()), end="")

    # ---- afterwards ----

    def compare(self):
        """Each position of the topics once: as many rows (and dead letters) as offsets, none twice."""
        for table in ("orders", "order_events"):
            held = self.rows("sql", "-c", f"SELECT count(*) AS n, count(DISTINCT (_kafka.partition, _kafka.offset)) AS d FROM bronze.{table}")[0]
            bad = 0
            with contextlib.suppress(DemoError):
                bad = int(self.rows("sql", "-c", f"SELECT count(*) AS n FROM bronze.{table}__dead_letters")[0]["n"])
            read = self.place(table)
            verdict = "each record once" if int(held["n"]) == int(held["d"]) == read - bad else "NOT EQUAL"
            print(f"  bronze.{table:<14} {int(held['n']):>11,} rows + {bad:,} dead letters = {read:,} records of the topic: {verdict}")
            if verdict == "NOT EQUAL":
                raise DemoError(f"bronze.{table} and its topic differ")
        held = self.rows("sql", "-c", "SELECT count(*) AS n, count(DISTINCT customer_id) AS d FROM bronze.customers")[0]
        print(f"  bronze.customers      {int(held['n']):>11,} rows, the latest of each customer, of {self.place('customers'):,} records")
        if held["n"] != held["d"]:
            raise DemoError(f"bronze.customers has {held['n']} rows of {held['d']} customers")

    def read_by_pyiceberg(self, python):
        if not python:
            print("\n  PyIceberg is not here: ./run setup test installs it")
            return
        started = time.monotonic()
        with servers.FirnServer(self.lake) as server:
            code = ("import sys; from pyiceberg.catalog import load_catalog\n"
                    "c = load_catalog('lake', type='rest', uri=sys.argv[1])\n"
                    "for t in sys.argv[2:]: print(f'    bronze.{t:<14} {c.load_table(\"bronze.\" + t).scan().to_arrow().num_rows:>11,} rows')")
            done = subprocess.run([python, "-c", code, server.uri, *TABLES], capture_output=True, text=True, env={**os.environ, "no_proxy": "127.0.0.1"}, timeout=300)
        shutil.rmtree(f"{self.lake}.server", ignore_errors=True)
        if done.returncode != 0:
            raise DemoError(f"PyIceberg: {done.stderr[-1000:]}")
        print()
        step("PyIceberg", "reads the same tables through `firn serve`", started)
        print(done.stdout, end="")

    def next_steps(self):
        lake = shown(self.lake)
        print(f"\n{BOLD}Next:{PLAIN}")
        for command, why in (("sql", "explore (try: select event, count(*) from bronze.order_events group by 1;)"),
                             ("table snapshots bronze.orders", "the commits: each moved rows and offsets together"),
                             ('sql -c "select * from bronze.order_events__dead_letters limit 3"', "what was broken, and why"),
                             ("status", "what the lake holds")):
            print(f"  build/firn --lake {lake} {command}\n      {why}")
        print("  ./run demo kafka\n      again: it goes on where it was")

    def run(self, python):
        os.makedirs(self.logs, exist_ok=True)
        print(f"{self.firn('version').strip()}  demo \"kafka\"  lake {shown(self.lake)}\n")
        with contextlib.ExitStack() as stack:
            started = time.monotonic()
            broker = stack.enter_context(servers.KafkaBroker(os.path.join(self.lake, "demo-kafka")))
            step("kafka", f"Kafka at {broker.bootstrap}", started)
            started = time.monotonic()
            registry = stack.enter_context(servers.SchemaRegistry(os.path.join(self.lake, "demo-registry")))
            step("registry", f"{registry.name} at {registry.uri}", started)
            self.make_lake(broker, registry)
            load = [self.load_path, "shop", "--brokers", broker.bootstrap, "--registry", registry.uri, "--seconds", str(self.seconds), "--rate", str(self.rate), "--bad-every", "5000"]
            producer = stack.enter_context(self.process("producer", *load))
            ingest = stack.enter_context(self.process("ingest", self.firn_path, "--lake", self.lake, "ingest", "run"))
            print(f"  {'firn ingest run':<18}customers: JSON, upsert by key   orders: Avro   order_events: JSON")
            self.watch(producer, ingest)
            print()
        self.compare()
        self.read_by_pyiceberg(python)
        self.next_steps()


def main():
    parser = argparse.ArgumentParser(prog="./run demo kafka")
    parser.add_argument("--seconds", type=int, default=30, help="how long records are produced")
    parser.add_argument("--rate", type=int, default=20000, help="records a second")
    parser.add_argument("--lake", default=os.path.join(os.getcwd(), "demo-lake-kafka"))
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        Demo(os.path.abspath(args.lake), args.seconds, args.rate).run(os.environ.get("FIRN_DEMO_PYTHON"))
    except (DemoError, servers.ServerError) as e:
        sys.exit(f"error: {e}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
