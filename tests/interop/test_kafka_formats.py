"""Every format, every type, every step of evolution: what other people's serializers write into Kafka is what the tables hold.

Avro, JSON Schema and Protobuf are written by Confluent's serializers, through a registry and a broker; `firn ingest run --drain` brings
them in; firn and PyIceberg must both read back what was written, in the types that docs/guide/kafka-types.md names.
"""
import base64
import datetime as dt
import importlib
import io
import json
import math
import sys
import uuid
from decimal import Decimal

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from kafka_feed import FeedLake, FeedStopped

UTC = dt.timezone.utc


@pytest.fixture(scope="module")
def lake(kafka, registry, tmp_path_factory):
    return FeedLake(tmp_path_factory.mktemp("formats") / "lake", kafka, registry)


@pytest.fixture
def name(topic):
    """Of the feed and its table."""
    return topic.lower().replace("-", "_").replace(".", "_")


class Writer:
    """Values of a topic, serialized by Confluent's client, or by none."""

    def __init__(self, lake, topic):
        self.client = SchemaRegistryClient({"url": lake.registry.uri})
        self.kafka, self.topic = lake.kafka.client, topic

    def context(self, key=False):
        return SerializationContext(self.topic, MessageField.KEY if key else MessageField.VALUE)

    def avro(self, schema, values, key=False, **config):
        serializer = AvroSerializer(self.client, schema if isinstance(schema, Schema) else json.dumps(schema), conf=config)
        return [None if v is None else serializer(v, self.context(key)) for v in values]

    def json(self, schema, values, key=False):
        serializer = JSONSerializer(json.dumps(schema), self.client, conf={"validate": False})
        return [None if v is None else serializer(v, self.context(key)) for v in values]

    def protobuf(self, messages, key=False):
        serializer = ProtobufSerializer(type(messages[0]), self.client)
        return [serializer(m, self.context(key)) for m in messages]

    def produce(self, values, keys=None, **more):
        keys = keys or [None] * len(values)
        self.kafka.produce(self.topic, [{"key": k, "value": v, **more} for k, v in zip(keys, values)])


@pytest.fixture
def writer(lake, topic):
    return Writer(lake, topic)


# ---- Avro: types ------------------------------------------------------------------------------------------

def record(name, **fields):
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields.items()]}


def logical(base, name, **more):
    return {"type": base, "logicalType": name, **more}


def at(*args):
    return dt.datetime(*args, tzinfo=UTC)


ITEM = record("Item", sku="string", qty=["null", "int"])

# name: (Avro type, two values, Iceberg type[, what is expected where it is not what was written])
AVRO = {
    "boolean": ("boolean", [True, False], "boolean"),
    "int": ("int", [-2**31, 2**31 - 1], "int"),
    "long": ("long", [-2**63, 2**63 - 1], "long"),
    "float": ("float", [1.5, math.nan], "float"),
    "double": ("double", [0.1, -math.inf], "double"),
    "bytes": ("bytes", [b"\x00\xff\x27", b""], "binary"),
    "string": ("string", ["", "größe 🧊 \t\""], "string"),
    "enum": ({"type": "enum", "name": "Color", "symbols": ["RED", "GREEN"]}, ["GREEN", "RED"], "string"),
    "fixed": ({"type": "fixed", "name": "Four", "size": 4}, [b"\x00\x01\x02\xff", b"abcd"], "binary"),
    "duration": ({"type": "fixed", "name": "Duration", "size": 12, "logicalType": "duration"}, [b"\x01" * 12, bytes(12)], "binary"),
    "date": (logical("int", "date"), [dt.date(1969, 12, 31), dt.date(2026, 11, 28)], "date"),
    "time_millis": (logical("int", "time-millis"), [dt.time(0, 0), dt.time(23, 59, 59, 999000)], "time"),
    "time_micros": (logical("long", "time-micros"), [dt.time(0, 0, 0, 1), dt.time(23, 59, 59, 999999)], "time"),
    "timestamp_millis": (logical("long", "timestamp-millis"), [at(1969, 12, 31, 23, 59, 59, 999000), at(2026, 11, 28, 10, 20, 30, 456000)], "timestamptz"),
    "timestamp_micros": (logical("long", "timestamp-micros"), [at(1900, 1, 1, 0, 0, 0, 1), at(2262, 4, 11, 1, 2, 3, 123456)], "timestamptz"),
    "timestamp_nanos": (logical("long", "timestamp-nanos"), [-1001, 1_700_000_000_123_456_789], "timestamptz",
                        [at(1969, 12, 31, 23, 59, 59, 999998), at(2023, 11, 14, 22, 13, 20, 123456)]),
    "local_millis": (logical("long", "local-timestamp-millis"), [dt.datetime(1969, 1, 1), dt.datetime(2026, 11, 28, 10, 20, 30, 456000)], "timestamp"),
    "local_micros": (logical("long", "local-timestamp-micros"), [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)], "timestamp"),
    "decimal_bytes": (logical("bytes", "decimal", precision=9, scale=2), [Decimal("-1234567.89"), Decimal("0.01")], "decimal(9,2)"),
    "decimal_fixed": ({"type": "fixed", "name": "Dec16", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 10},
                      [Decimal("-1234567890123456789012345678.0123456789"), Decimal("0")], "decimal(38,10)"),
    "uuid": (logical("string", "uuid"), [uuid.UUID(int=1), uuid.UUID("c0ffee00-0000-4000-8000-000000000000")], "uuid"),
    "array": ({"type": "array", "items": "long"}, [[], [1, -2, 3]], "list<long>"),
    "array_of_optional": ({"type": "array", "items": ["null", "string"]}, [["a", None], [None]], "list<string>"),
    "array_of_record": ({"type": "array", "items": ITEM}, [[{"sku": "a", "qty": 1}, {"sku": "b", "qty": None}], []], "list<struct<sku string, qty int>>"),
    "map": ({"type": "map", "values": "int"}, [{}, {"a": 1, "ü": -1}], "map<string, int>"),
    "map_of_record": ({"type": "map", "values": ["null", "Item"]}, [{"x": {"sku": "s", "qty": 2}, "y": None}, {}], "map<string, struct<sku string, qty int>>"),
    "record": (record("Outer", inner=record("Inner", day=logical("int", "date"), price=["null", logical("bytes", "decimal", precision=5, scale=1)])),
               [{"inner": {"day": dt.date(2026, 1, 2), "price": Decimal("1.5")}}, {"inner": {"day": dt.date(1970, 1, 1), "price": None}}],
               "struct<inner struct<day date, price decimal(5,1)>>"),
    "union": (["int", "string", "Item"], [7, {"sku": "s", "qty": None}], "struct<tag int, int int, string string, Item struct<sku string, qty int>>",
              [{"tag": 0, "int": 7, "string": None, "Item": None}, {"tag": 2, "int": None, "string": None, "Item": {"sku": "s", "qty": None}}]),
    "union_with_null": (["null", "long", "string"], ["x", None], "struct<tag int, long long, string string>",
                        [{"tag": 1, "long": None, "string": "x"}, None]),
}
UNIONS = {"union", "union_with_null"}  # a union cannot stand in a union


