#!/usr/bin/env python3
"""./run bench ingest: Kafka into Iceberg tables by firn, beside what can be read at all and Iceberg's Kafka Connect sink.

One broker on this machine; topics of 16 partitions with small events ({id, category, value, ts}, 142 bytes of JSON) and wide ones
(30 columns), as JSON and as Avro in the registry's frame. For each topic, one after the other, with nothing between:

  raw    a consumer that looks at no byte (bench/ingest_load.c, librdkafka, the C library's malloc): the limit; from its first call to the last message
  firn   `firn ingest run FEED --drain`: the whole process, from exec to exit; of both the better one of two runs by the clock
  pages2 the same into a table with write.parquet.page-version=v2: delta encodings, which not every reader has
  sink   Kafka Connect, standalone, with the Iceberg project's sink on `firn serve`'s REST catalog; measured from the moment its tasks
         run (the JVM's start is left out) to the commit that holds the last record; records that never come are told

firn and the sink write tables of the same columns into the same warehouse, both with commits of 10 s, and all tables are counted.
Then the time from produce to visible with commits of 1 s, by a paced producer, of both.

usage: ingest.py [WORD...]    cases whose name holds one of the words: "small JSON", "wide JSON", "small Avro", "wide Avro", "latency"
SMALL, WIDE (events), COMMIT_S, RATE and SECONDS (latency) scale the work; SINK=0 leaves the sink out; KEEP=1 keeps the folder.
"""
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests"))
import servers  # noqa: E402

FIRN = servers.firn_binary()
LOAD = os.path.join(os.path.dirname(FIRN), "bench", "ingest_load")
PARTITIONS = 16
SMALL = int(os.environ.get("SMALL", "5000000"))
WIDE = int(os.environ.get("WIDE", "3000000"))
COMMIT_S = int(os.environ.get("COMMIT_S", "10"))
RATE = int(os.environ.get("RATE", "20000"))
SECONDS = int(os.environ.get("SECONDS", "30"))
WITH_SINK = os.environ.get("SINK", "1") != "0"
LIMIT_S = 1800  # for one program
STUCK_S = 90 + 3 * COMMIT_S  # no commit for so long: nothing comes any more (the sink gives up a commit after 30 s)

# name: (event, format, number of events)
CASES = {
    "small JSON": ("small", "json", SMALL),
    "small Avro": ("small", "avro", SMALL),
    "wide JSON": ("wide", "json", WIDE),
    "wide Avro": ("wide", "avro", WIDE),
}


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, **options)
    if done.returncode != 0:
        raise servers.ServerError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


