"""Lakes that are filled out of the ksqlDB double, and their rows as every reader has them, in one form that can be compared."""
import base64
import collections
import datetime
import json
import os
import re
import subprocess
from decimal import Decimal

import duckdb
import pandas
import polars
import pyarrow.parquet
from servers.ksqldb_seed import COLUMNS, STREAMS, TABLES, TYPES
from servers.ksqldb_sql import parse_type

import conftest

DAY_MS = 86_400_000
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
SCHEMAS = {**COLUMNS, "ALL_TYPES": [("ID", "STRING", "KEY"), *TYPES], "ALL_TYPES_TABLE": [("ID", "STRING", "KEY"), ("K2", "INTEGER", "KEY"), *TYPES]}
KINDS = {name: {c[0].lower(): parse_type(c[1]) for c in columns} for name, columns in SCHEMAS.items()}
FEEDS = [n.lower() for n in STREAMS + TABLES]
DATA_FILE = re.compile(r"streams/[a-z_]+/year=\d{4}/month=\d\d/day=\d\d/data_\d{8}_\d{6}[^/]*\.parquet|tables/[a-z_]+/version=v\d+/snapshot_\d{8}_\d{6}[^/]*\.parquet|(streams|tables)/[a-z_]+/_metadata\.json")


class ExportLake(conftest.Firn):
    """A lake with the double as its only source. `env` is for the fault variables."""

    wait = "300ms"  # the double has nothing to think about

    def __init__(self, lake, ksql, **source):
        super().__init__(lake)
        conftest.init(self.lake)
        self.ksql = ksql
        more = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in source.items())
        with open(os.path.join(self.lake, "firn.yaml"), "a") as f:
            f.write(f"\nsources:\n  - name: ksql\n    ksqldb: {ksql.uri}\n{more}")

    def feed(self, name, **changes):
        """Adds or edits a feed, as an editor does: by its file."""
        folder = os.path.join(self.lake, "feeds", "active")
        path = os.path.join(folder, f"{name}.json")
        os.makedirs(folder, exist_ok=True)
        stream = not name.upper() in TABLES and not name.endswith("_table")
        config = {"feed_name": name, "feed_type": "stream" if stream else "table", "ksqldb_source": name, "description": "",
                  "partitioning": {"type": "date", "columns": ["year", "month", "day"], "time": "ROWTIME"} if stream else {"type": "version", "columns": ["version"]},
                  "storage_mode": "append" if stream else "overwrite", "format": "parquet", "retention_days" if stream else "retention_versions": 3650 if stream else 100, "enabled": True, "created_at": "2025-01-15T10:00:00Z"}
        if os.path.exists(path):
            with open(path) as f:
                config = json.load(f)
        for key, value in changes.items():
            config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
        with open(path, "w") as f:
            json.dump({k: v for k, v in config.items() if v is not None}, f, indent=2)

    def start(self, *args, env=None):
        """firn as a process."""
        return subprocess.Popen([self.binary, "--lake", self.lake, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={**os.environ, "NO_COLOR": "1", **(env or {})})

    def export(self, *names, env=None, timeout=120):
        """(exit code, all that it said) of `firn export`: everything, or the feeds named."""
        wanted = [part for name in names for part in (["--table" if self.kind(name) == "tables" else "--stream", name])] or ["--all"]
        process = self.start("export", "--wait", self.wait, *wanted, env=env)
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            raise AssertionError(f"firn export {wanted} still runs after {timeout} s\n{said}") from None
        return process.returncode, said

    def exported(self, *names):
        code, said = self.export(*names)
        assert code == 0, said
        return said

    @staticmethod
    def kind(name):
        return "tables" if name.upper() in TABLES or name.endswith("_table") else "streams"

    def folder(self, name):
        return os.path.join(self.lake, self.kind(name), name)

    def files(self, name):
        """Paths in the feed's folder, relative to the lake."""
        return sorted(os.path.relpath(os.path.join(at, f), self.lake) for at, _, files in os.walk(self.folder(name)) for f in files)

    def partitions(self, name):
        return sorted({os.path.dirname(f).split("/", 2)[2] for f in self.files(name) if f.endswith(".parquet")})

    def check_folder(self, name):
        """Whole files under the seed's names and nothing else; _metadata.json says what is there."""
        files = self.files(name)
        assert [f for f in files if not DATA_FILE.fullmatch(f)] == []
        rows = collections.Counter()
        for f in files:
            if f.endswith(".parquet"):
                rows[os.path.dirname(f).split("/", 2)[2]] += pyarrow.parquet.ParquetFile(os.path.join(self.lake, f)).metadata.num_rows
        if not rows:
            return None
        with open(os.path.join(self.folder(name), "_metadata.json")) as f:
            metadata = json.load(f)
        assert {p["path"]: p["records"] for p in metadata["partitions"]} == dict(rows)
        assert metadata["total_records"] == sum(rows.values())
        return metadata

    def check_folder_while_unfinished(self, name):
        """After a kill: whole files under the seed's names, though the metadata may be those of before."""
        for f in self.files(name):
            assert DATA_FILE.fullmatch(f), f
            if f.endswith(".parquet"):
                pyarrow.parquet.ParquetFile(os.path.join(self.lake, f))
            else:
                with open(os.path.join(self.lake, f)) as metadata:
                    json.load(metadata)

    def offsets(self, name):
        """What the table says that it holds of the stream."""
        rows = conftest.rows_of(self.ok("table", "properties", f"streams.{name}", "--format", "json"))
        held = [r["value"] for r in rows if r["key"] == f"firn.offsets.{name}"]
        return json.loads(held[0]) if held else None

    # ---- rows ----

    def held(self, name, where="true"):
        """Of the table, by firn's own SQL through DuckDB's JSON: counts only, or no row is lost on the way to text."""
        try:
            return int(self.sql(f"SELECT count(*) AS n FROM {self.kind(name)}.{name} WHERE {where}")[0]["n"])
        except conftest.FirnError:
            return 0

    def check_against_server(self, name, since_ms=None):
        """Folder and table have the server's rows, once. For streams: those since a time."""
        wanted = server_rows(self.ksql, name, since_ms)
        newest = f"version=v{max((int(p.rsplit('v', 1)[1]) for p in self.partitions(name)), default=0)}" if self.kind(name) == "tables" else None
        got = by_duckdb(self, name, newest)
        assert counted(got) == counted(wanted), f"{name}: {len(got)} rows in the folders, {len(wanted)} on the server"
        assert self.held(name) == len(wanted), f"{name}: rows in the table"
        self.check_folder(name)


# ---- one form for all -----------------------------------------------------------------------------------------------
def value_of(value, kind):
    """As the server has it, as Python has it. TIMESTAMP in UTC, STRUCT with names in lower case."""
    if value is None:
        return None
    base = kind[0]
    if base == "DOUBLE":
        return float(value)
    if base == "DECIMAL":
        return Decimal(value)
    if base == "BYTES":
        return base64.b64decode(value)
    if base == "DATE":
        return datetime.date.fromisoformat(value)
    if base == "TIME":
        return datetime.time.fromisoformat(value)
    if base == "TIMESTAMP":
        return datetime.datetime.fromisoformat(value).replace(tzinfo=UTC)
    if base == "ARRAY":
        return [value_of(v, kind[1]) for v in value]
    if base == "MAP":
        return {k: value_of(v, kind[2]) for k, v in value.items()}
    if base == "STRUCT":
        return {n.lower(): value_of(value[n], t) for n, t in kind[1]}
    return value


def read_value(value, kind):
    """As a reader gives it."""
    base = kind[0]
    if value is None or value is pandas.NA or value is pandas.NaT or (base != "DOUBLE" and isinstance(value, float) and value != value):
        return None
    if base == "DOUBLE":
        return None if value != value else float(value)  # pandas has no other null there; the double sends no NaN
    if base in ("INTEGER", "BIGINT"):
        assert value == int(value)
        return int(value)
    if base == "BOOLEAN":
        return bool(value)
    if base == "TIMESTAMP":
        value = value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if base == "ARRAY":
        return [read_value(v, kind[1]) for v in value]
    if base == "MAP":
        pairs = value.items() if isinstance(value, dict) else [(p["key"], p["value"]) if isinstance(p, dict) else p for p in value]
        return {k: read_value(v, kind[2]) for k, v in pairs}
    if base == "STRUCT":
        return {n.lower(): read_value(value[n.lower()], t) for n, t in kind[1]}
    return value


def counted(rows):
    return collections.Counter(repr(sorted(row.items())) for row in rows)


def read_rows(name, rows):
    """Only the source's columns; the partitions' are left out."""
    kinds = KINDS[name.upper()]
    return [{column: read_value(row[column], kind) for column, kind in kinds.items()} for row in rows]


def server_rows(ksql, name, since_ms=None, until_ms=None):
    kinds = KINDS[name.upper()]
    return [{c: value_of(row[source], kinds[c]) for source, c in ((s[0], s[0].lower()) for s in SCHEMAS[name.upper()])} for row in ksql.rows(name.upper())
            if (since_ms is None or row["ROWTIME"] >= since_ms) and (until_ms is None or row["ROWTIME"] < until_ms)]


# ---- readers of the folders -----------------------------------------------------------------------------------------
def by_pandas(lake, name, part=None, filters=None):
    """The seed's way: pd.read_parquet on the folder, with filters, or on one version."""
    frame = pandas.read_parquet(os.path.join(lake.folder(name), part or ""), filters=filters, dtype_backend="pyarrow")
    return read_rows(name, pyarrow.Table.from_pandas(frame, preserve_index=False).to_pylist())


def by_duckdb(lake, name, part=None, where="true"):
    folder = os.path.join(lake.folder(name), part or "")
    if not any(f.endswith(".parquet") for _, _, files in os.walk(folder) for f in files):
        return []
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        table = db.execute(f"SELECT * FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = true, union_by_name = true) WHERE {where}").to_arrow_table()
    return read_rows(name, table.to_pylist())


def by_polars(lake, name, part=None, where=None):
    """where: an expression."""
    frame = polars.scan_parquet(os.path.join(lake.folder(name), part or "", "**", "*.parquet"), hive_partitioning=True)
    frame = frame.filter(where) if where is not None else frame
    return read_rows(name, frame.collect().to_arrow().to_pylist())


# ---- readers of the table -------------------------------------------------------------------------------------------
def by_pyiceberg(catalog, name, **scan):
    return read_rows(name, catalog.load_table(f"{ExportLake.kind(name)}.{name}").scan(**scan).to_arrow().to_pylist())


def catalog_of(server):
    from pyiceberg.catalog import load_catalog

    return load_catalog("lake", type="rest", uri=server.uri)