def avro_everything():
    """A schema with a column of each type and an optional one beside it; three records; what they should become."""
    fields = {"id": "int"}
    written, expected = [{"id": i} for i in range(3)], [{"id": i} for i in range(3)]
    for name, (schema, values, _type, *other) in AVRO.items():
        become = other[0] if other else values
        fields[name] = schema
        if name not in UNIONS:
            fields[name + "_opt"] = ["null", schema]
        for i in range(3):
            written[i][name], expected[i][name] = values[i % 2], become[i % 2]
            if name not in UNIONS:
                written[i][name + "_opt"], expected[i][name + "_opt"] = (values[i], become[i]) if i < 2 else (None, None)
    return once(record("Everything", **fields), set()), written, expected


def once(schema, seen):
    """Named types are written out where they first stand, and named from then on."""
    if isinstance(schema, list):
        return [once(branch, seen) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if "name" in schema and "type" in schema and schema["type"] in ("record", "enum", "fixed"):
        if schema["name"] in seen:
            return schema["name"]
        seen.add(schema["name"])
    return {k: [{**f, "type": once(f["type"], seen)} for f in v] if k == "fields" else once(v, seen) if k in ("items", "values") else v for k, v in schema.items()}


def avro_types():
    types = {"id": "int"}
    for name, (_schema, _values, iceberg, *_) in AVRO.items():
        types[name] = iceberg
        if name not in UNIONS:
            types[name + "_opt"] = iceberg
    return types


@pytest.mark.parametrize("format", ["avro", "auto"])
def test_avro_types(lake, writer, topic, name, format):
    schema, written, expected = avro_everything()
    writer.produce(writer.avro(schema, written))
    lake.write(name, topics=[topic], format=format)
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == avro_types()
    required = {f["name"]: f["required"] for f in lake.fields(f"bronze.{name}")}
    assert required == {n: not n.endswith("_opt") and n != "union_with_null" for n in required}
    lake.check(f"bronze.{name}", expected)


def test_avro_nanoseconds_in_version_3(lake, writer, topic, name):
    schema = record("N", id="int", zoned=logical("long", "timestamp-nanos"), local=logical("long", "local-timestamp-nanos"))
    writer.produce(writer.avro(schema, [{"id": 1, "zoned": 1_700_000_000_123_456_789, "local": -1}]))
    lake.write(name, topics=[topic], format="avro", properties={"format-version": "3"})
    lake.drain(name)
    types = lake.types(f"bronze.{name}")
    assert types == {"id": "int", "zoned": "timestamptz", "local": "timestamp_ns"}
    row = lake.firn.sql(f"SELECT zoned::VARCHAR AS zoned, local::VARCHAR AS local FROM bronze.{name}")[0]
    assert row["zoned"].startswith("2023-11-14 22:13:20.123456")
    assert row["local"].startswith("1969-12-31 23:59:59.999999999")


@pytest.mark.parametrize("schema, value, type", [
    ("long", 5, "long"), ("string", "x", "string"), (logical("int", "date"), dt.date(2026, 1, 1), "date"),
    ({"type": "array", "items": "int"}, [1, 2], "list<int>"), ({"type": "map", "values": "int"}, {"a": 1}, "map<string, int>"),
    (["null", "long"], 7, "long"),
], ids=lambda v: json.dumps(v, default=str)[:20])
def test_avro_values_that_are_no_records(lake, writer, topic, name, schema, value, type):
    writer.produce(writer.avro(schema, [value]))
    lake.write(name, topics=[topic], format="avro")
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == {"value": type}
    lake.check(f"bronze.{name}", [{"value": value}])


def test_avro_union_of_records_and_references(lake, writer, topic, name):
    """Several event types in one topic: a union at the top whose branches are references to other subjects."""
    for event, fields in (("Created", {"id": "long"}), ("Paid", {"id": "long", "amount": "double"})):
        writer.client.register_schema(f"{name}.{event}", Schema(json.dumps({**record(event, **fields), "namespace": "shop"}), "AVRO"))
    union = Schema(json.dumps(["shop.Created", "shop.Paid"]), "AVRO", references=[SchemaReference(f"shop.{e}", f"{name}.{e}", 1) for e in ("Created", "Paid")])
    writer.produce(writer.avro(union, [("shop.Created", {"id": 1}), ("shop.Paid", {"id": 1, "amount": 2.5})]))
    lake.write(name, topics=[topic], format="avro")
    lake.drain(name)
    lake.check(f"bronze.{name}", [{"value": {"tag": 0, "Created": {"id": 1}, "Paid": None}}, {"value": {"tag": 1, "Created": None, "Paid": {"id": 1, "amount": 2.5}}}])


@pytest.mark.parametrize("schema, value, says", [
    (record("Tree", value="int", children={"type": "array", "items": "Tree"}), {"value": 1, "children": []}, "Tree contains itself"),
    (record("Big", n=logical("bytes", "decimal", precision=50, scale=2)), {"n": Decimal("1.00")}, "column n is decimal(50, 2)"),
], ids=["recursive", "decimal50"])
def test_avro_types_that_have_no_column(lake, writer, topic, name, schema, value, says):
    good = record("Fine", id="long")
    writer.produce(writer.avro(good, [{"id": 1}]) + writer.avro(schema, [value]))
    lake.write(name, topics=[topic], format="avro")
    lake.drain(name)
    lake.check(f"bronze.{name}", [{"id": 1}])
    letters = lake.firn.sql(f"SELECT error FROM bronze.{name}__dead_letters")
    assert len(letters) == 1 and says in letters[0]["error"], letters


def test_raw_avro(lake, writer, topic, name):
    schema, written, expected = avro_everything()
    parsed = fastavro.parse_schema(schema)

    def encode(value):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, value)
        return out.getvalue()

    writer.produce([encode(v) for v in written])
    lake.write(name, topics=[topic], format="avro_raw", schema=json.dumps(schema))
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == avro_types()
    lake.check(f"bronze.{name}", expected)


