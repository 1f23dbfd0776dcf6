"""The encoding of column values in tests/golden/**/expected.json (tests/golden/README.md), for values as Python peers hand them out.

`encode(type, value)` takes an Iceberg type in its JSON form and a value from Spark (Row, dict, naive datetime in UTC), from pyarrow's
to_pylist (dict, list of pairs, aware datetime) or from firn's JSON output, and returns the one golden form. Comparing encoded values is
exact: no tolerance for reals, no ignored fields.
"""
import datetime as dt
import decimal
import json
import math
import re
import struct
import uuid

EPOCH = dt.datetime(1970, 1, 1)


def real(v, single):
    if isinstance(v, str):
        v = {"nan": math.nan, "inf": math.inf, "infinity": math.inf, "-inf": -math.inf, "-infinity": -math.inf}.get(v.lower(), v)
        v = float(v)
    v = float(v)
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    if single:
        v = struct.unpack("f", struct.pack("f", v))[0]
    # -0.0 == 0.0 in Python: tell them apart, as Iceberg does.
    return "-0.0" if v == 0 and math.copysign(1, v) < 0 else v


def stamp(v, digits, zone):
    """Text with `digits` decimals; with +00:00 when zone. Text goes in as text, so that nanoseconds and far years survive."""
    if isinstance(v, str):
        m = re.fullmatch(r"(\d{4,})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?", v)
        if not m:
            raise ValueError(f"not a timestamp: {v!r}")
        year, month, day, hour, minute = (int(g) for g in m.groups()[:5])
        second, fraction, offset = int(m[6] or 0), (m[7] or "").ljust(9, "0")[:9], m[8]
        base = dt.datetime(year, month, day, hour, minute, second)
        if offset and offset != "Z":
            sign = -1 if offset[0] == "-" else 1
            parts = re.findall(r"\d\d", offset)
            base -= sign * dt.timedelta(hours=int(parts[0]), minutes=int(parts[1]) if len(parts) > 1 else 0)
        nanos = int(fraction)
    elif isinstance(v, int):
        base, nanos = EPOCH + dt.timedelta(seconds=v // 10**9), v % 10**9
    else:
        nanos = getattr(v, "nanosecond", 0) + v.microsecond * 1000
        base = v.astimezone(dt.timezone.utc).replace(tzinfo=None) if v.tzinfo else v
        if hasattr(base, "to_pydatetime"):
            base = base.to_pydatetime(warn=False)
    text = base.replace(microsecond=0).isoformat() + "." + f"{nanos:09d}"[:digits]
    return text + ("+00:00" if zone else "")


def field_of(row, field, position):
    if isinstance(row, dict):
        return row[field["name"]]
    return row[position]


def binary(v):
    if isinstance(v, (bytes, bytearray, memoryview)):
        return bytes(v).hex()
    if isinstance(v, uuid.UUID):
        return v.bytes.hex()
    if isinstance(v, str):
        # firn's hex, or DuckDB's text of a blob: printable bytes as they are, others as \\xNN.
        if "\\x" not in v:
            return bytes.fromhex(v).hex()
        return re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), v.encode("latin-1")).hex()
    raise ValueError(f"not binary: {v!r}")


def encode(t, v):
    if isinstance(t, dict):
        kind = t["type"]
        if v is None:
            return None
        if isinstance(v, str) and kind in ("struct", "list", "map"):
            v = json.loads(v)
        if kind == "struct":
            return {f["name"]: encode(f["type"], field_of(v, f, i)) for i, f in enumerate(t["fields"])}
        if kind == "list":
            return [encode(t["element"], e) for e in v]
        if kind == "map":
            if isinstance(v, dict):
                pairs = list(v.items())
            else:
                pairs = [(p["key"], p["value"]) if isinstance(p, dict) else (p[0], p[1]) for p in v]
            return sorted(([encode(t["key"], k), encode(t["value"], x)] for k, x in pairs), key=lambda p: (str(type(p[0])), p[0]))
        raise ValueError(f"unknown type {t}")
    if v is None or t == "unknown":
        return None
    if t == "boolean":
        return bool(v) if not isinstance(v, str) else v.lower() == "true"
    if t in ("int", "long"):
        return int(v)
    if t in ("float", "double"):
        return real(v, t == "float")
    if t.startswith("decimal"):
        scale = int(re.search(r",\s*(\d+)", t)[1])
        with decimal.localcontext() as c:
            c.prec = 60
            return format(decimal.Decimal(str(v)).quantize(decimal.Decimal(1).scaleb(-scale)), "f")
    if t == "date":
        return (v if isinstance(v, str) else v.isoformat())[:10]
    if t == "time":
        text = v if isinstance(v, str) else v.isoformat()
        head, _, fraction = text.partition(".")
        return f"{head}.{fraction.ljust(6, '0')[:6]}"
    if t in ("timestamp", "timestamptz"):
        return stamp(v, 6, t == "timestamptz")
    if t in ("timestamp_ns", "timestamptz_ns"):
        return stamp(v, 9, t == "timestamptz_ns")
    if t == "uuid":
        return str(v if isinstance(v, (uuid.UUID, str)) else uuid.UUID(bytes=bytes(v)))
    if t == "binary" or t.startswith("fixed"):
        return binary(v)
    return v if isinstance(v, (str, dict, list)) else str(v)


def golden(t, v):
    """A value read from expected.json in the form that encode() returns (a JSON -0.0 and small floats are numbers there)."""
    if v is None:
        return None
    if isinstance(t, dict):
        if t["type"] == "struct":
            return {f["name"]: golden(f["type"], v[f["name"]]) for f in t["fields"]}
        if t["type"] == "list":
            return [golden(t["element"], e) for e in v]
        return sorted(([golden(t["key"], k), golden(t["value"], x)] for k, x in v), key=lambda p: (str(type(p[0])), p[0]))
    if t in ("float", "double"):
        return real(v, t == "float")
    return v


def rows(fields, values):
    """Rows (dicts or tuples) of the given schema fields, encoded, as dicts."""
    return [{f["name"]: encode(f["type"], field_of(r, f, i)) for i, f in enumerate(fields)} for r in values]


def golden_rows(fields, values):
    return [{f["name"]: golden(f["type"], r[f["name"]]) for f in fields} for r in values]


def sort_key(columns):
    """Sort encoded rows as `order by c1, c2 ... nulls last` does for numbers and text."""
    return lambda row: tuple((row[c] is None, 0 if row[c] is None else row[c]) for c in columns)
