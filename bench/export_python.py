"""A Python exporter of ksqlDB, beside which `./run bench export` puts firn: requests, pandas and pyarrow.

As `script` it takes the steps of the document that the data lake was first described in (query, iter_lines, json, DataFrame, Table.from_pandas,
write_table with snappy, dictionaries and statistics, _metadata.json), written as somebody who knows these libraries would: the answer is streamed, lines
are read in large pieces, rows go into the DataFrame as lists, columns are named by the header. Decimals become doubles, times stay texts, and whoever
exports twice has everything twice.

As `same` it does what `firn export` does, so that the files of both hold the same: decimals are exact and times are times, a stream's rows come with
their partition and offset and those that an export before has had are left out, each day has its file, files are synced and get their names when
they are whole. Numbers with a point are kept as texts by json and cast by Arrow, the quickest way that was found.

usage: export_python.py URL SOURCE stream|table FOLDER same|script [LIMIT]
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
TYPES = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "STRING": pa.string(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"),
}


def columns_of(schema):
    """Names and types of a header."""
    return re.findall(r"`([^`]+)` ([A-Z]+(?:\(\d+, \d+\))?)", schema)


def read_rows(url, sql, loads):
    body = {"ksql": sql, "streamsProperties": {"ksql.streams.auto.offset.reset": "earliest"}}
    columns, rows = [], []
    with requests.post(f"{url}/query", json=body, headers={"Accept": "application/vnd.ksql.v1+json"}, stream=True, timeout=60) as response:
        response.raise_for_status()
        for line in response.iter_lines(chunk_size=PIECE_BYTES):
            line = line.strip(b"[], \r\n") if line.startswith(b"[") or not line.endswith(b"},") else line[:-1]
            if not line:
                continue
            item = loads(line)
            if "row" in item:
                rows.append(item["row"]["columns"])
            elif "header" in item:
                columns = columns_of(item["header"]["schema"])
            elif "errorMessage" in item:
                raise SystemExit(item["errorMessage"]["message"])
    return columns, rows


def type_of(name):
    decimal = re.match(r"DECIMAL\((\d+), (\d+)\)", name)
    return pa.decimal128(int(decimal[1]), int(decimal[2])) if decimal else TYPES[name]


def typed(values, kind):
    try:
        return pa.array(values).cast(kind)
    except pa.ArrowException:  # whole numbers among those with a point
        return pa.array([None if v is None else str(v) for v in values]).cast(kind)


def files_of(table, day_of, seen):
    """What is new of the rows, a table for each day; seen: the next offset of each partition, moved on."""
    frame = pd.DataFrame({"partition": table["partition"], "offset": table["offset"], "day": day_of})
    new = frame["offset"] >= frame["partition"].map(lambda p: seen.get(str(p), 0)) if seen else pd.Series(True, index=frame.index)
    for partition, end in frame.groupby("partition")["offset"].max().items():
        seen[str(partition)] = max(seen.get(str(partition), 0), int(end) + 1)
    data = table.drop_columns(["partition", "offset", "time"])
    for day, rows in frame[new].groupby("day"):
        yield day, data if len(rows) == len(frame) else data.take(pa.array(rows.index))


def write_whole(path, write):
    with open(path + ".tmp", "wb") as f:
        write(f)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + ".tmp", path)


def version_folder(folder, source):
    base = os.path.join(folder, "tables", source.lower())
    versions = [int(v[9:]) for v in os.listdir(base) if v.startswith("version=v")] if os.path.isdir(base) else []
    return os.path.join(base, f"version=v{max(versions, default=0) + 1}")


def day_folder(folder, source, day):
    return os.path.join(folder, "streams", source.lower(), f"year={day:%Y}", f"month={day:%m}", f"day={day:%d}")


def export_same(url, source, kind, folder, limit):
    now = datetime.datetime.now(datetime.timezone.utc)
    record = os.path.join(folder, f"{source.lower()}_metadata.json")
    before = json.load(open(record)) if os.path.exists(record) else {"offsets": {}, "partitions": []}
    seen, written = before["offsets"], before["partitions"]
    leading = "ROWPARTITION AS `partition`, ROWOFFSET AS `offset`, ROWTIME AS `time`, " if kind == "stream" else ""
    decoder = json.JSONDecoder(parse_float=str)  # once: json.loads() would make one for each line

    def loads(line):
        return decoder.decode(line.decode())

    columns, rows = read_rows(url, f"SELECT {leading}* FROM {source}{' EMIT CHANGES' if kind == 'stream' else ''}{limit};", loads)
    names = [name.lower() for name, _ in columns]
    if leading:
        names[:3] = ["partition", "offset", "time"]
    table = pa.table([typed(values, type_of(type_name)) for values, (_, type_name) in zip(zip(*rows), columns)], names=names)
    if kind == "stream":
        days = table["time"].cast(pa.timestamp("ms")).cast(pa.date32()).to_pandas()
        parts = [(day_folder(folder, source, day), f"data_{now:%Y%m%d_%H%M%S}.parquet", part) for day, part in files_of(table, days, seen)]
    else:
        parts = [(version_folder(folder, source), f"snapshot_{now:%Y%m%d_%H%M%S}.parquet", table)]
    size = 0
    for path, name, part in parts:
        os.makedirs(path, exist_ok=True)
        file = os.path.join(path, name)
        write_whole(file, lambda f: pq.write_table(part, f, compression="snappy", use_dictionary=True, write_statistics=True))
        size += os.path.getsize(file)
        written.append({"path": os.path.relpath(path, folder), "records": len(part), "size_mb": os.path.getsize(file) / 1e6})
    known = {"source": source, "last_export": now.isoformat(), "total_records": sum(w["records"] for w in written), "offsets": seen, "partitions": written}
    write_whole(record, lambda f: f.write(json.dumps(known).encode()))
    return sum(len(part) for _, _, part in parts), size


def export_script(url, source, kind, folder, limit):
    columns, rows = read_rows(url, f"SELECT * FROM {source}{' EMIT CHANGES' if kind == 'stream' else ''}{limit};", json.loads)
    frame = pd.DataFrame(rows, columns=[name for name, _ in columns])
    now = datetime.datetime.now(datetime.timezone.utc)
    if kind == "stream":
        path, name = day_folder(folder, source, now), f"data_{now:%Y%m%d_%H%M%S}.parquet"
    else:
        path, name = version_folder(folder, source), f"snapshot_{now:%Y%m%d_%H%M%S}.parquet"
    os.makedirs(path, exist_ok=True)
    table = pa.Table.from_pandas(frame)
    file = os.path.join(path, name)
    pq.write_table(table, file, compression="snappy", use_dictionary=True, write_statistics=True)
    size = os.path.getsize(file)
    with open(os.path.join(folder, f"{source.lower()}_metadata.json"), "w") as f:
        json.dump({"source": source, "last_export": now.isoformat(), "total_records": len(frame), "total_size_mb": size / 1e6,
                   "partitions": [{"path": os.path.relpath(path, folder), "records": len(frame), "size_mb": size / 1e6}]}, f)
    return len(frame), size


def main():
    url, source, kind, folder, how = sys.argv[1:6]
    limit = f" LIMIT {sys.argv[6]}" if len(sys.argv) > 6 else ""
    os.makedirs(folder, exist_ok=True)
    rows, size = (export_same if how == "same" else export_script)(url, source, kind, folder, limit)
    print(json.dumps({"rows": rows, "parquet_bytes": size}))


if __name__ == "__main__":
    main()
