#!/usr/bin/env python3
"""./run bench export: ksqlDB's streams and tables into a data lake, by firn and by a Python exporter.

One server on this machine (bench/ksqldb_load.c, a process of its own, whose time is not counted) sends the same rows to both, from memory. For
each source, in turns, with nothing between, from exec to exit:

  firn    `firn export FEED`: into an Iceberg table and the folder tree, snappy as the description has it
  zstd    the same with "compression": "zstd" in the feed's file
  pages2  snappy with "properties": {"write.parquet.page-version": "v2"}: Parquet's delta encodings
  python  bench/export_python.py with requests, pandas and pyarrow, doing the same: exact decimals, times, rows that are new, whole files
  script  the same program as the data lake was first described: decimals as doubles, times as texts, all rows each time

The sources are the four of that description's own table of times, with records of its size (500 bytes of JSON), and a stream of 10 M small
records. The server ends a stream by a final message, so that nobody's wait for silence is measured. Python holds all rows in
memory: of the large stream it gets PYTHON records, and its figures are extrapolated from these, which the output says.

usage: export.py [WORD...]    sources whose name holds one of the words
RECORDS (10,000,000, or 1,000,000) of the large stream; PYTHON (500,000); RUNS (5) of the small ones, in turns, of which the best counts;
KEEP=1 keeps the folder.
"""
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests"))
import servers  # noqa: E402

FIRN = servers.firn_binary()
LOAD = os.path.join(os.path.dirname(FIRN), "bench", "ksqldb_load")
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
RECORDS = int(os.environ.get("RECORDS", "10000000"))
PYTHON_RECORDS = int(os.environ.get("PYTHON", "500000"))
RUNS = int(os.environ.get("RUNS", "5"))
LIMIT_S = 1800
# name: (source, kind, records, what the first description says that it takes)
PEERS = {"python": "same", "script": "script"}
CASES = {
    "stream of 10,000": ("WIDE_10000", "stream", 10_000, "2-3 s"),
    "stream of 100,000": ("WIDE_100000", "stream", 100_000, "15-20 s"),
    "table of 1,000": ("STATE_1000", "table", 1_000, "1-2 s"),
    "table of 10,000": ("STATE_10000", "table", 10_000, "3-5 s"),
    f"stream of {RECORDS:,}, small": (f"SMALL_{RECORDS}", "stream", RECORDS, None),
}
FEEDS = {
    "firn": {"compression": "snappy"},
    "zstd": {"compression": "zstd"},
    "pages2": {"compression": "snappy", "properties": {"write.parquet.page-version": "v2"}},
}


