"""`./run demo kafka`, short: it is the first thing that people try, so it must work."""
import os
import re
import subprocess
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_the_demo_runs_and_goes_on(tmp_path):
    def demo():
        command = [sys.executable, os.path.join(REPO, "examples", "kafka", "demo.py"), "--seconds", "3", "--rate", "5000", "--lake", str(tmp_path / "lake")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "FIRN_DEMO_PYTHON": sys.executable})
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("each record once") == 2 and "Next:" in done.stdout
        assert "PyIceberg" in done.stdout
        return int(re.search(r"bronze.orders +([0-9,]+) rows \+", done.stdout)[1].replace(",", ""))

    first = demo()
    assert 0 < first < demo()
