"""A plain DuckDB reads the Parquet files that firn wrote for an unpartitioned table without deletes: they are ordinary Parquet."""
import duckdb
from pyiceberg.table import StaticTable

import written


def test_plain_parquet(written_lake):
    table = written.make(written_lake, "ctas", 2)
    files = [t.file.file_path.removeprefix("file://").removeprefix("file:") for t in StaticTable.from_metadata(written_lake.metadata(table)).scan().plan_files()]
    got = duckdb.sql(f"SELECT count(*), sum(id), min(k) FROM read_parquet({files!r})").fetchone()
    want = written_lake.sql(f"SELECT count(*) AS n, sum(id)::BIGINT AS s, min(k) AS k FROM {table}")[0]
    assert got == (want["n"], want["s"], want["k"])
