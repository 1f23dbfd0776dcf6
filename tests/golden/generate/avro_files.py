"""Avro container files by fastavro in tests/golden/avro, each with <name>.json:

{"codec", "schema", "metadata": user keys, "records": [...], "resolutions": [{"about", "reader_schema", "records"}]}

Records are in Avro's JSON encoding (a union value is null or {"branch name": value}), with two changes: bytes and fixed are hex, and NaN and the
infinities are the strings NaN, Infinity, -Infinity. Logical types keep their physical value.
"""
import copy
import io
import json
import math
import os

import fastavro

OUT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "avro"))


class Names(dict):
    """Named types by full name, for references."""

    def learn(self, schema, space=""):
        if isinstance(schema, list):
            for s in schema:
                self.learn(s, space)
        elif isinstance(schema, dict):
            if schema["type"] in ("record", "enum", "fixed", "error"):
                space = schema.get("namespace", schema["name"].rpartition(".")[0] or space)
                name = schema["name"] if "." in schema["name"] else (space + "." if space else "") + schema["name"]
                self[name] = self[schema["name"].rpartition(".")[2]] = schema
                for f in schema.get("fields", []):
                    self.learn(f["type"], space)
            else:
                for k in ("items", "values", "type"):
                    if k in schema and not isinstance(schema[k], str):
                        self.learn(schema[k], space)
        return self


def kind(schema):
    return "union" if isinstance(schema, list) else schema["type"] if isinstance(schema, dict) else schema


def branch_name(schema, names):
    k = kind(schema)
    if k in names:
        schema = names[k]
        k = kind(schema)
    if k in ("record", "enum", "fixed"):
        space = schema.get("namespace")
        return f"{space}.{schema['name']}" if space and "." not in schema["name"] else schema["name"]
    return k


def encode(schema, v, names):
    k = kind(schema)
    if k in names:
        return encode(names[k], v, names)
    if isinstance(k, (dict, list)):
        return encode(k, v, names)
    if k == "union":
        if isinstance(v, tuple):
            name, v = v
            branch = next(s for s in schema if branch_name(s, names).rpartition(".")[2] == name.rpartition(".")[2])
        elif v is None:
            return None
        else:
            others = [s for s in schema if kind(s) != "null"]
            assert len(others) == 1, f"name the branch of {v!r} in {schema}"
            branch = others[0]
        return None if kind(branch) == "null" else {branch_name(branch, names): encode(branch, v, names)}
    if k == "null":
        return None
    if k in ("bytes", "fixed"):
        return bytes(v).hex()
    if k in ("float", "double"):
        return "NaN" if math.isnan(v) else ("Infinity" if v > 0 else "-Infinity") if math.isinf(v) else v
    if k == "array":
        return [encode(schema["items"], e, names) for e in v]
    if k == "map":
        return {key: encode(schema["values"], e, names) for key, e in v.items()}
    if k == "record":
        return {f["name"]: encode(f["type"], v[f["name"]] if f["name"] in v else f["default"], names) for f in schema["fields"]}
    return v


def write(name, schema, records, codec="null", metadata=None, sync_interval=16000, resolutions=()):
    path = os.path.join(OUT, name + ".avro")
    with open(path, "wb") as out:
        fastavro.writer(out, fastavro.parse_schema(copy.deepcopy(schema)), records, codec=codec, metadata=metadata, sync_interval=sync_interval,
                        sync_marker=(name.encode() * 16)[:16])
    with open(path, "rb") as f:
        assert len(list(fastavro.reader(f))) == len(records)
    names = Names().learn(schema)
    doc = {"codec": codec, "schema": schema, "metadata": metadata or {}, "records": [encode(schema, r, names) for r in records], "resolutions": []}
    for about, reader_schema in resolutions:
        with open(path, "rb") as f:
            got = list(fastavro.reader(f, reader_schema=copy.deepcopy(reader_schema), return_record_name=True, return_record_name_override=True))
        doc["resolutions"].append({"about": about, "reader_schema": reader_schema, "records": [encode(reader_schema, r, Names().learn(reader_schema)) for r in got]})
    with open(os.path.join(OUT, name + ".json"), "w") as out:
        lines = [f'  {json.dumps(k)}: ' + ("[\n" + ",\n".join("    " + json.dumps(e, ensure_ascii=False) for e in v) + "\n  ]" if isinstance(v, list) and v else json.dumps(v, ensure_ascii=False))
                 for k, v in doc.items()]
        out.write("{\n" + ",\n".join(lines) + "\n}\n")