# ---- JSON -------------------------------------------------------------------------------------------------

def optional(schema):
    return {"oneOf": [{"type": "null"}, schema]}


# name: (JSON Schema, two values, Iceberg type[, what is expected])
JSON_TYPES = {
    "boolean": ({"type": "boolean"}, [True, False], "boolean"),
    "integer": ({"type": "integer"}, [-2**63, 2**63 - 1], "long"),
    "int32": ({"type": "integer", "connect.type": "int32"}, [-2**31, 2**31 - 1], "int"),
    "number": ({"type": "number"}, [0.1, -1e300], "double"),
    "float32": ({"type": "number", "connect.type": "float32"}, [1.5, -0.25], "float"),
    "string": ({"type": "string"}, ["", "größe 🧊 \" \\ \n"], "string"),
    "enum": ({"type": "string", "enum": ["a", "b"]}, ["a", "b"], "string"),
    "date": ({"type": "string", "format": "date"}, ["1969-12-31", "2026-11-28"], "date"),
    "time": ({"type": "string", "format": "time"}, ["00:00:00.000001", "23:59:59.999999"], "time"),
    "timestamp": ({"type": "string", "format": "date-time"}, ["1969-12-31T23:59:59.999999Z", "2026-11-28T12:00:00.5+02:00"], "timestamptz",
                  [at(1969, 12, 31, 23, 59, 59, 999999), at(2026, 11, 28, 10, 0, 0, 500000)]),
    "uuid": ({"type": "string", "format": "uuid"}, [str(uuid.UUID(int=1)), "c0ffee00-0000-4000-8000-000000000000"], "uuid"),
    "bytes": ({"type": "string", "contentEncoding": "base64"}, [base64.b64encode(b"\x00\xff").decode(), ""], "binary", [b"\x00\xff", b""]),
    "array": ({"type": "array", "items": {"type": "integer"}}, [[], [1, 2]], "list<long>"),
    "object": ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "object", "properties": {"c": {"type": "string"}}}}, "required": ["a"]},
               [{"a": 1, "b": {"c": "x"}}, {"a": 2}], "struct<a long, b struct<c string>>", [{"a": 1, "b": {"c": "x"}}, {"a": 2, "b": None}]),
    "map": ({"type": "object", "additionalProperties": {"type": "number"}}, [{}, {"x": 1.5}], "map<string, double>"),
    "anything": ({}, [{"a": [1, None]}, "text"], "string", ['{"a":[1,null]}', "text"]),
    "choice": ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, [5, "x"], "string", ["5", "x"]),
    "connect_decimal": ({"type": "number", "title": "org.apache.kafka.connect.data.Decimal", "connect.type": "bytes", "connect.version": 1,
                         "connect.parameters": {"scale": "2", "connect.decimal.precision": "9"}}, [1234.56, -0.01], "decimal(9,2)", [Decimal("1234.56"), Decimal("-0.01")]),
    "connect_date": ({"type": "integer", "title": "org.apache.kafka.connect.data.Date", "connect.type": "int32"}, [0, 20000], "date", [dt.date(1970, 1, 1), dt.date(2024, 10, 4)]),
    "connect_timestamp": ({"type": "integer", "title": "org.apache.kafka.connect.data.Timestamp", "connect.type": "int64"}, [0, 1_700_000_000_123], "timestamptz",
                          [at(1970, 1, 1), at(2023, 11, 14, 22, 13, 20, 123000)]),
}


def compact(value):
    """JSON that stands in a column as text is the text that was sent, blanks and all."""
    return json.dumps(value, separators=(",", ":"))


def json_everything():
    properties = {"id": {"type": "integer"}}
    written, expected = [{"id": i} for i in range(3)], [{"id": i} for i in range(3)]
    for name, (schema, values, _type, *other) in JSON_TYPES.items():
        become = other[0] if other else values
        properties[name], properties[name + "_opt"] = schema, optional(schema)
        for i in range(3):
            written[i][name], expected[i][name] = values[i % 2], become[i % 2]
            if i < 2:
                written[i][name + "_opt"], expected[i][name + "_opt"] = values[i], become[i]
            else:
                written[i][name + "_opt"] = None
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Everything", "type": "object", "properties": properties,
              "required": ["id", *JSON_TYPES]}
    types = {"id": "long"}
    for name, (_schema, _values, iceberg, *_) in JSON_TYPES.items():
        types[name] = types[name + "_opt"] = iceberg
    return schema, written, expected, types


def test_json_schema_types(lake, writer, topic, name):
    schema, written, expected, types = json_everything()
    writer.produce(writer.json(schema, written))
    lake.write(name, topics=[topic], format="json_schema")
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == types
    lake.check(f"bronze.{name}", expected)


def test_json_with_a_declared_json_schema(lake, writer, topic, name):
    schema, written, expected, types = json_everything()
    writer.produce([compact(v) for v in written])
    lake.write(name, topics=[topic], format="json", schema=json.dumps(schema))
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == types
    lake.check(f"bronze.{name}", expected)


