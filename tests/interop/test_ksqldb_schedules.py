"""Exports by the clock against the double of ksqlDB: cron's line in cron's environment, firn serve, a server that is killed, and what the report says."""
import json
import os
import re
import signal
import subprocess
import time
import urllib.request

import pytest
from conftest import Firn, rows_of
from servers import firn_binary
from servers.ksqldb import KsqlDB

PATIENCE_S = 60


@pytest.fixture(scope="module")
def ksql(tmp_path_factory):
    with KsqlDB(tmp_path_factory.mktemp("ksql"), scenario="seed", events=200) as server:
        yield server


@pytest.fixture
def firn(ksql, tmp_path):
    ksql.faults()
    firn = Firn(tmp_path / "lake")
    firn.ok("init", str(tmp_path / "lake"), "-q")
    with open(tmp_path / "lake" / "firn.yaml", "a") as config:
        config.write(f"sources:\n  - name: ksql\n    ksqldb: {ksql.uri}\n    timeout: 5s\n")
    firn.ok("feed", "sync")
    return firn


def schedules(firn, text, past=()):
    """`past`: schedules that ran a year ago, so that with catch_up the server has something to do at once."""
    with open(os.path.join(firn.lake, "firn.yaml"), "a") as config:
        config.write(f"schedules:\n{text}")
    folder = os.path.join(firn.lake, ".firn", "schedules")
    os.makedirs(folder, exist_ok=True)
    for name in past:
        with open(os.path.join(folder, name + ".json"), "w") as state:
            json.dump({"outcome": "ok", "due": "2025-01-15T02:00:00Z", "runs": 1}, state)


def state(firn, name):
    return {row["schedule"]: row for row in rows_of(firn.ok("schedule", "list", "--format", "json"))}[name]


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Server:
    def __init__(self, firn):
        self.process = subprocess.Popen([firn_binary(), "--lake", str(firn.lake), "serve", "--http", "127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.url = re.search(r"(http://[\d.:]+)/iceberg", self.process.stdout.readline()).group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def metrics(self):
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as reply:
            return reply.read().decode()


def test_the_crontab_line_exports(ksql, firn, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.symlink(firn_binary(), tmp_path / "firn")
    line = f"firn --lake {firn.lake} export --all >> {firn.lake}/logs/cron.log 2>&1"
    environment = {"HOME": str(home), "LOGNAME": "nobody", "SHELL": "/bin/sh", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", line], cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = read(os.path.join(firn.lake, "logs", "cron.log"))
    assert "8 feeds exported" in log and "\x1b" not in log and "\r" not in log
    assert not os.listdir(home)
    assert int(firn.sql("SELECT count(*) AS n FROM streams.transaction_stream")[0]["n"]) == len(ksql.rows("TRANSACTION_STREAM"))


def test_the_report_follows(ksql, firn):
    report = {row["feed"]: row for row in rows_of(firn.ok("report", "--json"))}
    assert {row["health"] for row in report.values()} == {"never"}
    firn.ok("export", "--all")
    report = {row["feed"]: row for row in rows_of(firn.ok("report", "--json", "--check"))}
    assert {row["health"] for row in report.values()} == {"ok"}
    assert report["transaction_stream"]["records"] == len(ksql.rows("TRANSACTION_STREAM"))
    assert report["user_transaction_summary"]["newest_version"] == 1
    assert all(row["retention_due_records"] == 0 and row["json_bytes"] > 0 for row in report.values())
    ksql.faults({"kind": "unavailable", "retry_after": 1})
    firn.run("export", "transaction_stream")
    ksql.faults()
    failed = firn.run("report", "--check", "-q")
    assert failed.returncode == 1 and failed.stdout == ""
    assert failed.stderr == "error: 1 of 8 feeds needs attention: transaction_stream (failing)\n"


def test_the_server_exports_by_its_schedule(ksql, firn):
    schedules(firn, '  - {name: nightly, cron: "0 2 * * *", run: export --all, catch_up: true}\n', past=["nightly"])
    with Server(firn) as server:
        wait_for("the export", lambda: state(firn, "nightly")["state"] == "ok")
        assert int(firn.sql("SELECT count(*) AS n FROM streams.transaction_stream")[0]["n"]) == len(ksql.rows("TRANSACTION_STREAM"))
        metrics = server.metrics()
        assert 'firn_schedule_runs_total{schedule="nightly"} 2\n' in metrics
        assert 'firn_export_health{feed="transaction_stream",state="ok"} 1\n' in metrics
        assert f'firn_export_records{{feed="transaction_stream"}} {len(ksql.rows("TRANSACTION_STREAM"))}\n' in metrics
    assert "8 feeds exported" in read(os.path.join(firn.lake, "logs", "schedule_nightly.log"))


def test_a_killed_server_takes_its_export_along_and_nothing_comes_twice(ksql, firn):
    schedules(firn, '  - {name: nightly, cron: "0 2 * * *", run: export --stream transaction_stream, catch_up: true}\n', past=["nightly"])
    ksql.faults({"kind": "drip", "bytes": 500, "pause": 0.2})
    with Server(firn) as server:
        wait_for("a run", lambda: state(firn, "nightly")["state"] == "running")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(timeout=30)
    wait_for("the run's end", lambda: state(firn, "nightly")["state"] in ("interrupted", "ok"))
    ksql.faults()
    firn.ok("schedule", "run", "nightly", "-q")
    assert int(firn.sql("SELECT count(*) AS n FROM streams.transaction_stream")[0]["n"]) == len(ksql.rows("TRANSACTION_STREAM"))