class Lake:
    """A lake with one source and the feeds that the cases need."""

    def __init__(self, folder, broker, registry):
        self.folder = folder
        run(FIRN, "init", folder)
        with open(os.path.join(folder, "firn.yaml"), "a") as f:
            f.write(f'\nsources:\n  - name: bench\n    kafka: "{broker.bootstrap}"\n')
            if registry:
                f.write(f'    registry: "{registry.uri}"\n')
        os.makedirs(os.path.join(folder, "feeds"), exist_ok=True)
        self.sql("CREATE SCHEMA IF NOT EXISTS bench")

    def sql(self, text):
        out = run(FIRN, "--lake", self.folder, "--format", "json", "-q", "sql", "-c", text)
        return json.loads(out) if out.strip().startswith(("[", "{")) else out

    def create(self, table, columns):
        self.sql(f"CREATE TABLE bench.{table} ({columns})")

    def count(self, table):
        return int(next(iter(self.sql(f"SELECT count(*) AS n FROM bench.{table}")[0].values())))

    def feed(self, name, topic, table, text_format, commit_s, more=""):
        with open(os.path.join(self.folder, "feeds", f"{name}.yaml"), "w") as f:
            f.write(f"source: bench\ntopics: [{topic}]\nformat: {text_format}\ntable: bench.{table}\n{more}"
                    f"commit: {{every: {commit_s}s}}\n")

    def start(self, feed, *options):
        self.log = os.path.join(self.folder, f"{feed}.log")
        with open(self.log, "w") as log:
            return subprocess.Popen([FIRN, "--lake", self.folder, "ingest", "run", feed, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self, process):
        """The figures of a process that ends by itself."""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            with open(self.log) as log:
                raise servers.ServerError(f"firn ingest run ended with {process.returncode}\n{log.read()[-4000:]}")
        return {"cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss * 1024 / 1e6}


def make_topic(broker, topic, partitions):
    run(LOAD, "produce", "--brokers", broker.bootstrap, "--topic", topic, "--partitions", partitions, "--count", 0)


def measure_raw(broker, topic, count):
    command = (LOAD, "consume", "--brokers", broker.bootstrap, "--topic", topic, "--count", count)
    run(*command)  # the broker's files are in memory from here on, for everybody
    return min((json.loads(run(*command)) for _ in range(2)), key=lambda got: got["wall_s"])


def measure_firn(lake, table, topic, text_format, count, columns, properties=None):
    lake.create(table, columns)
    for key, value in (properties or {}).items():
        lake.sql(f"ALTER TABLE bench.{table} SET TBLPROPERTIES ('{key}' = '{value}')")
    lake.feed(table, topic, table, text_format, COMMIT_S)
    started = time.monotonic()
    got = lake.wait(lake.start(table, "--drain"))
    got["wall_s"] = time.monotonic() - started
    rows = lake.count(table)
    if rows != count:
        raise servers.ServerError(f"firn wrote {rows} rows of {count}")
    return got


def peak_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6


@contextlib.contextmanager
def running_sink(lake, broker, registry, folder, table, topic, commit_s):
    """The sink with its tasks running; `registry` for Avro."""
    control = f"control-{table}"
    make_topic(broker, control, 1)
    with servers.FirnServer(lake.folder) as server:
        sink = servers.IcebergSink(
            os.path.join(folder, table), broker, [topic], f"bench.{table}", {"type": "rest", "uri": server.uri},
            registry=registry, tasks=os.cpu_count(), commit_s=commit_s, heap="2g",
            settings={"iceberg.control.topic": control, "iceberg.tables.auto-create-enabled": "false", "iceberg.tables.evolve-schema-enabled": "false"},
            worker={"group.id": table})
        with sink:
            yield sink


def measure_sink(lake, broker, registry, folder, table, topic, count, columns):
    lake.create(table, columns)
    with running_sink(lake, broker, registry, folder, table, topic, COMMIT_S) as sink:
        started, cpu = time.monotonic(), sink.cpu_s()
        got = {"rows": 0}
        while got["rows"] < count and time.monotonic() - started - got.get("wall_s", 0) < STUCK_S:
            time.sleep(1)
            rows = lake.count(table)
            if rows != got["rows"]:
                got = {"rows": rows, "wall_s": time.monotonic() - started, "cpu_s": sink.cpu_s() - cpu, "peak_mb": peak_mb(sink.pid)}
        if got["rows"] == 0:
            raise servers.ServerError(f"the sink wrote nothing in {STUCK_S} s\n{sink.log_end()}")
    return got


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show(name, count, size, columns):
    """One case: figures of each program, and how many times as fast firn is. Who loses records has still worked on them: all count."""
    print(f"\n{name}: {count:,} events, {size / count:.0f} bytes each")
    print(f"    {'':<6}{'wall s':>10}{'CPU s':>10}{'records/s':>14}{'per CPU s':>14}{'MB/CPU s':>12}{'peak MB':>10}   firn is, per CPU s | per s")
    firn = columns["firn"]
    for who, got in columns.items():
        rows = got.get("rows", count)
        ratio = "" if who == "firn" else f"   {number(got['cpu_s'] / firn['cpu_s']):>6} times | {number(got['wall_s'] / firn['wall_s'])} times as fast"
        lost = f"; {rows - count:,} came twice" if rows > count else ""
        if rows < count:
            lost = f"; {count - rows:,} records never came: {number(got['cpu_s'] / rows / firn['cpu_s'] * count)} times by those that did"
        print(f"    {who:<6}{got['wall_s']:>10.2f}{got['cpu_s']:>10.2f}{count / got['wall_s']:>14,.0f}{count / got['cpu_s']:>14,.0f}"
              f"{size / got['cpu_s'] / 1e6:>12,.1f}{got['peak_mb']:>10,.0f}{ratio}{lost}", flush=True)


def measure(lake, broker, registry, folder, name):
    event, text_format, count = CASES[name]
    topic = table = name.replace(" ", "_").lower()
    columns = run(LOAD, "columns", event)
    schema_id = registry.register(f"{topic}-value", run(LOAD, "schema", event)) if text_format == "avro" else 1
    made = json.loads(run(LOAD, "produce", "--brokers", broker.bootstrap, "--topic", topic, "--partitions", PARTITIONS, "--count", count, "--event", event,
                          "--format", text_format, "--schema-id", schema_id))
    got = {
        "raw": measure_raw(broker, topic, count),
        "firn": min((measure_firn(lake, f"{table}{i}", topic, text_format, count, columns) for i in range(2)), key=lambda got: got["wall_s"]),
        "pages2": measure_firn(lake, f"{table}_pages2", topic, text_format, count, columns, {"write.parquet.page-version": "v2"}),
    }
    if WITH_SINK:
        got["sink"] = measure_sink(lake, broker, registry if text_format == "avro" else None, folder, f"{table}_sink", topic, count, columns)
    show(name, count, made["bytes"], got)


def measure_latency(lake, broker, folder):
    """From an event's own time, which is when it was produced, to the snapshot that holds it."""
    count = RATE * SECONDS
    print(f"\nlatency: {count:,} events at {RATE:,}/s for {SECONDS} s, commits of 1 s; from produce to visible")
    lake.create("latency", run(LOAD, "columns", "small"))
    lake.feed("latency", "latency", "latency", "json", 1)
    make_topic(broker, "latency", PARTITIONS)
    process = lake.start("latency")
    produce_paced(lake, broker, "latency", count)
    process.terminate()
    lake.wait(process)
    show_latency(lake, "firn", "latency", count)
    if WITH_SINK:
        lake.create("latency_sink", run(LOAD, "columns", "small"))
        make_topic(broker, "latency_sink", PARTITIONS)
        with running_sink(lake, broker, None, folder, "latency_sink", "latency_sink", 1):
            produce_paced(lake, broker, "latency_sink", count)
        show_latency(lake, "sink", "latency_sink", count)


def produce_paced(lake, broker, topic, count):
    """Lets the consumer find its partitions first; comes back when all is visible, or nothing comes any more."""
    time.sleep(5)
    run(LOAD, "produce", "--brokers", broker.bootstrap, "--topic", topic, "--partitions", PARTITIONS, "--count", count, "--rate", RATE)
    until = time.monotonic() + 90
    while lake.count(topic) < count and time.monotonic() < until:
        time.sleep(0.5)


def show_latency(lake, who, table, count):
    rows = lake.count(table)
    lost = f"; {count - rows:,} never came" if rows < count else ""
    print(f"    {who:<6}" + ", ".join(f"{key} {value:,.0f} ms" for key, value in visible_after(lake, table).items()) + lost, flush=True)


def visible_after(lake, table):
    """Quantiles, in ms. A snapshot's own new files say which events it made visible; when, its metadata file: it is complete some
    milliseconds before the catalog points to it, and later than the time that the snapshot itself names."""
    log = lake.sql(f'SELECT latest_snapshot_id AS id, file FROM bench."{table}$metadata_log_entries" WHERE latest_snapshot_id IS NOT NULL')
    at = {int(m["id"]): os.stat(m["file"].removeprefix("file://")).st_mtime * 1000 for m in reversed(log)}
    files = lake.sql(f'SELECT snapshot_id AS id, data_file.file_path AS path FROM bench."{table}$entries"')
    parts = [f"SELECT {at[int(f['id'])]:.0f} - epoch_ms(ts) AS ms FROM read_parquet('{f['path'].removeprefix('file://')}')" for f in files]
    quantiles = ", ".join(f"quantile_disc(ms, {q}) AS {name}" for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)))
    got = lake.sql(f"SELECT min(ms) AS min, {quantiles}, max(ms) AS max FROM ({' UNION ALL '.join(parts)})")[0]
    return {key: float(value) for key, value in got.items()}


def main():
    words = sys.argv[1:]
    cases = [name for name in CASES if not words or any(word in name for word in words)]
    print(f"{os.cpu_count()} cores, {platform.machine()}; {PARTITIONS} partitions, lz4, commits of {COMMIT_S} s; load average {os.getloadavg()[0]:.1f} at the start")
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="firn-bench.") if os.environ.get("KEEP") else stack.enter_context(tempfile.TemporaryDirectory(prefix="firn-bench."))
        broker = stack.enter_context(servers.KafkaBroker(os.path.join(folder, "kafka"), heap="1g", fast=True))
        registry = stack.enter_context(servers.SchemaRegistry(os.path.join(folder, "registry"))) if any("Avro" in c for c in cases) else None
        lake = Lake(os.path.join(folder, "lake"), broker, registry)
        for name in cases:
            measure(lake, broker, registry, folder, name)
        if not words or "latency" in words:
            measure_latency(lake, broker, folder)


if __name__ == "__main__":
    main()