def test_json_with_declared_columns(lake, writer, topic, name):
    columns = {
        "id": ("bigint not null", 7, "long"), "ok": ("boolean", True, "boolean"), "small": ("int", -5, "int"), "real": ("real", 1.5, "float"),
        "price": ("decimal(12, 3)", "123456789.123", "decimal(12,3)", Decimal("123456789.123")), "day": ("date", "2026-02-28", "date"),
        "at": ("timestamptz", "2026-02-28T10:00:00+01:00", "timestamptz", at(2026, 2, 28, 9)), "local": ("timestamp", "2026-02-28 10:00:00.25", "timestamp", dt.datetime(2026, 2, 28, 10, 0, 0, 250000)),
        "clock": ("time", "10:00", "time", dt.time(10)), "u": ("uuid", str(uuid.UUID(int=9)), "uuid"), "raw": ("binary", "AP8=", "binary", b"\x00\xff"),
        "tags": ("array<string>", ["a", None], "list<string>"), "m": ("map<string, double>", {"k": 1.5}, "map<string, double>"),
        "o": ("struct<a int, b struct<c text>>", {"a": 1, "b": {"c": "x"}}, "struct<a int, b struct<c string>>"), "js": ("json", {"x": 1}, "string", '{"x":1}'),
    }
    writer.produce([compact({**{n: c[1] for n, c in columns.items()}, "more": 1}), json.dumps({"id": 8})])
    lake.write(name, topics=[topic], format="json", schema=", ".join(f"{n} {c[0]}" for n, c in columns.items()))
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == {n: c[2] for n, c in columns.items()}
    lake.check(f"bronze.{name}", [{n: c[3] if len(c) > 3 else c[1] for n, c in columns.items()}, {"id": 8}])


def test_json_inferred(lake, writer, topic, name):
    documents = [
        {"id": 1, "ok": True, "amount": 5, "when": "2026-11-28T10:00:00Z", "day": "2026-11-28", "big": 2**70, "text": "x", "o": {"a": 1}, "l": [1, 2]},
        {"id": 2, "amount": 1.5, "text": 5, "o": {"b": "y"}, "l": [], "nothing": None},
    ]
    writer.produce([json.dumps(d) for d in documents])
    lake.write(name, topics=[topic], format="json")
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == {"id": "long", "ok": "boolean", "amount": "double", "when": "timestamptz", "day": "date", "big": "decimal(38,0)",
                                            "text": "string", "o": "struct<a long, b string>", "l": "list<long>"}
    lake.check(f"bronze.{name}", [
        {"id": 1, "ok": True, "amount": 5, "when": at(2026, 11, 28, 10), "day": dt.date(2026, 11, 28), "big": Decimal(2**70), "text": "x", "o": {"a": 1, "b": None}, "l": [1, 2]},
        {"id": 2, "amount": 1.5, "text": "5", "o": {"a": None, "b": "y"}, "l": []}])


# ---- Protobuf ---------------------------------------------------------------------------------------------

PROTO = """syntax = "proto3";
package everything;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
message All {
  int32 id = 1;
  bool b = 2; float f = 3; double d = 4;
  int32 i32 = 5; sint32 s32 = 6; sfixed32 sf32 = 7; uint32 u32 = 8; fixed32 f32 = 9;
  int64 i64 = 10; sint64 s64 = 11; sfixed64 sf64 = 12; uint64 u64 = 13; fixed64 f64 = 14;
  string s = 15; bytes raw = 16;
  enum Color { RED = 0; GREEN = 1; }
  Color color = 17;
  optional int32 opt = 18;
  message Inner { string sku = 1; optional int64 qty = 2; }
  Inner inner = 19;
  repeated int32 numbers = 20; repeated Inner inners = 21; repeated string texts = 22;
  map<string, int64> counts = 23; map<int32, Inner> by_number = 24;
  oneof choice { string text = 25; Inner thing = 26; }
  google.protobuf.Timestamp at = 27; google.protobuf.Duration took = 28;
  google.protobuf.StringValue wrapped = 29; google.protobuf.Int64Value wrapped_long = 30;
  google.protobuf.Struct anything = 31;
  google.type.Date day = 32; google.type.TimeOfDay clock = 33;
}
message Other { string name = 1; message Deep { int32 n = 1; } }
"""

PROTO_TYPES = {
    "id": "int", "b": "boolean", "f": "float", "d": "double", "i32": "int", "s32": "int", "sf32": "int", "u32": "long", "f32": "long", "i64": "long", "s64": "long",
    "sf64": "long", "u64": "decimal(20,0)", "f64": "decimal(20,0)", "s": "string", "raw": "binary", "color": "string", "opt": "int", "inner": "struct<sku string, qty long>",
    "numbers": "list<int>", "inners": "list<struct<sku string, qty long>>", "texts": "list<string>", "counts": "map<string, long>",
    "by_number": "map<string, struct<sku string, qty long>>", "text": "string", "thing": "struct<sku string, qty long>", "at": "timestamptz", "took": "string",
    "wrapped": "string", "wrapped_long": "long", "anything": "string", "day": "date", "clock": "time",
}


@pytest.fixture(scope="module")
def proto_module(tmp_path_factory):
    """Compiles .proto texts and gives their modules."""
    from grpc_tools import protoc

    folder = tmp_path_factory.mktemp("proto")
    include = str(importlib.resources.files("grpc_tools") / "_proto")
    import google.type.date_pb2 as date_pb2
    common = date_pb2.__file__.split("/google/type/")[0]
    sys.path.insert(0, str(folder))

    def compile(name, text):
        (folder / f"{name}.proto").write_text(text)
        assert protoc.main(["protoc", f"-I{folder}", f"-I{include}", f"-I{common}", f"--python_out={folder}", f"{name}.proto"]) == 0
        return importlib.import_module(f"{name}_pb2")

    yield compile
    sys.path.remove(str(folder))


