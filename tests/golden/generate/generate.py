"""Makes tests/golden anew: python tests/golden/generate/generate.py [table...]

Needs .deps/venv (tests/interop/requirements.txt), the Iceberg Spark runtime jar in .deps/jars, commons-lang3 3.18 in .deps/golden (the
variant reader of the runtime wants a newer one than Spark ships), Java 17, and leave to write the folder /firn-golden: the tables record
absolute locations, so they are always made there. Regenerated files differ from the committed ones in names and timestamps. With names,
only those tables are made, and nothing else is touched.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import avro_files  # noqa: E402
import finish  # noqa: E402
import py_tables  # noqa: E402
import spark_tables  # noqa: E402
import sparkenv  # noqa: E402

ROOT = "/firn-golden"
GOLDEN = os.path.dirname(HERE)


def main(only):
    os.makedirs(ROOT, exist_ok=True)
    for entry in os.listdir(ROOT):
        if not only or entry in only:
            shutil.rmtree(os.path.join(ROOT, entry))
    about = {n: {"about": a, "order_by": ["id"], "writer": "Iceberg Java"} for n, a in finish.JAVA_ABOUT.items()}
    about.update(spark_tables.TABLES)
    about.update(py_tables.TABLES)
    unknown = set(only) - set(about)
    if unknown:
        sys.exit(f"no such golden table: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as classes:
        cp = finish.classpath(classes)
        java = ["java", "-Duser.timezone=UTC", "-cp", cp]
        subprocess.run(["javac", "-nowarn", "-d", classes, "-cp", cp, *sorted(glob.glob(os.path.join(HERE, "*.java")))], check=True)
        java_names = [n for n in only if n in finish.JAVA_ABOUT]
        if java_names or not only:
            subprocess.run([*java, "JavaTables", *java_names], check=True)
        made, failed = py_tables.make(only) if not only or set(only) & set(py_tables.TABLES) else ([], {})
        spark = sparkenv.session({"g": "file:/firn-golden", "gp": "/firn-golden", "gs": "file:///firn-golden"}, "firn-golden")
        for name, entry in spark_tables.TABLES.items():
            if not only or name in only:
                entry["fn"](spark_tables.Maker(spark, name, entry["catalog"]))
        rc = finish.main({n: py_tables.TABLES[n]["metadata"] for n in made}, about, spark, classes, only)
        spark.stop()
        if not only:
            finish.puffin(classes)
            avro_files.main()
            subprocess.run([*java, "Values", f"{GOLDEN}/transforms.json", f"{GOLDEN}/values.json"], check=True)
    return 1 if failed or rc else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
