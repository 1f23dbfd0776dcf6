"""`./run demo ksqldb`, small: it is the first thing that people try, so it must work, and again."""
import os
import re
import subprocess
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_the_demo_runs_and_runs_again(tmp_path):
    for _ in range(2):
        command = [sys.executable, os.path.join(REPO, "examples", "ksqldb", "demo.py"), "--events", "400", "--lake", str(tmp_path / "lake")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "FIRN_DEMO_PYTHON": sys.executable})
        said = done.stdout
        assert done.returncode == 0, said + done.stderr
        assert "NOT EQUAL" not in said and said.count("each once") == 16 and "Next:" in said
        counts = re.findall(r"this month: ([0-9,]+) rows|'month', '=', \d+\)\]\): ([0-9,]+) rows", said)
        assert len(counts) == 2 and counts[0][0] == counts[1][1]
        for line in ("streams/", "tables/", "feeds/", "logs/", "_metadata.json", "year=", "month=", "day=", "version=v1/", "active/", "transaction_stream.json"):
            assert line in said, line
        assert re.search(r"data_\d{8}_\d{6}\S*\.parquet", said) and re.search(r"snapshot_\d{8}_\d{6}\S*\.parquet", said) and re.search(r"export_\d{4}_\d\d\.log", said)