def proto_everything(module):
    full = module.All(id=1, b=True, f=1.5, d=-0.1, i32=-2**31, s32=2**31 - 1, sf32=-7, u32=2**32 - 1, f32=2**32 - 1, i64=-2**63, s64=2**63 - 1, sf64=-1, u64=2**64 - 1,
                      f64=2**64 - 1, s="größe 🧊", raw=b"\x00\xff", color=1, opt=0, numbers=[1, -1], texts=["", "x"], counts={"a": 1}, text="chosen")
    full.inner.sku = "s"
    full.inner.qty = 0
    full.inners.add(sku="a", qty=5)
    full.inners.add(sku="b")
    full.by_number[-3].sku = "m"
    full.at.FromJsonString("1969-12-31T23:59:59.999999Z")
    full.took.FromJsonString("1.500s")
    full.wrapped.value = ""
    full.wrapped_long.value = 0
    full.anything.update({"k": True})
    full.day.year, full.day.month, full.day.day = 2026, 11, 28
    full.clock.hours, full.clock.nanos = 10, 1000
    expected = {
        "id": 1, "b": True, "f": 1.5, "d": -0.1, "i32": -2**31, "s32": 2**31 - 1, "sf32": -7, "u32": 2**32 - 1, "f32": 2**32 - 1, "i64": -2**63, "s64": 2**63 - 1,
        "sf64": -1, "u64": 2**64 - 1, "f64": 2**64 - 1, "s": "größe 🧊", "raw": b"\x00\xff", "color": "GREEN", "opt": 0, "inner": {"sku": "s", "qty": 0}, "numbers": [1, -1],
        "inners": [{"sku": "a", "qty": 5}, {"sku": "b", "qty": None}], "texts": ["", "x"], "counts": {"a": 1}, "by_number": {"-3": {"sku": "m", "qty": None}},
        "text": "chosen", "at": at(1969, 12, 31, 23, 59, 59, 999999), "took": "1.500s", "wrapped": "", "wrapped_long": 0, "anything": '{"k":true}', "day": dt.date(2026, 11, 28),
        "clock": dt.time(10, 0, 0, 1),
    }
    empty = {"id": 2, "b": False, "f": 0.0, "d": 0.0, **{n: 0 for n in ("i32", "s32", "sf32", "u32", "f32", "i64", "s64", "sf64", "u64", "f64")}, "s": "", "raw": b"",
             "color": "RED", "numbers": [], "inners": [], "texts": [], "counts": {}, "by_number": {}}
    return [full, module.All(id=2)], [expected, empty]


@pytest.mark.parametrize("format", ["protobuf", "auto"])
def test_protobuf_types(lake, writer, topic, name, proto_module, format):
    messages, expected = proto_everything(proto_module("everything", PROTO))
    writer.produce(writer.protobuf(messages))
    lake.write(name, topics=[topic], format=format)
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == PROTO_TYPES
    lake.check(f"bronze.{name}", expected)


def test_protobuf_message_indexes(lake, writer, topic, name, proto_module):
    module = proto_module("everything", PROTO)
    writer.produce(writer.protobuf([module.Other.Deep(n=5)]) + writer.protobuf([module.All.Inner(sku="x", qty=1)]))
    lake.write(name, topics=[topic], format="protobuf")
    lake.drain(name)
    lake.check(f"bronze.{name}", [{"n": 5}, {"sku": "x", "qty": 1}], order_by="n")


def test_protobuf_message_indexes_behind_a_map(lake, writer, topic, name, proto_module):
    """Python counts the entry type that a map field stands for, and registers a descriptor instead of text."""
    module = proto_module("behind_a_map", 'syntax = "proto3"; message A { map<string, int32> m = 1; message In { int32 n = 1; } message Two { string s = 1; } }')
    writer.produce(writer.protobuf([module.A.In(n=5)]))
    lake.write(name, topics=[topic], format="protobuf")
    lake.drain(name)
    lake.check(f"bronze.{name}", [{"n": 5}], order_by="n")


def test_protobuf_references(lake, writer, topic, name, proto_module):
    proto_module("money", 'syntax = "proto3"; package shop; message Money { int64 units = 1; string currency = 2; }')
    module = proto_module("order", 'syntax = "proto3"; package shop; import "money.proto"; message Order { int32 id = 1; Money price = 2; }')
    writer.produce(writer.protobuf([module.Order(id=1, price={"units": 5, "currency": "EUR"})]))
    lake.write(name, topics=[topic], format="protobuf")
    lake.drain(name)
    lake.check(f"bronze.{name}", [{"id": 1, "price": {"units": 5, "currency": "EUR"}}])


def test_raw_protobuf(lake, writer, topic, name, proto_module):
    messages, expected = proto_everything(proto_module("everything", PROTO))
    writer.produce([m.SerializeToString() for m in messages])
    lake.write(name, topics=[topic], format="protobuf_raw", schema=PROTO, message="everything.All")
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == PROTO_TYPES
    lake.check(f"bronze.{name}", expected)


# ---- string, bytes ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("format, type, values", [("string", "string", ["", "größe 🧊", "{}"]), ("bytes", "binary", [b"", b"\x00\xff"])])
def test_plain_values(lake, writer, topic, name, format, type, values):
    writer.produce(values)
    lake.write(name, topics=[topic], format=format)
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == {"value": type}
    lake.check(f"bronze.{name}", [{"value": v} for v in values], order_by="value")


# ---- keys and where records stood -------------------------------------------------------------------------

KEYS = {
    "string": ("string", ["a", None], "string", lambda w, v: v),
    "bytes": ("bytes", [b"\x00\x01", None], "binary", lambda w, v: v),
    "avro_long": ("avro", [7, None], "long", lambda w, v: w.avro("long", v, key=True)),
    "avro_record": ("avro", [{"a": 1, "b": "x"}, None], "struct<a int, b string>", lambda w, v: w.avro(record("Key", a="int", b="string"), v, key=True)),
    "json_schema": ("json_schema", [{"a": 1}, None], "struct<a long>", lambda w, v: w.json({"title": "K", "type": "object", "properties": {"a": {"type": "integer"}}}, v, key=True)),
    "json": ("json", [{"a": 1}, None], "struct<a long>", lambda w, v: [v[0] and json.dumps(v[0]), None]),
    "auto_text": ("auto", ["plain", None], "string", lambda w, v: v),
    "auto_avro": ("auto", [7, None], "long", lambda w, v: w.avro("long", v, key=True)),
}


@pytest.mark.parametrize("case", KEYS)
def test_keys(lake, writer, topic, name, case):
    key_format, keys, type, encode = KEYS[case]
    writer.produce(writer.avro(record("V", id="int"), [{"id": 0}, {"id": 1}]), keys=encode(writer, keys))
    lake.write(name, topics=[topic], format="avro", key_format=key_format, columns={"key": "k"})
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == {"id": "int", "k": type}
    lake.check(f"bronze.{name}", [{"id": i, "k": k} for i, k in enumerate(keys)])


