"""What the ksqlDB double holds: topics of several partitions, and streams and tables over them."""
import math
import threading
import time
from decimal import Decimal
from json.encoder import encode_basestring

from .ksqldb_sql import coerced, parse_type, quoted, type_json, type_text


def dumps(value):
    """JSON as Jackson writes it: decimals in plain digits, NaN and infinities as strings."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        if math.isfinite(value):
            return repr(value)
        return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dumps, value)) + "]"
    return "{" + ",".join(f"{encode_basestring(k)}:{dumps(v)}" for k, v in value.items()) + "}"


class Record:
    """values: one per column of its source; None: a tombstone, of which only the key is known."""

    __slots__ = ("values", "key", "time", "partition", "offset", "texts")

    def __init__(self, values, key, at, partition, offset):
        self.values, self.key, self.time, self.partition, self.offset, self.texts = values, key, at, partition, offset, None


class Log:
    """One partition: the first offset that is still there, and the records from it on."""

    def __init__(self):
        self.start, self.records = 0, []

    @property
    def end(self):
        return self.start + len(self.records)


class Source:
    """A stream or table. columns: (name, type, "KEY" | "HEADER" | None), keys first."""

    def __init__(self, name, is_table, columns, partitions=4, topic=None, key_format="KAFKA", value_format="JSON", windowed=False, queryable=True, pseudo=True):
        self.name, self.is_table, self.topic = name, is_table, topic or name.lower()
        self.columns = [(c[0], parse_type(c[1]), c[2] if len(c) > 2 else None) for c in columns]
        self.key_format, self.value_format, self.windowed, self.queryable, self.pseudo = key_format, value_format, windowed, queryable, pseudo
        self.places = {name: i for i, (name, _, _) in enumerate(self.columns)}
        self.keys = [i for i, c in enumerate(self.columns) if c[2] == "KEY"]
        self.logs = [Log() for _ in range(partitions)]
        self.state = {}  # of a table: its newest record by key

    def add(self, row, partition=None, at=None):
        """Appends a record. row: {column: value}, or of a table {key columns} with `None` for a value that deletes."""
        deleted = row.get("__deleted", False)
        values = [coerced(row.get(name), kind) for name, kind, _ in self.columns]
        key = tuple(dumps(values[i]) for i in self.keys)
        if partition is None:
            partition = sum(map(ord, "".join(key))) % len(self.logs) if key else sum(len(log.records) for log in self.logs) % len(self.logs)
        log = self.logs[partition]
        if deleted:
            values = [v if i in self.keys else None for i, v in enumerate(values)]
        record = Record(None if deleted else values, values, int(time.time() * 1000) if at is None else at, partition, log.end)
        log.records.append(record)
        if self.is_table:
            self.state.pop(key, None)
            if not deleted:
                self.state[key] = record
        return record

    def schema_text(self, columns):
        return ", ".join(f"{quoted(alias)} {type_text(kind)}{' KEY' if key else ''}" for alias, kind, key in columns)

    def listed(self):
        out = {"type": "TABLE" if self.is_table else "STREAM", "name": self.name, "topic": self.topic, "keyFormat": self.key_format, "valueFormat": self.value_format,
               "isWindowed": self.windowed}
        return out

    def statement(self):
        """A table's primary key is PRIMARY KEY in DDL."""
        word = "PRIMARY KEY" if self.is_table else "KEY"
        columns = ", ".join(f"{quoted(n)} {type_text(t)}{f' {word}' if k == 'KEY' else ' HEADERS' if k else ''}" for n, t, k in self.columns)
        return f"CREATE {'TABLE' if self.is_table else 'STREAM'} {self.name} ({columns}) WITH (KAFKA_TOPIC='{self.topic}', KEY_FORMAT='{self.key_format}', PARTITIONS={len(self.logs)}, VALUE_FORMAT='{self.value_format}');"

    def described(self, extended):
        fields = []
        for name, kind, role in self.columns:
            field = {"name": name, "schema": type_json(kind)}
            if role:
                field["type"] = role
            fields.append(field)
        return {"name": self.name, "windowType": "TUMBLING" if self.windowed else None, "readQueries": [], "writeQueries": [], "fields": fields, "type": "TABLE" if self.is_table else "STREAM",
                "timestamp": "", "statistics": "", "errorStats": "", "extended": extended, "keyFormat": self.key_format, "valueFormat": self.value_format, "topic": self.topic,
                "partitions": len(self.logs) if extended else 0, "replication": 1 if extended else 0, "statement": self.statement(), "queryOffsetSummaries": [], "sourceConstraints": [],
                "clusterStatistics": [], "clusterErrorStats": []}


class World:
    """All sources. `changed` guards everything; whoever adds records notifies it, and push queries wait for it."""

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        self.sources = {}
        self.shop = None  # of the scenario "seed"

    def create(self, name, **options):
        with self.changed:
            self.sources[name] = source = Source(name, **options)
            self.changed.notify_all()
            return source

    def append(self, name, rows):
        """rows: [{"values": {...}, "partition": 0, "rowtime": ms}], the last two optional. Returns [[partition, offset], ...]."""
        with self.changed:
            source = self.sources[name]
            out = [source.add(r["values"], r.get("partition"), r.get("rowtime")) for r in rows]
            self.changed.notify_all()
            return [[r.partition, r.offset] for r in out]

    def delete_rows(self, name, keys):
        """Deletes rows of a table: keys are {column: value}."""
        return self.append(name, [{"values": {**key, "__deleted": True}} for key in keys])

    def recreate(self, name, columns=None, partitions=None):
        """DROP and CREATE: the topic is empty, its offsets begin at 0 again."""
        with self.changed:
            old = self.sources[name]
            spec = columns or [(n, type_text(t), role) for n, t, role in old.columns]
            return self.create(name, is_table=old.is_table, columns=spec, partitions=partitions or len(old.logs), topic=old.topic, key_format=old.key_format,
                               value_format=old.value_format, windowed=old.windowed, queryable=old.queryable, pseudo=old.pseudo)

    def drop(self, name):
        with self.changed:
            del self.sources[name]
            self.changed.notify_all()

    def retain(self, name, before_ms=None, offsets=None):
        """The topic's retention: records before a time, or below an offset of each partition ({"0": 12}), are gone. Returns how many."""
        with self.changed:
            gone = 0
            for partition, log in enumerate(self.sources[name].logs):
                n = 0
                while n < len(log.records) and (before_ms is not None and log.records[n].time < before_ms or offsets and log.records[n].offset < int(offsets.get(str(partition), 0))):
                    n += 1
                del log.records[:n]
                log.start += n
                gone += n
            return gone

    def rows(self, name):
        """All that a source holds, as a test compares it: {column: value as JSON has it} with ROWTIME, ROWPARTITION, ROWOFFSET."""
        with self.changed:
            source = self.sources[name]
            records = source.state.values() if source.is_table else (r for log in source.logs for r in log.records)
            return [{**{n: v for (n, _, _), v in zip(source.columns, r.values)}, "ROWTIME": r.time, "ROWPARTITION": r.partition, "ROWOFFSET": r.offset} for r in records if r.values is not None]
