"""Makes cases.json: Protobuf messages as Google's encoder writes them, and the row that each must become.

    python3 -m venv venv && venv/bin/pip install protobuf==7.36.2 grpcio-tools==1.85.1
    venv/bin/python tests/golden/proto/generate.py

Bytes are hex. In rows decimals are texts, timestamps microseconds, bytes hex, maps objects, infinities and NaN texts; a column of JSON
text is {"$json": ...}.
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILT = tempfile.TemporaryDirectory()
subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE}", f"--python_out={BUILT.name}",
                "types.proto", "old.proto"], check=True, cwd=HERE)
sys.path.insert(0, BUILT.name)

import old_pb2 as old  # noqa: E402
import types_pb2 as t  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from google.protobuf.descriptor import FieldDescriptor as F  # noqa: E402

JSON_TEXT = {"google.protobuf." + n for n in ("Struct", "Value", "ListValue", "Any", "FieldMask")}


def real(x):
    if math.isnan(x):
        return "NaN"
    return ("Infinity" if x > 0 else "-Infinity") if math.isinf(x) else x


def one(field, value, open_types):
    """One value as its column holds it."""
    if field.type in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
        return real(value)
    if field.type in (F.TYPE_UINT64, F.TYPE_FIXED64):
        return str(value)
    if field.type == F.TYPE_BYTES:
        return value.hex()
    if field.type == F.TYPE_ENUM:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named else str(value)
    if field.type != F.TYPE_MESSAGE:
        return value
    name = field.message_type.full_name
    if name == "google.protobuf.Timestamp":
        return value.ToMicroseconds()
    if name == "google.protobuf.Duration":
        return json_format.MessageToDict(value)
    if name in JSON_TEXT or name in open_types:
        return {"$json": json_format.MessageToDict(value)}
    if name.endswith("Value") and name.startswith("google.protobuf."):
        return one(field.message_type.fields[0], value.value, open_types)
    if not field.message_type.fields:
        return True
    return row(value, open_types)


def row(message, open_types=()):
    open_types = (*open_types, message.DESCRIPTOR.full_name)
    out = {}
    for f in message.DESCRIPTOR.fields:
        if f.type == F.TYPE_GROUP:
            continue
        value = getattr(message, f.name)
        if f.message_type and f.message_type.GetOptions().map_entry:
            key, held = f.message_type.fields
            name = {True: "true", False: "false"} if key.type == F.TYPE_BOOL else {}
            out[f.name] = {str(name.get(k, k)): one(held, v, open_types) for k, v in value.items()}
        elif f.is_repeated:
            out[f.name] = [one(f, v, open_types) for v in value]
        elif f.has_presence and not message.HasField(f.name) and not f.has_default_value:
            out[f.name] = None
        else:
            out[f.name] = one(f, value, open_types)
    return out


CASES = []


def case(name, message, data=None):
    """`data` is what the message must also come out of, when it is not as the encoder would write it."""
    if data is None:
        data = message.SerializeToString(deterministic=True)
    else:
        parsed = type(message)()
        parsed.ParseFromString(data)
        message = parsed
    CASES.append({
        "name": name,
        "file": message.DESCRIPTOR.file.name,
        "message": message.DESCRIPTOR.full_name,
        "hex": data.hex(),
        "row": row(message),
    })


def scalars():
    case("scalars, absent", t.Scalars())
    case("scalars", t.Scalars(
        f_double=1.25, f_float=-0.5, f_int32=42, f_int64=1 << 40, f_uint32=4000000000, f_uint64=1 << 63,
        f_sint32=-1, f_sint64=-(1 << 62), f_fixed32=4294967295, f_fixed64=18446744073709551615,
        f_sfixed32=-7, f_sfixed64=-(1 << 63), f_bool=True, f_string="Zürich ☃", f_bytes=b"\0\xff\x80", f_enum=t.GREEN))
    case("scalars, least", t.Scalars(
        f_double=-math.inf, f_float=math.inf, f_int32=-(1 << 31), f_int64=-(1 << 63), f_sint32=-(1 << 31),
        f_sint64=-(1 << 63), f_sfixed32=-(1 << 31), f_sfixed64=-(1 << 63), f_enum=t.MINUS))
    case("scalars, greatest", t.Scalars(
        f_double=1.7976931348623157e308, f_float=3.4028234663852886e38, f_int32=(1 << 31) - 1, f_int64=(1 << 63) - 1,
        f_uint32=(1 << 32) - 1, f_uint64=(1 << 64) - 1, f_sint32=(1 << 31) - 1, f_sint64=(1 << 63) - 1,
        f_fixed32=(1 << 32) - 1, f_fixed64=(1 << 64) - 1, f_sfixed32=(1 << 31) - 1, f_sfixed64=(1 << 63) - 1,
        f_enum=t.FAR))
    case("scalars, enum without a name", t.Scalars(f_double=math.nan, f_enum=12345))
    case("optionals, absent", t.Optionals())
    case("optionals, set to what is nothing", t.Optionals(
        f_double=0, f_int32=0, f_uint64=0, f_bool=False, f_string="", f_bytes=b"", f_enum=t.COLOR_UNKNOWN))
    a = t.Scalars(f_int32=1, f_string="one", f_bool=True).SerializeToString()
    b = t.Scalars(f_int32=2, f_string="two").SerializeToString()
    case("scalars, repeated: the last counts", t.Scalars(), b + a + b)


def lists():
    case("repeated, absent", t.Repeated())
    full = t.Repeated(
        f_double=[1, math.inf, -2.5], f_float=[0.5, 1.5], f_int32=[-1, 0, 300, -(1 << 31)], f_int64=[1 << 50, -1],
        f_uint32=[1, (1 << 32) - 1], f_uint64=[0, (1 << 64) - 1], f_sint32=[-1, 1, -64], f_sint64=[-1, 1 << 60],
        f_fixed32=[1, 2, 3], f_fixed64=[9], f_sfixed32=[-1, 5], f_sfixed64=[-5], f_bool=[True, False, True],
        f_string=["a", "", "ß"], f_bytes=[b"", b"\1"], f_enum=[t.RED, t.MINUS, 55],
        f_item=[t.Item(sku="x", count=1), t.Item(), t.Item(count=-3)], unpacked=[1, 2, 3])
    full.at.add().FromMicroseconds(1)
    full.at.add()
    case("repeated", full)
    case("repeated, twice one after the other", t.Repeated(), full.SerializeToString() * 2)
    mixed = b"".join(t.Repeated(f_int32=[i], f_string=[str(i)], unpacked=[i, -i],
                                f_item=[t.Item(count=i)]).SerializeToString() for i in range(20))
    case("repeated, scattered", t.Repeated(), mixed)
    case("repeated, packed where it is not, and the other way", t.Repeated(),
         bytes.fromhex("18051806") + bytes.fromhex("92010301027f") + bytes.fromhex("90017f") + bytes.fromhex("1a0107"))


def maps():
    case("maps, absent", t.Maps())
    full = t.Maps(by_string={"a": 1, "": 2, "ü": -3}, by_int32={-1: "minus", 0: "", 7: "seven"},
                  by_sint64={-9: t.Item(sku="n"), 9: t.Item()}, by_uint64={(1 << 64) - 1: t.RED, 0: t.COLOR_UNKNOWN},
                  by_bool={True: b"\1", False: b""}, by_fixed32={4294967295: 0.5})
    full.at["then"].FromMicroseconds(-1)
    case("maps", full)
    case("maps, many keys", t.Maps(by_string={f"key {i}": i for i in range(100)}))
    again = t.Maps(by_string={f"key {i}": -i for i in range(0, 100, 3)}).SerializeToString()
    case("maps, keys again: the last counts", t.Maps(),
         t.Maps(by_string={f"key {i}": i for i in range(100)}).SerializeToString() + again)
    case("maps, few keys again", t.Maps(), bytes.fromhex("0a050a01611001" "0a050a01621002" "0a050a01611003"))
    case("maps, entries without key or value", t.Maps(), bytes.fromhex("0a00" "0a030a0161" "1200" "1a00"))
    case("maps, value before key, key twice", t.Maps(), bytes.fromhex("0a0810050a01610a0162"))


def messages():
    case("nested, absent", t.Nested())
    core = t.Nested.Inner.Core(id=5, tags=["a", "b"])
    inner = t.Nested.Inner(core=core, name="inner", rank=0)
    case("nested", t.Nested(left=inner, right=t.Nested.Inner(), all=[inner, t.Nested.Inner(name="bare")], far=9))
    one_ = t.Nested(left=t.Nested.Inner(core=t.Nested.Inner.Core(id=1, tags=["x"]), name="first"))
    two = t.Nested(left=t.Nested.Inner(core=t.Nested.Inner.Core(tags=["y"]), rank=4), far=1)
    case("nested, merged", t.Nested(), one_.SerializeToString() + two.SerializeToString())
    case("unknown fields and groups are passed over", t.Nested(),
         bytes.fromhex("c03e01" "e33e0801e43e") + one_.SerializeToString()
         + bytes.fromhex("ca3e03616263" "cd3e01020304" "c93e0102030405060708"))
    for name, value in (("text", t.OneOf(before=1, text="", after=2)), ("number", t.OneOf(number=0)),
                        ("item", t.OneOf(item=t.Item(sku="s"))), ("nothing", t.OneOf(before=4)), ("empty", t.OneOf())):
        if name == "empty":
            value.nothing.SetInParent()
        case(f"oneof, {name}", value)
    text = t.OneOf(text="t").SerializeToString()
    item_a = t.OneOf(item=t.Item(sku="a")).SerializeToString()
    item_b = t.OneOf(item=t.Item(count=2)).SerializeToString()
    case("oneof, the last member counts", t.OneOf(), text + t.OneOf(number=3).SerializeToString())
    case("oneof, a member again merges", t.OneOf(), item_a + item_b)
    case("oneof, a member after another starts anew", t.OneOf(), item_a + text + item_b)


def well_known():
    case("well known, absent", t.WellKnown())
    full = t.WellKnown(w_double={"value": 1.5}, w_float={"value": 0}, w_int64={"value": -1},
                       w_uint64={"value": (1 << 64) - 1}, w_int32={"value": -5}, w_uint32={"value": (1 << 32) - 1},
                       w_bool={"value": True}, w_string={"value": "w"}, w_bytes={"value": b"\2"})
    full.at.FromJsonString("2026-11-28T12:34:56.789012345Z")
    full.took.FromJsonString("-1.500s")
    full.object.update({"a": 1, "b": [True, None, "x\n\"\\\u0001"], "c": {"d": 0.1}, "e": {}, "f": []})
    full.value.string_value = "text"
    full.list.extend([1.5, "two", None, [3]])
    full.any.Pack(t.Item(sku="packed", count=3))
    full.mask.FromJsonString("fooBar,baz.quxQuux")
    full.empty.SetInParent()
    case("well known", full)
    bare = t.WellKnown(w_double={}, w_float={}, w_int64={}, w_uint64={}, w_int32={}, w_uint32={}, w_bool={},
                       w_string={}, w_bytes={}, at={}, took={}, object={}, list={}, mask={})
    bare.value.null_value = 0
    bare.any.Pack(full.at)
    case("well known, empty", bare)
    for text in ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"):
        m = t.WellKnown()
        m.at.FromJsonString(text)
        m.any.Pack(m.at)
        case(f"timestamp {text}", m)
    for text in ("0s", "0.000001s", "-0.000000001s", "315576000000s"):
        m = t.WellKnown()
        m.took.FromJsonString(text)
        case(f"duration {text}", m)
    m = t.WellKnown()
    m.any.Pack(t.Scalars(f_double=0.1, f_float=0.1, f_int64=-5, f_uint64=7, f_bytes=b"abcd", f_enum=t.FAR))
    case("any of scalars", m)
    m.any.Pack(t.Maps(by_string={"a": 1}, by_bool={True: b"x"}, by_sint64={-4: t.Item(count=1)}))
    case("any of maps", m)
    m.any.Pack(t.Item())
    case("any of nothing", m)


def recursive():
    leaf = t.Tree(id=3, leaf="leaf")
    leaf.at.FromJsonString("2026-11-28T12:34:56.120Z")
    case("recursive", t.Tree(
        id=1, left=t.Tree(id=2, weight=9, left=leaf, more=[t.Tree(id=4, raw=b"\xfb\xff"), t.Tree(color=t.RED, share=0.25)]),
        more=[t.Tree(), t.Tree(sizes={"s": -2})], leaf="root", sizes={"k": 1}))


def proto2():
    case("proto2, what is required", old.Order(id=1))
    order = old.Order(id=-1, note="n", currency="USD", amount=0, rate=0, state=old.Order.NEW,
                      plain_state=old.Order.NEW, open=False, mark=b"", sizes=[1, -2, 300], packed_sizes=[4, 5],
                      debt=5, large=3, share=0.5)
    order.extra.a = 5
    order.extra.b = "in a group"
    order.Extensions[old.late] = "extension"
    case("proto2", order)


for make in (scalars, lists, maps, messages, well_known, recursive, proto2):
    make()
text = ",\n".join(json.dumps(c, ensure_ascii=False, allow_nan=False) for c in CASES)
(HERE / "cases.json").write_text(f"[\n{text}\n]\n")
print(f"{len(CASES)} cases")
