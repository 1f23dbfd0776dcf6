"""Files of firn's own Parquet writer (docs/decisions/030-a-parquet-writer.md) in pyarrow and PyIceberg: every kind of column, every codec, differences, nulls,
dictionaries, several row groups and pages. The unit test engine/parquet writes them; the values are known here once more."""
import datetime
import decimal
import os
import subprocess
import uuid

import pyarrow.parquet as pq
import pytest
from pyiceberg.expressions import AlwaysTrue, EqualTo, IsNull
from pyiceberg.io.pyarrow import ArrowScan, PyArrowFileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask
from pyiceberg.table.metadata import new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.typedef import Record
from pyiceberg.types import (BinaryType, BooleanType, DateType, DecimalType, DoubleType, FloatType, IntegerType, LongType, NestedField, StringType, TimestampType,
                             TimestamptzType, TimeType, UUIDType)

from conftest import REPO

EPOCH = datetime.datetime(1970, 1, 1)
DAY_US = 86400000000


def micros(n):
    return EPOCH + datetime.timedelta(microseconds=n)


def scaled(unscaled, scale):
    return decimal.Decimal((0 if unscaled >= 0 else 1, tuple(map(int, str(abs(unscaled)))), -scale))


# name, Iceberg's type, physical type, the value of key k where v is (k * 7919) % 100003 - 50000
COLUMNS = [
    ("b", BooleanType(), "BOOLEAN", lambda k, v: k % 3 == 0),
    ("i", IntegerType(), "INT32", lambda k, v: v),
    ("l", LongType(), "INT64", lambda k, v: v * 4294967296 + k),
    ("f", FloatType(), "FLOAT", lambda k, v: v / 8.0),
    ("d", DoubleType(), "DOUBLE", lambda k, v: v / 3.0),
    ("dt", DateType(), "INT32", lambda k, v: datetime.date(1970, 1, 1) + datetime.timedelta(days=v)),
    ("t", TimeType(), "INT64", lambda k, v: micros(k * 7919013 % DAY_US).time()),
    ("ts", TimestampType(), "INT64", lambda k, v: micros(v * DAY_US + k)),
    ("tz", TimestamptzType(), "INT64", lambda k, v: micros(v * DAY_US + k * 1000).replace(tzinfo=datetime.timezone.utc)),
    ("s", StringType(), "BYTE_ARRAY", lambda k, v: "" if k % 11 == 0 else f"v{v}" * (1 + k % 5)),
    ("z", BinaryType(), "BYTE_ARRAY", lambda k, v: k.to_bytes(4, "big") + b"\xff\0"),
    ("u", UUIDType(), "FIXED_LEN_BYTE_ARRAY", lambda k, v: uuid.UUID(f"{k:08x}-0000-4000-8000-0000{k:08x}")),
    ("d9", DecimalType(9, 2), "INT32", lambda k, v: scaled(v * 101, 2)),
    ("d18", DecimalType(18, 3), "INT64", lambda k, v: scaled(v * 1000000007, 3)),
    ("d38", DecimalType(38, 10), "FIXED_LEN_BYTE_ARRAY", lambda k, v: scaled((v * 10**12 + k) * 10**10, 10)),
]
NAMES = [name for name, *_ in COLUMNS]

