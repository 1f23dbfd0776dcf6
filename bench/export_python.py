"""A Python exporter of ksqlDB, beside which `./run bench export` puts firn: requests, pandas and pyarrow.

The steps are those of the document that the data lake was first described in (query, iter_lines, json, DataFrame, Table.from_pandas, write_table
with snappy, dictionaries and statistics, _metadata.json), written as somebody who knows these libraries would: the answer is streamed, lines are
read in large pieces, rows go into the DataFrame as lists, columns are named by the header.

usage: export_python.py URL SOURCE stream|table FOLDER [LIMIT]
"""
import datetime
import json
import os
import re
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import requests

PIECE_BYTES = 1 << 20


def column_names(schema):
    return re.findall(r"`([^`]+)`(?= [A-Z])", schema)


def read_rows(url, sql):
    body = {"ksql": sql, "streamsProperties": {"ksql.streams.auto.offset.reset": "earliest"}}
    names, rows = [], []
    with requests.post(f"{url}/query", json=body, headers={"Accept": "application/vnd.ksql.v1+json"}, stream=True, timeout=60) as response:
        response.raise_for_status()
        for line in response.iter_lines(chunk_size=PIECE_BYTES):
            line = line.strip(b"[], \r\n") if line.startswith(b"[") or not line.endswith(b"},") else line[:-1]
            if not line:
                continue
            item = json.loads(line)
            if "row" in item:
                rows.append(item["row"]["columns"])
            elif "header" in item:
                names = column_names(item["header"]["schema"])
            elif "errorMessage" in item:
                raise SystemExit(item["errorMessage"]["message"])
    return names, rows


def main():
    url, source, kind, folder = sys.argv[1:5]
    limit = f" LIMIT {sys.argv[5]}" if len(sys.argv) > 5 else ""
    sql = f"SELECT * FROM {source}{' EMIT CHANGES' if kind == 'stream' else ''}{limit};"
    names, rows = read_rows(url, sql)
    frame = pd.DataFrame(rows, columns=names)
    now = datetime.datetime.now(datetime.timezone.utc)
    if kind == "stream":
        path = os.path.join(folder, "streams", source.lower(), f"year={now:%Y}", f"month={now:%m}", f"day={now:%d}")
        name = f"data_{now:%Y%m%d_%H%M%S}.parquet"
    else:
        base = os.path.join(folder, "tables", source.lower())
        versions = [int(v[9:]) for v in os.listdir(base) if v.startswith("version=v")] if os.path.isdir(base) else []
        path = os.path.join(base, f"version=v{max(versions, default=0) + 1}")
        name = f"snapshot_{now:%Y%m%d_%H%M%S}.parquet"
    os.makedirs(path, exist_ok=True)
    table = pa.Table.from_pandas(frame)
    file = os.path.join(path, name)
    pq.write_table(table, file, compression="snappy", use_dictionary=True, write_statistics=True)
    size = os.path.getsize(file)
    with open(os.path.join(folder, f"{source.lower()}_metadata.json"), "w") as f:
        json.dump({"source": source, "last_export": now.isoformat(), "total_records": len(frame), "total_size_mb": size / 1e6,
                   "partitions": [{"path": os.path.relpath(path, folder), "records": len(frame), "size_mb": size / 1e6}]}, f)
    print(json.dumps({"rows": len(frame), "parquet_bytes": size}))


if __name__ == "__main__":
    main()