PRIMITIVES = {
    "type": "record", "name": "Primitives", "namespace": "firn.golden", "doc": "one of each", "fields": [
        {"name": "n", "type": "null"}, {"name": "b", "type": "boolean"}, {"name": "i", "type": "int", "field-id": 1}, {"name": "l", "type": "long"},
        {"name": "f", "type": "float"}, {"name": "d", "type": "double"}, {"name": "by", "type": "bytes"}, {"name": "s", "type": "string"}]}
PRIMITIVE_ROWS = [
    {"n": None, "b": True, "i": 0, "l": 0, "f": 0.0, "d": 0.0, "by": b"", "s": ""},
    {"n": None, "b": False, "i": -1, "l": -1, "f": -1.5, "d": -0.0, "by": b"\0\xff", "s": "é世🧊\0"},
    {"n": None, "b": True, "i": 2**31 - 1, "l": 2**63 - 1, "f": float("inf"), "d": float("nan"), "by": bytes(range(256)), "s": "x" * 300},
    {"n": None, "b": False, "i": -2**31, "l": -2**63, "f": float("-inf"), "d": 1.7976931348623157e308, "by": b"z", "s": "tab\tline\n"},
    {"n": None, "b": False, "i": 63, "l": 64, "f": 0.5, "d": 5e-324, "by": b"z", "s": "varint edges"},
    {"n": None, "b": False, "i": -64, "l": -65, "f": 0.5, "d": 0.1, "by": b"z", "s": "varint edges"},
    {"n": None, "b": False, "i": 8191, "l": -8192, "f": 0.5, "d": 0.1, "by": b"z", "s": "varint edges"}]