class Load(servers.Server):
    """The server of prepared rows; ends with its stdin."""

    def __enter__(self):
        self.process = subprocess.Popen([LOAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.uri = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def bytes_of(self, sql):
        request = urllib.request.Request(f"{self.uri}/bytes", json.dumps({"sql": sql}).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.read())


def measure(command, log):
    """Wall clock, core's time and peak memory of one process."""
    with open(log, "w+") as out:
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if process.returncode != 0:
        raise servers.ServerError(f"{' '.join(command)}\n{text[-4000:]}")
    return {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss * 1024 / 1e6, "output": text}


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode != 0:
        raise servers.ServerError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def parquet_bytes(folder):
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names if name.endswith(".parquet"))


class Lake:
    def __init__(self, folder, uri):
        self.folder = folder
        run(FIRN, "init", folder)
        with open(os.path.join(folder, "firn.yaml"), "a") as f:
            f.write(f"\nsources:\n  - name: ksql\n    ksqldb: {uri}\n")
        os.makedirs(os.path.join(folder, "feeds", "active"), exist_ok=True)

    def feed(self, name, kind, source, settings):
        with open(os.path.join(self.folder, "feeds", "active", f"{name}.json"), "w") as f:
            json.dump({"feed_name": name, "feed_type": kind, "ksqldb_source": source, **settings}, f)

    def count(self, table):
        return int(json.loads(run(FIRN, "--lake", self.folder, "--format", "json", "-q", "sql", "-c", f"SELECT count(*) AS n FROM {table}"))[0]["n"])


def measure_firn(lake, name, kind, source, records, settings, log):
    lake.feed(name, kind, source, settings)
    got = measure([FIRN, "--lake", lake.folder, "-q", "export", name], log)
    rows = lake.count(f"{kind}s.{name}")
    if rows != records:
        raise servers.ServerError(f"firn wrote {rows} rows of {records}\n{got['output']}")
    got["parquet_bytes"] = parquet_bytes(os.path.join(lake.folder, f"{kind}s", name))
    return got


def measure_python(folder, uri, kind, source, records, how, log):
    """Of the large stream a part, and from two sizes of it the whole: what does not grow with the records is counted once."""
    command = [PYTHON, os.path.join(HERE, "export_python.py"), uri, source, kind, folder, how]
    if records <= PYTHON_RECORDS:
        got = measure(command, log)
        got["parquet_bytes"] = json.loads(got["output"].strip().splitlines()[-1])["parquet_bytes"]
        return got
    parts = []
    for n in (PYTHON_RECORDS // 10, PYTHON_RECORDS):
        command[5] = os.path.join(folder, str(n))
        part = measure([*command, str(n)], log)
        part["parquet_bytes"] = json.loads(part["output"].strip().splitlines()[-1])["parquet_bytes"]
        parts.append(part)
    few, many = parts
    share = (records - PYTHON_RECORDS) / (PYTHON_RECORDS - PYTHON_RECORDS // 10)
    got = {key: many[key] + (many[key] - few[key]) * share for key in ("wall_s", "cpu_s", "peak_mb", "parquet_bytes")}
    got["from"] = PYTHON_RECORDS
    return got


def show(name, records, described, sizes, columns):
    print(f"\n{name} records: {sizes['script'] / records:.0f} bytes of JSON each" + (f"; said to take {described}" if described else ""))
    print(f"    {'':<7}{'wall s':>9}{'CPU s':>9}{'records/s':>13}{'per CPU s':>13}{'MB/CPU s':>10}{'peak MB':>9}{'Parquet MB':>12}{'of JSON':>9}")
    python, script = columns["python"], columns["script"]
    for who, got in columns.items():
        note = f"   extrapolated from {got['from']:,}" if "from" in got else ""
        print(f"    {who:<7}{got['wall_s']:>9.2f}{got['cpu_s']:>9.2f}{records / got['wall_s']:>13,.0f}{records / got['cpu_s']:>13,.0f}{sizes[who] / got['cpu_s'] / 1e6:>10,.0f}"
              f"{got['peak_mb']:>9,.0f}{got['parquet_bytes'] / 1e6:>12,.2f}{got['parquet_bytes'] / sizes['script']:>9.1%}{note}")
    for who in FEEDS:
        firn = columns[who]
        print(f"    {who}: {python['cpu_s'] / firn['cpu_s']:.1f} times Python's records per CPU second, {python['wall_s'] / firn['wall_s']:.1f} times as fast, "
              f"{firn['peak_mb'] / python['peak_mb']:.2f} of its memory, {firn['parquet_bytes'] / python['parquet_bytes']:.2f} of its Parquet; "
              f"{script['cpu_s'] / firn['cpu_s']:.1f} times the script's", flush=True)


def measure_case(lake, folder, load, name):
    """In turns, the best of each by CPU time: a machine's speed changes from minute to minute, and then it does for all."""
    source, kind, records, described = CASES[name]
    push = " EMIT CHANGES" if kind == "stream" else ""
    log = os.path.join(folder, "log")
    feed = source.lower()
    runs = []
    for i in range(RUNS if records <= 100_000 else 1):
        got = {who: measure_firn(lake, f"{feed}_{who}_{i}", kind, source, records, settings, log) for who, settings in FEEDS.items()}
        for who, how in PEERS.items():
            got[who] = measure_python(os.path.join(folder, f"{who}{i}"), load.uri, kind, source, records, how, log)
        runs.append(got)
    columns = {who: min((got[who] for got in runs), key=lambda measured: measured["cpu_s"]) for who in runs[0]}
    # What each gets: a stream's rows come with their partition, offset and time for all but the script.
    leading = "ROWPARTITION, " if kind == "stream" else ""
    sizes = dict.fromkeys(columns, load.bytes_of(f"SELECT {leading}* FROM {source}{push};"))
    sizes["script"] = load.bytes_of(f"SELECT * FROM {source}{push};")
    show(name, records, described, sizes, columns)


def main():
    words = sys.argv[1:]
    cases = [name for name in CASES if not words or any(word in name for word in words)]
    print(f"{os.cpu_count()} cores, {platform.machine()}; load average {os.getloadavg()[0]:.1f} at the start")
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="firn-bench.") if os.environ.get("KEEP") else stack.enter_context(tempfile.TemporaryDirectory(prefix="firn-bench."))
        load = stack.enter_context(Load(folder))
        lake = Lake(os.path.join(folder, "lake"), load.uri)
        for name in cases:
            measure_case(lake, folder, load, name)


if __name__ == "__main__":
    main()