def test_where_records_stood(lake, writer, topic, name):
    headers = [("trace", b"\x00\xff"), ("empty", b""), ("null", None), ("twice", b"1"), ("twice", b"2")]
    writer.produce(["a"], headers=headers, timestamp=1_700_000_000_123)
    writer.produce(["b"], timestamp=1)
    lake.write(name, topics=[topic], format="string", columns={"kafka": "stood"})
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == {"value": "string", "stood": "struct<topic string, partition int, offset long, timestamp timestamptz, headers map<string, binary>>"}
    lake.check(f"bronze.{name}", [
        {"value": "a", "stood": {"topic": topic, "partition": 0, "offset": 0, "timestamp": at(2023, 11, 14, 22, 13, 20, 123000),
                                 "headers": {"trace": b"\x00\xff", "empty": b"", "null": None, "twice": b"2"}}},
        {"value": "b", "stood": {"topic": topic, "partition": 0, "offset": 1, "timestamp": at(1970, 1, 1, 0, 0, 0, 1000), "headers": None}}], order_by="value")


# ---- evolution --------------------------------------------------------------------------------------------

def both(before, after):
    return [record("E", id="int", **before), record("E", id="int", **after)]


ENUM = {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}
DEC9, DEC18 = logical("bytes", "decimal", precision=9, scale=2), logical("bytes", "decimal", precision=18, scale=2)
RELAXED = {"default": None}

# name: (schemas before and after, record before and after (without id), types after, rows after (None: as written))
AVRO_STEPS = {
    "add": (both({}, {"new": ["null", "string"]}), [{}, {"new": "x"}], {"new": "string"}, None),
    "add_required": (both({}, {"new": "long"}), [{}, {"new": 5}], {"new": "long"}, None),
    "add_in_the_middle": ([record("E", id="int", z="int"), record("E", id="int", m="int", z="int")], [{"z": 1}, {"m": 2, "z": 3}], {"z": "int", "m": "int"}, None),
    "remove": (both({"a": "int", "b": "string"}, {"a": "int"}), [{"a": 1, "b": "x"}, {"a": 2}], {"a": "int", "b": "string"}, None),
    "relax": (both({"a": "int"}, {"a": ["null", "int"]}), [{"a": 1}, {"a": None}], {"a": "int"}, None),
    "tighten": (both({"a": ["null", "int"]}, {"a": "int"}), [{"a": None}, {"a": 1}], {"a": "int"}, None),
    "int_to_long": (both({"a": "int"}, {"a": "long"}), [{"a": 1}, {"a": 2**40}], {"a": "long"}, None),
    "long_to_int": (both({"a": "long"}, {"a": "int"}), [{"a": 2**40}, {"a": 1}], {"a": "long"}, None),
    "float_to_double": (both({"a": "float"}, {"a": "double"}), [{"a": 1.5}, {"a": 0.1}], {"a": "double"}, None),
    "decimal": (both({"a": DEC9}, {"a": DEC18}), [{"a": Decimal("1.25")}, {"a": Decimal("1234567890123456.78")}], {"a": "decimal(18,2)"}, None),
    "reorder": ([record("E", id="int", a="int", b="string"), record("E", b="string", a="int", id="int")], [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], {"a": "int", "b": "string"}, None),
    "enum_symbol": (both({"a": ENUM}, {"a": {**ENUM, "symbols": ["A", "B", "C"]}}), [{"a": "A"}, {"a": "C"}], {"a": "string"}, None),
    "enum_to_string": (both({"a": ENUM}, {"a": "string"}), [{"a": "A"}, {"a": "free"}], {"a": "string"}, None),
    "nested_add": (both({"o": record("O", a="int")}, {"o": record("O", a="int", b=["null", "string"])}), [{"o": {"a": 1}}, {"o": {"a": 2, "b": "x"}}], {"o": "struct<a int, b string>"},
                   [{"o": {"a": 1, "b": None}}, {"o": {"a": 2, "b": "x"}}]),
    "nested_widen": (both({"o": record("O", a="int")}, {"o": record("O", a="long")}), [{"o": {"a": 1}}, {"o": {"a": 2**40}}], {"o": "struct<a long>"}, None),
    "nested_relax": (both({"o": record("O", a="int")}, {"o": record("O", a=["null", "int"])}), [{"o": {"a": 1}}, {"o": {"a": None}}], {"o": "struct<a int>"}, None),
    "element_add": (both({"l": {"type": "array", "items": record("O", a="int")}}, {"l": {"type": "array", "items": record("O", a="int", b=["null", "int"])}}),
                    [{"l": [{"a": 1}]}, {"l": [{"a": 2, "b": 3}]}], {"l": "list<struct<a int, b int>>"}, [{"l": [{"a": 1, "b": None}]}, {"l": [{"a": 2, "b": 3}]}]),
    "element_widen": (both({"l": {"type": "array", "items": "int"}}, {"l": {"type": "array", "items": "long"}}), [{"l": [1]}, {"l": [2**40]}], {"l": "list<long>"}, None),
    "map_value_add": (both({"m": {"type": "map", "values": record("O", a="int")}}, {"m": {"type": "map", "values": record("O", a="int", b=["null", "int"])}}),
                      [{"m": {"k": {"a": 1}}}, {"m": {"k": {"a": 2, "b": 3}}}], {"m": "map<string, struct<a int, b int>>"}, [{"m": {"k": {"a": 1, "b": None}}}, {"m": {"k": {"a": 2, "b": 3}}}]),
    "union_branch": (both({"u": ["int", "string"]}, {"u": ["int", "string", "double"]}), [{"u": 1}, {"u": 1.5}], {"u": "struct<tag int, int int, string string, double double>"},
                     [{"u": {"tag": 0, "int": 1, "string": None, "double": None}}, {"u": {"tag": 2, "int": None, "string": None, "double": 1.5}}]),
    "millis_to_micros": (both({"a": logical("long", "timestamp-millis")}, {"a": logical("long", "timestamp-micros")}), [{"a": at(2026, 1, 1)}, {"a": at(2026, 1, 1, 0, 0, 0, 1)}], {"a": "timestamptz"}, None),
}


