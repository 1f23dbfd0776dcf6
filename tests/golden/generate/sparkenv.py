"""One Spark session with the Iceberg runtime from .deps/jars, for the generators and the interop tests."""
import glob
import os
import re

REPO = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def iceberg_jar():
    if os.environ.get("FIRN_SPARK_RUNTIME"):
        return os.environ["FIRN_SPARK_RUNTIME"]
    jars = glob.glob(os.path.join(REPO, ".deps", "jars", "iceberg-spark-runtime-3.5_2.12-*.jar"))
    if not jars:
        raise FileNotFoundError(f"no iceberg-spark-runtime jar in {REPO}/.deps/jars; run ./run setup")
    return max(jars, key=lambda p: [int(n) for n in re.findall(r"\d+", os.path.basename(p))])


def session(warehouses, app="firn", local_dir="/tmp/firn-spark"):
    """`warehouses`: catalog name -> warehouse location of an Iceberg catalog of type hadoop."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["TZ"] = "UTC"
    b = (SparkSession.builder.appName(app).master("local[1]").config("spark.jars", iceberg_jar()).config("spark.ui.enabled", "false")
         .config("spark.ui.showConsoleProgress", "false")
         .config("spark.driver.memory", "1g").config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
         .config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "1").config("spark.sql.adaptive.enabled", "false")
         .config("spark.local.dir", local_dir).config("spark.sql.warehouse.dir", local_dir + "/warehouse")
         .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
         .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"))
    for name, location in warehouses.items():
        b = (b.config(f"spark.sql.catalog.{name}", "org.apache.iceberg.spark.SparkCatalog").config(f"spark.sql.catalog.{name}.type", "hadoop")
             .config(f"spark.sql.catalog.{name}.warehouse", location).config(f"spark.sql.catalog.{name}.cache-enabled", "false"))
    spark = b.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark
