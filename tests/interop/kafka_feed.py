"""A lake with feeds, for tests: its firn.yaml knows the broker and the registry, every feed is drained and its table read back twice,
by firn and by PyIceberg."""
import json
import os

import encoding
from conftest import init, schema_of
from pyiceberg.table import StaticTable


class FeedStopped(AssertionError):
    """`firn ingest run` gave up; the text says why."""


class FeedLake:
    def __init__(self, folder, kafka, registry):
        self.firn = init(folder)
        self.kafka, self.registry = kafka, registry
        source = {"name": "k", "kafka": kafka.bootstrap, "registry": registry.uri}
        with open(os.path.join(self.firn.lake, "firn.yaml"), "a") as f:
            f.write("\nsources:\n  - " + json.dumps(source) + "\n")

    def write(self, name, **keys):
        """The feed's file. Without a table it is bronze.<name>."""
        feed = {"source": "k", "table": f"bronze.{name}", **keys}
        folder = os.path.join(self.firn.lake, "feeds")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{name}.yaml"), "w") as f:
            f.writelines(f"{key}: {json.dumps(value)}\n" for key, value in feed.items())  # JSON is YAML

    def drain(self, name):
        done = self.firn.run("ingest", "run", name, "--drain", timeout=180)
        if done.returncode != 0:
            raise FeedStopped(done.stderr + done.stdout)
        return done.stderr + done.stdout

    def fields(self, table):
        return schema_of(self.firn.metadata(table))

    def types(self, table):
        """{column: its type as text}"""
        return {f["name"]: type_text(f["type"]) for f in self.fields(table)}

    def rows(self, table, order_by="id"):
        """Encoded rows (encoding.py), as PyIceberg and firn both read them."""
        metadata = self.firn.metadata(table)
        fields = schema_of(metadata)
        by_pyiceberg = encoding.rows(fields, StaticTable.from_metadata(metadata).scan().to_arrow().to_pylist())
        by_firn = encoding.rows(fields, self.firn.sql(f"SELECT * FROM {table}"))
        emptied = {f["name"] for f in fields if is_container_of_structs(f["type"])}
        as_pyiceberg = [{n: [] if v is None and n in emptied else v for n, v in r.items()} for r in by_firn]

        def order(rows):
            return sorted(rows, key=lambda r: json.dumps([r.get(order_by), r], sort_keys=True))
        found = differences(order(as_pyiceberg), order(by_pyiceberg))
        assert not found, "firn reads another value than PyIceberg\n" + "\n".join(found)
        return order(by_firn)

    def check(self, table, expected, order_by="id"):
        """The table holds these rows (Python values) and no others; columns that a row leaves out are null."""
        fields = self.fields(table)
        known = {f["name"] for f in fields}
        for row in expected:
            assert set(row) <= known, f"{table} has no column {set(row) - known}"
        want = encoding.rows(fields, [{f["name"]: row.get(f["name"]) for f in fields} for row in expected])
        want.sort(key=lambda r: json.dumps([r.get(order_by), r], sort_keys=True))
        found = differences(self.rows(table, order_by), want)
        assert not found, f"{table} holds another value than was written\n" + "\n".join(found)


def is_container_of_structs(t):
    """PyIceberg 0.12 returns null lists and maps of structs as empty ones (tests/golden/generate/finish.py); pyarrow reads the files right."""
    inner = isinstance(t, dict) and (t.get("element") or t.get("value"))
    return isinstance(inner, dict) and inner["type"] == "struct"


def differences(got, want):
    """What tells two lists of rows apart, value by value."""
    if len(got) != len(want):
        return [f"{len(got)} rows, not {len(want)}", *(f"+ {r}" for r in got if r not in want), *(f"- {r}" for r in want if r not in got)]
    return [f"row {i}, {name}: {g.get(name)!r}, not {w.get(name)!r}" for i, (g, w) in enumerate(zip(got, want)) for name in {**g, **w} if g.get(name) != w.get(name)]


def type_text(t):
    if isinstance(t, str):
        return t.replace(" ", "")
    if t["type"] == "struct":
        return "struct<" + ", ".join(f"{f['name']} {type_text(f['type'])}" for f in t["fields"]) + ">"
    if t["type"] == "list":
        return f"list<{type_text(t['element'])}>"
    return f"map<{type_text(t['key'])}, {type_text(t['value'])}>"