def evolve(lake, writer, name, topic, format, first, second):
    """Two batches with a drain after each; a third of the first kind, so that both kinds meet the new table."""
    lake.write(name, topics=[topic], format=format)
    writer.produce(first)
    lake.drain(name)
    writer.produce(second + first)
    lake.drain(name)


@pytest.mark.parametrize("step", AVRO_STEPS)
def test_avro_evolution(lake, writer, topic, name, step):
    (before, after), written, types, become = AVRO_STEPS[step]
    become = become or written
    evolve(lake, writer, name, topic, "avro", writer.avro(before, [{"id": 1, **written[0]}]), writer.avro(after, [{"id": 2, **written[1]}]))
    assert lake.types(f"bronze.{name}") == {"id": "int", **types}
    lake.check(f"bronze.{name}", [{"id": 1, **become[0]}, {"id": 1, **become[0]}, {"id": 2, **become[1]}])


UNSAFE = {
    "long_to_string": (both({"a": "long"}, {"a": "string"}), [{"a": 1}, {"a": "x"}]),
    "string_to_long": (both({"a": "string"}, {"a": "long"}), [{"a": "x"}, {"a": 1}]),
    "long_to_double": (both({"a": "long"}, {"a": "double"}), [{"a": 1}, {"a": 1.5}]),
    "decimal_scale": (both({"a": DEC9}, {"a": logical("bytes", "decimal", precision=9, scale=3)}), [{"a": Decimal("1.25")}, {"a": Decimal("1.125")}]),
    "date_to_timestamp": (both({"a": logical("int", "date")}, {"a": logical("long", "timestamp-micros")}), [{"a": dt.date(2026, 1, 1)}, {"a": at(2026, 1, 1)}]),
    "scalar_to_record": (both({"a": "int"}, {"a": record("O", b="int")}), [{"a": 1}, {"a": {"b": 1}}]),
    "record_to_list": (both({"a": record("O", b="int")}, {"a": {"type": "array", "items": "int"}}), [{"a": {"b": 1}}, {"a": [1]}]),
}


@pytest.mark.parametrize("step", UNSAFE)
def test_unsafe_evolution_stops_the_feed(lake, writer, topic, name, step):
    (before, after), written = UNSAFE[step]
    with pytest.raises(FeedStopped) as stopped:
        evolve(lake, writer, name, topic, "avro", writer.avro(before, [{"id": 1, **written[0]}]), writer.avro(after, [{"id": 2, **written[1]}]))
    assert "a" in str(stopped.value)
    lake.check(f"bronze.{name}", [{"id": 1, **written[0]}])


@pytest.mark.parametrize("step", UNSAFE)
def test_unsafe_evolution_to_the_dead_letters(lake, writer, topic, name, step):
    (before, after), written = UNSAFE[step]
    lake.write(name, topics=[topic], format="avro", evolve={"on_unsafe": "dead_letters"})
    good = writer.avro(before, [{"id": 1, **written[0]}])
    writer.produce(good)
    lake.drain(name)
    bad = writer.avro(after, [{"id": 2, **written[1]}])
    writer.produce(bad + good)
    lake.drain(name)
    lake.check(f"bronze.{name}", [{"id": 1, **written[0]}] * 2)
    letters = lake.firn.sql(f"SELECT hex(value) AS value, error FROM bronze.{name}__dead_letters")
    assert [bytes.fromhex(x["value"]) for x in letters] == bad and letters[0]["error"]


def jschema(**properties):
    return {"title": "E", "type": "object", "properties": {"id": {"type": "integer"}, **properties}, "required": ["id"]}


