"""python make_spark.py [name...]: writes the Spark tables to /firn-golden; prints what failed."""
import sys
import traceback

import spark_tables
from sparkenv import session


def main(names):
    spark = session({"g": "file:/firn-golden", "gp": "/firn-golden", "gs": "file:///firn-golden"}, "firn-golden")
    failed = []
    for name, entry in spark_tables.TABLES.items():
        if names and name not in names:
            continue
        try:
            entry["fn"](spark_tables.Maker(spark, name, entry["catalog"]))
            print("made", name, flush=True)
        except Exception as e:  # noqa: BLE001
            failed.append(name)
            print("FAILED", name, str(e)[:1500], flush=True)
    spark.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