def main():
    os.makedirs(OUT, exist_ok=True)
    for codec in ("null", "deflate", "snappy", "zstandard"):
        write(f"primitives_{codec}", PRIMITIVES, PRIMITIVE_ROWS, codec, {"user.key": "value of the user", "empty": ""})
        rows = [{"i": n, "s": f"row {n} " + "padding " * (n % 5)} for n in range(1000)]
        write(f"blocks_{codec}", {"type": "record", "name": "R", "fields": [{"name": "i", "type": "int"}, {"name": "s", "type": "string"}]}, rows, codec,
              sync_interval=2000)
    write("empty", PRIMITIVES, [])
    unions = {"type": "record", "name": "Unions", "fields": [
        {"name": "opt", "type": ["null", "string"], "default": None}, {"name": "opt_last", "type": ["int", "null"]},
        {"name": "many", "type": ["null", "boolean", "int", "long", "float", "double", "bytes", "string", {"type": "array", "items": "int"},
                                  {"type": "map", "values": "long"}, {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "int"}]},
                                  {"type": "enum", "name": "Color", "symbols": ["RED", "GREEN"]}, {"type": "fixed", "name": "Four", "size": 4}]},
        {"name": "single", "type": ["string"]}]}
    values = [None, ("boolean", True), ("int", -5), ("long", 2**40), ("float", 1.5), ("double", 2.5), ("bytes", b"\1\2"), ("string", "s"), ("Inner", {"x": 9}),
              ("Color", "GREEN"), ("Four", b"\0\1\2\3")]
    write("unions", unions, [{"opt": None if n % 2 else "set", "opt_last": n if n % 2 else None, "many": v, "single": ("string", "only")} for n, v in enumerate(values)])
    nested = {"type": "record", "name": "Nested", "namespace": "a.b", "fields": [
        {"name": "inner", "type": {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "int"}, {"name": "deep", "type": {
            "type": "record", "name": "Deep", "namespace": "c", "fields": [{"name": "s", "type": "string"}]}}]}},
        {"name": "again", "type": "Inner"}, {"name": "other", "type": ["null", "c.Deep"]},
        {"name": "list", "type": {"type": "array", "items": {"type": "array", "items": ["null", "string"]}}},
        {"name": "map", "type": {"type": "map", "values": {"type": "array", "items": "Inner"}}},
        {"name": "color", "type": {"type": "enum", "name": "Color", "symbols": ["RED", "GREEN", "BLUE"], "default": "RED"}},
        {"name": "md5", "type": {"type": "fixed", "name": "MD5", "size": 16}}, {"name": "zero", "type": {"type": "fixed", "name": "Zero", "size": 0}}]}
    inner = {"x": 1, "deep": {"s": "d"}}
    write("nested", nested, [
        {"inner": inner, "again": {"x": 2, "deep": {"s": ""}}, "other": None, "list": [["a", None], []], "map": {"k": [inner], "e": []}, "color": "BLUE", "md5": bytes(16), "zero": b""},
        {"inner": inner, "again": inner, "other": {"s": "o"}, "list": [], "map": {}, "color": "RED", "md5": bytes(range(16)), "zero": b""}])
    write("recursive", {"type": "record", "name": "Node", "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Node"]},
                                                                   {"name": "children", "type": {"type": "array", "items": "Node"}}]},
          [{"v": 1, "next": {"v": 2, "next": {"v": 3, "next": None, "children": []}, "children": []}, "children": [{"v": 4, "next": None, "children": []}]}])
    logical = {"type": "record", "name": "Logical", "fields": [
        {"name": "date", "type": {"type": "int", "logicalType": "date"}}, {"name": "time_ms", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "time_us", "type": {"type": "long", "logicalType": "time-micros"}}, {"name": "ts_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "ts_us", "type": {"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": True}},
        {"name": "lts_us", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "ts_ns", "type": {"type": "long", "logicalType": "timestamp-nanos", "adjust-to-utc": False}},
        {"name": "dec", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "decf", "type": {"type": "fixed", "name": "decimal_38_10", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 10}},
        {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "uuidf", "type": {"type": "fixed", "name": "uuid_fixed", "size": 16, "logicalType": "uuid"}},
        {"name": "dur", "type": {"type": "fixed", "name": "dur", "size": 12, "logicalType": "duration"}},
        {"name": "opt", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
        {"name": "unknown", "type": {"type": "int", "logicalType": "nobody-knows-it"}},
        {"name": "map_as_array", "type": {"type": "array", "logicalType": "map", "items": {"type": "record", "name": "k1_v2", "fields": [
            {"name": "key", "type": "int", "field-id": 1}, {"name": "value", "type": "string", "field-id": 2}]}}}]}
    write("logical", logical, [
        {"date": -1, "time_ms": 1, "time_us": 86399999999, "ts_ms": -1, "ts_us": 1510871468123456, "lts_us": -62135596800000000, "ts_ns": 1510871468123456789, "dec": b"\x05\x8c",
         "decf": b"\xff" * 16, "uuid": "f79c3e09-677c-4bbd-a479-3f349cb785e7", "uuidf": bytes(range(16)), "dur": b"\1\0\0\0\2\0\0\0\3\0\0\0", "opt": 19782, "unknown": 7,
         "map_as_array": [{"key": 1, "value": "a"}, {"key": 2, "value": "b"}]},
        {"date": 2932896, "time_ms": 0, "time_us": 0, "ts_ms": 0, "ts_us": 0, "lts_us": 0, "ts_ns": -1, "dec": b"\xff", "decf": b"\0" * 15 + b"\1", "uuid": "00000000-0000-0000-0000-000000000000", "uuidf": b"\0" * 16,
         "dur": b"\0" * 12, "opt": None, "unknown": -7, "map_as_array": []}])
    attributes = {"type": "record", "name": "manifest_like", "fields": [
        {"name": "status", "type": "int", "field-id": 0}, {"name": "ids", "type": ["null", {"type": "array", "items": "int", "element-id": 136}], "default": None, "field-id": 135},
        {"name": "data_file", "field-id": 2, "type": {"type": "record", "name": "r2", "fields": [
            {"name": "file_path", "type": "string", "doc": "Location URI with FS scheme", "field-id": 100},
            {"name": "partition", "field-id": 102, "type": {"type": "record", "name": "r102", "fields": [
                {"name": "_x20odd", "type": ["null", "string"], "default": None, "field-id": 1000, "iceberg-field-name": " odd"}]}},
            {"name": "sizes", "field-id": 108, "type": ["null", {"type": "array", "logicalType": "map", "items": {"type": "record", "name": "k117_v118", "fields": [
                {"name": "key", "type": "int", "field-id": 117}, {"name": "value", "type": "long", "field-id": 118}]}}], "default": None}]}}]}
    write("attributes", attributes, [{"status": 1, "ids": [1, 2], "data_file": {"file_path": "a", "partition": {"_x20odd": "p"}, "sizes": [{"key": 1, "value": 2**40}]}},
                                     {"status": 2, "ids": None, "data_file": {"file_path": "", "partition": {"_x20odd": None}, "sizes": None}}], "deflate",
          {"format-version": "2", "content": "data"})
    for name, schema, rows in (("top_string", "string", ["a", "", "é"]), ("top_union", ["null", "long"], [None, 1, -1]), ("top_array", {"type": "array", "items": "int"}, [[], [1, 2, 3]])):
        write(name, schema, rows)
    evolving = {"type": "record", "name": "Old", "fields": [
        {"name": "i", "type": "int"}, {"name": "f", "type": "float"}, {"name": "s", "type": "string"}, {"name": "gone", "type": {"type": "array", "items": {"type": "map", "values": "bytes"}}},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}}, {"name": "u", "type": ["null", "int", "string"]},
        {"name": "in", "type": {"type": "record", "name": "In", "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "string"}]}}, {"name": "last", "type": "boolean"}]}
    rows = [{"i": 1, "f": 0.5, "s": "s", "gone": [{"k": b"v"}, {}], "e": "B", "u": 5, "in": {"x": 1, "y": "y"}, "last": True},
            {"i": -1, "f": -0.0, "s": "", "gone": [], "e": "A", "u": None, "in": {"x": 2, "y": ""}, "last": False}]
    stored = copy.deepcopy(rows)
    for r in stored:
        r["u"] = ("int", r["u"]) if r["u"] is not None else None
    write("evolving", evolving, stored, resolutions=[
        ("fields dropped and reordered", {"type": "record", "name": "Old", "fields": [{"name": "last", "type": "boolean"}, {"name": "i", "type": "int"}]}),
        ("promoted: int to long, float to double, string to bytes", {"type": "record", "name": "Old", "fields": [
            {"name": "i", "type": "long"}, {"name": "f", "type": "double"}, {"name": "s", "type": "bytes"}]}),
        ("int to float", {"type": "record", "name": "Old", "fields": [{"name": "i", "type": "float"}]}),
        ("defaults for missing fields", {"type": "record", "name": "Old", "fields": [
            {"name": "i", "type": "int"}, {"name": "new_string", "type": "string", "default": "dflt"}, {"name": "new_null", "type": ["null", "int"], "default": None},
            {"name": "new_list", "type": {"type": "array", "items": "int"}, "default": [1, 2]}, {"name": "new_map", "type": {"type": "map", "values": "int"}, "default": {"k": 1}}]}),
        ("aliases of fields", {"type": "record", "name": "Old", "fields": [{"name": "renamed", "type": "int", "aliases": ["i"]}, {"name": "text", "aliases": ["nothing", "s"], "type": "string"}]}),
        ("alias of the record", {"type": "record", "name": "New", "aliases": ["Old"], "fields": [{"name": "i", "type": "int"}]}),
        ("enum with a default for unknown symbols", {"type": "record", "name": "Old", "fields": [
            {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "Z"], "default": "Z"}}]}),
        ("nested record reordered with a field dropped", {"type": "record", "name": "Old", "fields": [
            {"name": "in", "type": {"type": "record", "name": "In", "fields": [{"name": "y", "type": "string"}]}}]}),
        ("value read as optional", {"type": "record", "name": "Old", "fields": [{"name": "i", "type": ["null", "long"]}]}),
    ])


if __name__ == "__main__":
    main()