JSON_STEPS = {
    "add": (jschema(), jschema(new={"type": "string"}), [{}, {"new": "x"}], {"new": "string"}, None),
    "remove": (jschema(a={"type": "integer"}), jschema(), [{"a": 1}, {}], {"a": "long"}, None),
    "int_to_long": (jschema(a={"type": "integer", "connect.type": "int32"}), jschema(a={"type": "integer"}), [{"a": 1}, {"a": 2**40}], {"a": "long"}, None),
    "float_to_double": (jschema(a={"type": "number", "connect.type": "float32"}), jschema(a={"type": "number"}), [{"a": 1.5}, {"a": 0.1}], {"a": "double"}, None),
    "nested_add": (jschema(o={"type": "object", "properties": {"a": {"type": "integer"}}}), jschema(o={"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}}),
                   [{"o": {"a": 1}}, {"o": {"a": 2, "b": True}}], {"o": "struct<a long, b boolean>"}, [{"o": {"a": 1, "b": None}}, {"o": {"a": 2, "b": True}}]),
    "required_gone": ({**jschema(a={"type": "integer"}), "required": ["id", "a"]}, jschema(a={"type": "integer"}), [{"a": 1}, {}], {"a": "long"}, None),
}


@pytest.mark.parametrize("step", JSON_STEPS)
def test_json_schema_evolution(lake, writer, topic, name, step):
    before, after, written, types, become = JSON_STEPS[step]
    become = become or written
    evolve(lake, writer, name, topic, "json_schema", writer.json(before, [{"id": 1, **written[0]}]), writer.json(after, [{"id": 2, **written[1]}]))
    assert lake.types(f"bronze.{name}") == {"id": "long", **types}
    lake.check(f"bronze.{name}", [{"id": 1, **become[0]}, {"id": 1, **become[0]}, {"id": 2, **become[1]}])


PROTO_STEPS = {
    "add": ("", "string new = 2;", [{}, {"new": "x"}], {"new": "string"}, None),
    "add_optional": ("", "optional int32 new = 2;", [{}, {"new": 0}], {"new": "int"}, None),
    "remove": ("string a = 2;", "", [{"a": "x"}, {}], {"a": "string"}, None),
    "int_to_long": ("int32 a = 2;", "int64 a = 2;", [{"a": 1}, {"a": 2**40}], {"a": "long"}, None),
    "float_to_double": ("float a = 2;", "double a = 2;", [{"a": 1.5}, {"a": 0.1}], {"a": "double"}, None),
    "relax": ("int32 a = 2;", "optional int32 a = 2;", [{"a": 1}, {}], {"a": "int"}, None),
    "nested_add": ("message O { int32 a = 1; } O o = 2;", "message O { int32 a = 1; string b = 2; } O o = 2;", [{"o": {"a": 1}}, {"o": {"a": 2, "b": "x"}}], {"o": "struct<a int, b string>"},
                   [{"o": {"a": 1, "b": None}}, {"o": {"a": 2, "b": "x"}}]),
    "into_oneof": ("string a = 2;", "oneof c { string a = 2; int32 b = 3; }", [{"a": "x"}, {"b": 1}], {"a": "string", "b": "int"}, None),
    "repeated_add": ("", "repeated int32 l = 2;", [{}, {"l": [1, 2]}], {"l": "list<int>"}, None),
}


@pytest.mark.parametrize("step", PROTO_STEPS)
def test_protobuf_evolution(lake, writer, topic, name, proto_module, step):
    before, after, written, types, become = PROTO_STEPS[step]
    become = become or written

    def message(version, fields):
        # A package of its own each: two versions of a message live in one process here.
        text = f'syntax = "proto3"; package {step}.v{version}; message E {{ int32 id = 1; {fields} }}'
        return proto_module(f"{step}_v{version}", text).E

    first = writer.protobuf([message(1, before)(id=1, **written[0])])
    second = writer.protobuf([message(2, after)(id=2, **written[1])])
    evolve(lake, writer, name, topic, "protobuf", first, second)
    assert lake.types(f"bronze.{name}") == {"id": "int", **types}
    lake.check(f"bronze.{name}", [{"id": 1, **become[0]}, {"id": 1, **become[0]}, {"id": 2, **become[1]}])


JSON_INFERRED_STEPS = {
    "add": ([{"a": 1}, {"a": 2, "b": "x"}], {"a": "long", "b": "string"}, None),
    "remove": ([{"a": 1, "b": 2}, {"a": 3}], {"a": "long", "b": "long"}, None),
    "nested_add": ([{"o": {"a": 1}}, {"o": {"b": True}}], {"o": "struct<a long, b boolean>"}, [{"o": {"a": 1, "b": None}}, {"o": {"a": None, "b": True}}]),
    "element_add": ([{"l": [{"a": 1}]}, {"l": [{"b": 2}]}], {"l": "list<struct<a long, b long>>"}, [{"l": [{"a": 1, "b": None}]}, {"l": [{"a": None, "b": 2}]}]),
    "whole_after_real": ([{"a": 1.5}, {"a": 2}], {"a": "double"}, None),
    "number_in_text": ([{"a": "x"}, {"a": 2}], {"a": "string"}, [{"a": "x"}, {"a": "2"}]),
    "date_in_text": ([{"a": "x"}, {"a": "2026-11-28"}], {"a": "string"}, None),
    "null_first": ([{"a": None, "b": []}, {"a": 1.5, "b": [1]}], {"a": "double", "b": "list<long>"}, [{}, {"a": 1.5, "b": [1]}]),
}


@pytest.mark.parametrize("step", JSON_INFERRED_STEPS)
def test_inferred_json_evolution(lake, writer, topic, name, step):
    written, types, become = JSON_INFERRED_STEPS[step]
    become = become or written
    evolve(lake, writer, name, topic, "json", [json.dumps({"id": 1, **written[0]})], [json.dumps({"id": 2, **written[1]})])
    assert lake.types(f"bronze.{name}") == {"id": "long", **types}
    third = {**become[0], "b": []} if step == "null_first" else become[0]  # an empty list, once lists are known
    lake.check(f"bronze.{name}", [{"id": 1, **become[0]}, {"id": 1, **third}, {"id": 2, **become[1]}])


@pytest.mark.parametrize("first, misfit", [({"a": 1}, {"a": "x"}), ({"a": 1}, {"a": 1.5}), ({"o": {"a": 1}}, {"o": 5}), ({"l": [1]}, {"l": {"a": 1}}), ({"a": True}, {"a": 1})],
                         ids=["text", "real", "scalar", "object", "number"])
def test_inferred_json_that_does_not_fit_is_a_dead_letter(lake, writer, topic, name, first, misfit):
    """One odd document does not change the columns: neither in the run that made them nor in the next."""
    lake.write(name, topics=[topic], format="json")
    first, misfit = json.dumps({"id": 1, **first}), json.dumps({"id": 2, **misfit})
    writer.produce([first])
    lake.drain(name)
    before = lake.types(f"bronze.{name}")
    writer.produce([misfit, first, misfit])
    lake.drain(name)
    assert lake.types(f"bronze.{name}") == before
    assert len(lake.rows(f"bronze.{name}")) == 2
    letters = lake.firn.sql(f"SELECT hex(value) AS value, error FROM bronze.{name}__dead_letters")
    assert [bytes.fromhex(x["value"]).decode() for x in letters] == [misfit] * 2, letters


def test_what_is_wrong_with_a_record_is_said(lake, writer, topic, name):
    good = writer.avro(record("V", id="long"), [{"id": 1}])[0]
    other = writer.client.register_schema(f"{name}-other", Schema('{"type": "object", "properties": {"a": {"type": "integer"}}}', "JSON"))
    bad = {
        "the payload is empty": b"",
        "begins with byte 0x7B ('{')": b'{"id": 1}',
        "cut off within the schema's id": good[:4],
        "no schema with id 987654": b"\0" + (987654).to_bytes(4, "big") + b"\x02",
        "is JSON Schema, but the feed's format says avro": b"\0" + other.to_bytes(4, "big") + b"{}",
        "malformed or cut off": good[:5] + b"\xff",
        "bytes are left after the last record": good + b"\0",
    }
    writer.produce([good, *bad.values(), good])
    lake.write(name, topics=[topic], format="avro")
    lake.drain(name)
    lake.check(f"bronze.{name}", [{"id": 1}, {"id": 1}])
    letters = lake.firn.sql(f"SELECT hex(value) AS value, error FROM bronze.{name}__dead_letters")
    assert len(letters) == len(bad)
    for says, value in bad.items():
        found = [x["error"] for x in letters if bytes.fromhex(x["value"]) == value]
        assert len(found) == 1 and says in found[0], (says, found)
