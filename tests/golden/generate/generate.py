"""Makes tests/golden anew: python tests/golden/generate/generate.py

Needs .deps/venv (tests/interop/requirements.txt), the Iceberg Spark runtime jar in .deps/jars, commons-lang3 3.18 in .deps/golden (the
variant reader of the runtime wants a newer one than Spark ships), Java 17, and leave to write the folder /firn-golden: the tables record
absolute locations, so they are always made there. Regenerated files differ from the committed ones in names and timestamps.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import finish  # noqa: E402
import py_tables  # noqa: E402
import sparkenv  # noqa: E402
import spark_tables  # noqa: E402

ROOT = "/firn-golden"


def main():
    os.makedirs(ROOT, exist_ok=True)
    for entry in os.listdir(ROOT):
        shutil.rmtree(os.path.join(ROOT, entry))
    with tempfile.TemporaryDirectory() as classes:
        cp = finish.classpath(classes)
        java = [os.path.join(HERE, f) for f in sorted(os.listdir(HERE)) if f.endswith(".java")]
        subprocess.run(["javac", "-nowarn", "-d", classes, "-cp", cp, *java], check=True)
        subprocess.run(["java", "-Duser.timezone=UTC", "-cp", cp, "JavaTables"], check=True)
        made, failed = py_tables.make()
        spark = sparkenv.session({"g": "file:/firn-golden", "gp": "/firn-golden", "gs": "file:///firn-golden"}, "firn-golden")
        for name, entry in spark_tables.TABLES.items():
            entry["fn"](spark_tables.Maker(spark, name, entry["catalog"]))
        about = {n: {"about": a, "order_by": ["id"], "writer": "Iceberg Java"} for n, a in finish.JAVA_ABOUT.items()}
        about.update(spark_tables.TABLES)
        about.update(py_tables.TABLES)
        rc = finish.main({n: py_tables.TABLES[n]["metadata"] for n in made}, about, spark, classes)
        spark.stop()
    return 1 if failed or rc else 0


if __name__ == "__main__":
    sys.exit(main())
