#!/usr/bin/env python3
"""./run demo ksqldb: a shop's streams and tables out of ksqlDB into a data lake of folders and Iceberg tables.

Starts a double of ksqlDB (tests/servers/ksqldb.py: no server to install), makes the lake ./demo-lake-ksqldb and takes it through its days:
feeds found on the server, a first export, one that finds nothing new, new events, a rule of retention, compaction, a table's versions. Each
step is checked against what the server holds. Then it shows the folders, the metadata and the report, and reads the same rows by pandas and
by SQL. The lake stays; the next run begins it anew.

  --events N   transactions in the shop (5000)
"""
import argparse
import json
import os
import re
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
from servers.ksqldb import KsqlDB  # noqa: E402

STREAMS = ["transaction_stream", "transaction_flattened", "transaction_stream_anonymized", "transaction_stream_blacklisted"]
TABLES = ["user_transaction_summary", "user_transaction_summary_eur", "payment_method_totals", "product_purchase_counts"]
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "", "")


class DemoError(Exception):
    pass


def shown(path):
    inside = os.path.relpath(path)
    return path if inside.startswith("..") else inside


class Demo:
    def __init__(self, lake, events):
        self.lake, self.events = lake, events
        self.firn_path = servers.firn_binary()

    # ---- saying and doing ----

    def title(self, text):
        print(f"\n{BOLD}{text}{PLAIN}", flush=True)

    def firn(self, *args, show=True, ok=(0,)):
        """Runs firn as a user would, and shows the command and what it says."""
        if show:
            print(f"{DIM}$ firn {' '.join(a if re.fullmatch(r'[-A-Za-z0-9_./=]+', a) else repr(a) for a in args)}{PLAIN}", flush=True)
        done = subprocess.run([self.firn_path, "--lake", self.lake, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, env={**os.environ, "NO_COLOR": "1"})
        if show:
            said = (done.stdout + done.stderr).replace(self.firn_path, "firn")
            print("".join(f"  {line}\n" for line in said.splitlines()), end="", flush=True)
        if done.returncode not in ok:
            raise DemoError(f"firn {' '.join(args)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def sql(self, statement):
        text = self.firn("sql", "--format", "json", "-c", statement, show=False)
        return json.loads(text) if text.strip() else []

    def edit(self, feed, **changes):
        """What an editor does to a feed's file: nothing has to be told of it."""
        path = os.path.join(self.lake, "feeds", "active", f"{feed}.json")
        with open(path) as f:
            config = json.load(f)
        for key, value in changes.items():
            if isinstance(value, dict):
                config[key] = {**config.get(key, {}), **value}
            elif value is None:
                config.pop(key, None)
            else:
                config[key] = value
        with open(path + ".new", "w") as f:
            json.dump(config, f, indent=2, ensure_ascii=False)
        os.replace(path + ".new", path)

    def check(self, ksql, older_than_ms=None):
        """Every event of the server in its table once, and every table's newest version equal to the server's table."""
        for feed in STREAMS:
            rows = ksql.rows(feed.upper())
            wanted = len([r for r in rows if older_than_ms is None or r["ROWTIME"] >= older_than_ms[feed]])
            held = int(self.sql(f"SELECT count(*) AS n FROM streams.{feed}")[0]["n"])
            verdict = "each once" if held == wanted else "NOT EQUAL"
            print(f"  {feed:<32}{held:>8,} rows of {wanted:,} events: {verdict}")
            if held != wanted:
                raise DemoError(f"streams.{feed} has {held} rows, the server {wanted} events")
        for feed in TABLES:
            wanted, held = len(ksql.rows(feed.upper())), int(self.sql(f"SELECT count(*) AS n FROM tables.{feed}")[0]["n"])
            if held != wanted:
                raise DemoError(f"tables.{feed} has {held} rows, the server's table {wanted}")
        print(f"  {'the four tables':<32}as many rows in the newest version as on the server")

    # ---- the steps ----

    def make_lake(self, ksql):
        shutil.rmtree(self.lake, ignore_errors=True)
        subprocess.run([self.firn_path, "init", self.lake], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        with open(os.path.join(self.lake, "firn.yaml"), "a") as f:
            f.write(f"\nsources:\n  - name: ksql\n    ksqldb: {ksql.uri}\n")

    def feeds(self):
        self.title("1. Which streams and tables are there? Each becomes a feed, a JSON file.")
        self.firn("feed", "sync")
        for feed in STREAMS:
            self.edit(feed, partitioning={"time": "EVENT_TIME"}, retention_days=3650)
        self.edit("transaction_stream", description="Raw transactions", permissions="750")
        self.edit("transaction_stream_anonymized", permissions="755")
        print(f"  {DIM}(the demo edits four of the files: rows are to be filed under the day of their event){PLAIN}")
        with open(os.path.join(self.lake, "feeds", "active", "transaction_stream.json")) as f:
            print("".join(f"  {line}\n" for line in f.read().splitlines()), end="")

    def exports(self, ksql):
        self.title("2. Everything, for the first time")
        self.firn("export", "--all")
        self.check(ksql)
        self.title("3. Again: a stream has nothing new, so nothing comes twice")
        self.firn("export", "--all")
        self.check(ksql)
        self.title(f"4. {self.events // 10:,} more transactions, and an export: only they are read")
        ksql.control("transactions", count=self.events // 10, days_back=0)
        self.firn("export", "--all")
        self.check(ksql)

    def keep_small(self, ksql):
        self.title("5. Small files become larger ones, in the table and in the folders")
        self.firn("feed", "compact", "transaction_stream")
        self.title("6. A new rule: 365 days, and 730 for what is anonymised")
        midnight = int(time.time()) // 86400 * 86400
        oldest = {}
        for feed in STREAMS:
            days = 730 if feed.endswith("anonymized") else 365
            self.edit(feed, retention_days=days)
            oldest[feed] = (midnight - days * 86400) * 1000
        self.firn("feed", "retain")
        self.check(ksql, oldest)

    def versions(self):
        self.title("7. Versions of a table: what changed, and back")
        before = self.sql("SELECT * FROM tables.payment_method_totals ORDER BY ALL")
        self.firn("table", "diff", "tables.payment_method_totals", "v1", "v3")
        self.firn("table", "rollback", "tables.payment_method_totals", "v1")
        if self.sql("SELECT * FROM tables.payment_method_totals ORDER BY ALL") == before:
            raise DemoError("the rollback changed nothing")
        self.firn("sql", "-c", "SELECT * FROM tables.payment_method_totals ORDER BY payment_method")

    def tree(self):
        self.title("8. The folders")
        lines = [f"{os.path.basename(self.lake)}/"]
        for top in ("streams", "tables", "feeds", "logs"):
            self.branch(os.path.join(self.lake, top), "", lines)
        print("".join(f"  {line}\n" for line in lines), end="")
        path = os.path.join(self.lake, "streams", "transaction_stream", "_metadata.json")
        print(f"\n{DIM}$ head -c 700 {shown(path)}{PLAIN}")
        with open(path) as f:
            print("".join(f"  {line}\n" for line in f.read(700).splitlines()), end="")

    def branch(self, path, indent, lines):
        """Like tree(1); of many folders the first and the last are shown, and of the streams after the first one their days are counted."""
        name = os.path.basename(path)
        lines.append(f"{indent}{name}{'/' if os.path.isdir(path) else ''}")
        if not os.path.isdir(path):
            return
        names = sorted(os.listdir(path), key=lambda n: (not os.path.isdir(os.path.join(path, n)), [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", n)]))
        if name in STREAMS[1:]:
            days = len({at for at, _, files in os.walk(path) if at != path and files})
            lines.append(f"{indent}    year=.../month=.../day=.../    {days} days")
            names = [n for n in names if "=" not in n]
        many = [n for n in names if "=" in n]
        for entry in names:
            if len(many) > 3 and entry in many[1:-1]:
                if entry == many[1]:
                    lines.append(f"{indent}    ... {len(many) - 2} more")
                continue
            self.branch(os.path.join(path, entry), indent + "    ", lines)

    def read(self, python):
        self.title("9. The same rows, read by others")
        year, month = time.gmtime()[:2]
        sql = self.sql(f"SELECT count(*) AS n FROM streams.transaction_stream WHERE year = {year} AND month = {month}")[0]["n"]
        print(f"  firn sql    streams.transaction_stream, this month: {int(sql):,} rows")
        folder = os.path.join(self.lake, "streams", "transaction_stream")
        totals = os.path.join(self.lake, "tables", "payment_method_totals", "version=v4")
        code = (f"import pandas as pd\n"
                f"df = pd.read_parquet({folder!r}, filters=[('year', '=', {year}), ('month', '=', {month})])\n"
                f"print(len(df))\n"
                f"print(pd.read_parquet({totals!r}).to_string(index=False))\n")
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=300) if python else None
        if done is None or "No module named" in done.stderr:
            print("  pandas      is not here: ./run setup test installs it")
            return
        if done.returncode != 0:
            raise DemoError(f"pandas: {done.stderr[-1000:]}")
        count, *rest = done.stdout.splitlines()
        print(f"  pandas      read_parquet('streams/transaction_stream', filters=[('year', '=', {year}), ('month', '=', {month})]): {int(count):,} rows")
        if int(count) != int(sql):
            raise DemoError(f"pandas reads {count} rows, SQL {sql}")
        print("  pandas      read_parquet('tables/payment_method_totals/version=v4'):")
        print("".join(f"    {line}\n" for line in rest), end="")

    def next_steps(self):
        lake = shown(self.lake)
        self.title("Next:")
        for command, why in (("sql", "explore (try: select payment_method, sum(amount) from streams.transaction_stream group by 1;)"),
                             ("feed show transaction_stream_blacklisted", "a feed, with what it has by default"),
                             ("report --csv report.csv", "the state of all feeds, for a spreadsheet; --json FILE for programs"),
                             ("table snapshots streams.transaction_stream", "the commits: rows and offsets together"),
                             ("serve", "the same tables for Spark and PyIceberg; with schedules in firn.yaml, exports by themselves")):
            print(f"  build/firn --lake {lake} {command}\n      {why}")
        print(f"  cat {lake}/logs/*.log\n      what every export did\n  docs/guide/ksqldb-export.md\n      your own ksqlDB: one line in firn.yaml")

    def run(self, python):
        print(f"{self.firn('version', show=False).strip()}  demo \"ksqldb\"  lake {shown(self.lake)}")
        with KsqlDB(self.lake + ".server", events=self.events) as ksql:
            print(f"a double of ksqlDB at {ksql.uri}: {self.events:,} transactions of 120 users in four streams and four tables")
            self.make_lake(ksql)
            self.feeds()
            self.exports(ksql)
            self.keep_small(ksql)
            self.versions()
            self.title("   The report")
            self.firn("report")
            self.tree()
            self.read(python)
        shutil.rmtree(self.lake + ".server", ignore_errors=True)
        self.next_steps()


def main():
    parser = argparse.ArgumentParser(prog="./run demo ksqldb")
    parser.add_argument("--events", type=int, default=5000, help="transactions in the shop")
    parser.add_argument("--lake", default=os.path.join(os.getcwd(), "demo-lake-ksqldb"))
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        Demo(os.path.abspath(args.lake), args.events).run(os.environ.get("FIRN_DEMO_PYTHON"))
    except (DemoError, servers.ServerError) as e:
        sys.exit(f"error: {e}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