# rows, key of a row, is it null, rows of a row group
FILES = {
    "different": (5000, lambda i: i, None, 100000),
    "required": (5000, lambda i: i, None, 100000),
    "nulls": (5003, lambda i: i, 3, 100000),
    "all_null": (1001, lambda i: i, 1, 300),
    "empty": (0, lambda i: i, None, 100),
    "one": (1, lambda i: i, None, 100),
    "few": (9000, lambda i: i % 7, 5, 100000),
    "same": (9000, lambda i: 0, 2, 100000),
    "runs": (9001, lambda i: i // 97, 31, 100000),
    "mixed": (60000, lambda i: i // 97, 31, 100000),
    "given_up": (30000, lambda i: i % 3000, None, 7000),
    "groups": (30000, lambda i: i % 3000, 7, 7001),
    "picked": (7000, lambda i: i % 900, None, 3000),
    "picked_nulls": (7000, lambda i: i % 900, 4, 3000),
    "pages": (100000, lambda i: i % 50000, 13, 90000),
}
CODECS = {"none": {"UNCOMPRESSED"}, "snappy": {"SNAPPY", "UNCOMPRESSED"}, "zstd": {"ZSTD", "UNCOMPRESSED"},
          "none-deltas": {"UNCOMPRESSED"}, "snappy-deltas": {"SNAPPY", "UNCOMPRESSED"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the unit test wrote."""
    path = tmp_path_factory.mktemp("parquet")
    program = os.path.join(os.path.dirname(os.path.abspath(os.environ.get("FIRN", os.path.join(REPO, "build", "firn")))), "tests", "unit", "engine_parquet_test")
    done = subprocess.run([program], env=dict(os.environ, FIRN_PARQUET_FOLDER=str(path)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def expected(name, column):
    rows, key, nulls, _ = FILES[name]
    return [None if nulls and i % nulls == 0 else column(key(i), key(i) * 7919 % 100003 - 50000) for i in range(rows)]


def as_bytes(value):
    return value.bytes if isinstance(value, uuid.UUID) else value


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", FILES)
def test_pyarrow(folder, name, codec):
    """Values, nulls, types, and the statistics of every row group."""
    file = pq.ParquetFile(folder / f"{name}-{codec}.parquet")
    table = file.read()
    rows, _, _, group_rows = FILES[name]
    assert (table.num_rows, file.num_row_groups) == (rows, -(-rows // group_rows))
    used = set()
    for c, (column, _, physical, value) in enumerate(COLUMNS):
        want = [as_bytes(x) for x in expected(name, value)]
        assert [as_bytes(x) for x in table.column(c).to_pylist()] == want, column
        assert file.schema.column(c).physical_type == physical
        assert table.schema.field(c).metadata[b"PARQUET:field_id"] == str(c + 1).encode()
        for g in range(file.num_row_groups):
            chunk = file.metadata.row_group(g).column(c)
            part = want[g * group_rows : (g + 1) * group_rows]
            there = [x for x in part if x is not None]
            used.add(chunk.compression)
            assert (chunk.num_values, chunk.statistics.null_count) == (len(part), len(part) - len(there))
            assert chunk.statistics.has_min_max == bool(there)
            if there:
                assert (as_bytes(chunk.statistics.min), as_bytes(chunk.statistics.max)) == (min(there), max(there)), column
    assert used <= CODECS[codec] and (rows == 0 or used & {"UNCOMPRESSED" if codec.startswith("none") else codec.split("-")[0].upper()})


def scan(path, rows, row_filter, required):
    schema = Schema(*(NestedField(i + 1, name, kind, required=required) for i, (name, kind, *_) in enumerate(COLUMNS)))
    metadata = new_table_metadata(schema, UNPARTITIONED_PARTITION_SPEC, UNSORTED_SORT_ORDER, "file:///nowhere", {})
    file = DataFile.from_args(content=DataFileContent.DATA, file_path=f"file://{path}", file_format=FileFormat.PARQUET, partition=Record(), record_count=rows,
                              file_size_in_bytes=os.path.getsize(path))
    file.spec_id = 0
    return ArrowScan(metadata, PyArrowFileIO(), schema, row_filter).to_table([FileScanTask(file)])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", FILES)
def test_pyiceberg(folder, name, codec):
    """All rows by field id; and those that a filter leaves, for which row groups are passed over by their statistics."""
    path = folder / f"{name}-{codec}.parquet"
    rows, _, nulls, _ = FILES[name]
    required = name == "required"
    table = scan(path, rows, IsNull("i") if nulls == 1 else EqualTo("i", -42081), required)
    ints = expected(name, COLUMNS[1][3])
    assert table.num_rows == sum(x is None if nulls == 1 else x == -42081 for x in ints)
    table = scan(path, rows, EqualTo("d18", decimal.Decimal("-42081000294.567")), required)
    assert table.num_rows == sum(x == -42081 for x in ints)
    table = scan(path, rows, AlwaysTrue(), required)
    for c, (column, _, _, value) in enumerate(COLUMNS):
        assert [as_bytes(x) for x in table.column(c).to_pylist()] == [as_bytes(x) for x in expected(name, value)], column
