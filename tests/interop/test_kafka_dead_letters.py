"""Records that cannot become rows: where they go, what stops the feed, how they come back. A real broker, a real registry; PyIceberg reads
the tables of dead letters as anybody would."""
import json
import subprocess
import sys
import time

import servers
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from conftest import init
from pyiceberg.table import StaticTable
from servers.kafka_client import framed

ORDER = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}, {"name": "note", "type": ["null", "string"], "default": None}]}


def avro(order_id, note=None):
    """An Order as Avro has it: zigzag varints (small ones), a union's branch, a text."""
    def varint(n):
        n = n << 1
        out = b""
        while n > 0x7F:
            out += bytes([n & 0x7F | 0x80])
            n >>= 7
        return out + bytes([n])

    text = (note or "").encode()
    return varint(order_id) + (b"\x02" + varint(len(text)) + text if note is not None else b"\0")


class Feed:
    """A lake with one feed of one topic."""

    def __init__(self, folder, kafka, topic, settings, registry=None):
        self.topic, self.kafka = topic, kafka
        self.firn = init(folder / "lake")
        self.firn.execute("CREATE SCHEMA bronze")
        with open(f"{self.firn.lake}/firn.yaml", "a") as f:
            f.write(f"\nsources:\n  - name: test\n    kafka: {kafka.bootstrap}\n")
            if registry:
                f.write(f"    registry: {registry.uri}\n")
        (folder / "lake" / "feeds").mkdir(exist_ok=True)
        self.path = folder / "lake" / "feeds" / "orders.yaml"
        self.configure(settings)

    def configure(self, settings):
        self.path.write_text(f"source: test\ntopics: [{self.topic}]\ntable: bronze.orders\ncommit: {{every: 500ms}}\n{settings}")

    def produce(self, *records):
        self.kafka.client.produce(self.topic, list(records))

    def drain(self, *more):
        return self.firn.run("ingest", "run", "orders", "--drain", *more, timeout=180)

    def drained(self):
        done = self.drain()
        assert done.returncode == 0, done.stderr + done.stdout

    def replay(self, *options):
        return self.firn.ok("ingest", "replay", "orders", *options)

    def ids(self):
        return [int(r["id"]) for r in self.firn.sql("SELECT id FROM bronze.orders ORDER BY id")]

    def letters(self):
        """The dead letters as PyIceberg reads them, by offset."""
        if not any(t["name"] == "orders__dead_letters" for t in self.firn.tables()):
            return {}
        table = StaticTable.from_metadata(self.firn.metadata("bronze.orders__dead_letters"))
        return {row["offset"]: row for row in table.scan().to_arrow().to_pylist()}


def test_every_kind_of_bad_record(tmp_path, kafka, topic):
    feed = Feed(tmp_path, kafka, topic, "format: json\nschema: \"id bigint, name string, amount decimal(6, 2)\"\nevolve: {columns: false}\n"
                "transform: SELECT id, name, amount, CAST(name AS INTEGER) AS n FROM batch\n")
    feed.firn.execute("CREATE TABLE bronze.orders (id INTEGER NOT NULL, name VARCHAR, amount DECIMAL(6, 2), n INTEGER)")
    deep = '{"id": 1, "x": ' + "[" * 200 + "]" * 200 + "}"
    feed.produce({"value": '{"id": 1, "name": "1", "amount": 1.5}', "key": "k1"},
                 {"value": "no JSON at all", "key": b"\x00\xff", "headers": [("trace", b"\x01"), ("none", None), ("trace", b"\x02")], "timestamp": 1700000000123},
                 '{"id": "x"}',
                 '{"id": 3000000000}',                 # the table's column is an INTEGER
                 '{"name": "1"}',                      # NOT NULL
                 '{"id": 5, "amount": 123456.78}',     # too many digits
                 '{"id": 6, "name": "six"}',           # the transform's CAST
                 deep,                                 # nested too deep
                 b"\xff\xfe",
                 '{"id": 9, "name": "9"}')
    feed.drained()
    assert feed.ids() == [1, 9]
    letters = feed.letters()
    assert {offset: letter["code"] for offset, letter in letters.items()} == {
        1: "CORRUPT", 2: "TYPE", 3: "TYPE", 4: "CHECK_FAILED", 5: "TYPE", 6: "TYPE", 7: letters[7]["code"], 8: "CORRUPT"}
    assert letters[7]["code"] in ("LIMIT", "CORRUPT")
    first = letters[1]
    assert (first["feed"], first["topic"], first["partition"], first["attempts"], first["schema_id"]) == ("orders", topic, 0, 1, None)
    assert first["key"] == b"\x00\xff" and first["value"] == b"no JSON at all"
    assert dict(first["headers"]) == {"none": None, "trace": b"\x02"}
    assert int(first["timestamp"].timestamp() * 1000) == 1700000000123
    assert letters[7]["value"] == deep.encode() and letters[8]["value"] == b"\xff\xfe"
    assert all(letter["error"] and letter["failed_at"] for letter in letters.values())
    assert "six" in letters[6]["error"]

    # Once more, and all is as it was: their offsets are behind us.
    feed.drained()
    assert feed.ids() == [1, 9] and len(feed.letters()) == 8


def test_repaired_letters_become_rows(tmp_path, kafka, topic):
    feed = Feed(tmp_path, kafka, topic, 'format: json\nschema: "id bigint, price double"\ncolumns: {kafka: _kafka}\n')
    feed.produce(*(f'{{"id": {i}, "price": {"NaN" if i % 3 == 0 else 1.5}}}' for i in range(30)))
    feed.drained()
    assert len(feed.letters()) == 10 and len(feed.ids()) == 20
    assert "0 of 10 dead letters" in feed.replay()
    assert {letter["attempts"] for letter in feed.letters().values()} == {2}
    value = "replace(decode(value), 'NaN', 'null')"
    assert "would become rows" in feed.replay("--value", value, "--dry-run")
    assert len(feed.letters()) == 10 and len(feed.ids()) == 20
    assert "4 of 4 dead letters became rows" in feed.replay("--value", value, "--where", '"offset" < 10')
    assert "6 of 6 dead letters became rows" in feed.replay("--value", value)
    assert feed.letters() == {} and feed.ids() == list(range(30))
    assert "no dead letters" in feed.replay()
    # A repaired row knows where it came from.
    rows = feed.firn.sql("SELECT count(*) AS n FROM bronze.orders WHERE _kafka.\"offset\" = id")
    assert int(rows[0]["n"]) == 30
    # The feed goes on where it was.
    feed.produce('{"id": 30}')
    feed.drained()
    assert feed.ids() == list(range(31))


def test_two_replays_at_once(tmp_path, kafka, topic):
    """Each letter becomes one row, whoever is first; a loser says so."""
    feed = Feed(tmp_path, kafka, topic, 'format: json\nschema: "id bigint"\n')
    feed.produce('{"id": -1}', *(f"x{i}" for i in range(500)))
    feed.drained()
    assert len(feed.letters()) == 500
    command = [feed.firn.binary, "--lake", feed.firn.lake, "ingest", "replay", "orders", "--value", "'{\"id\": ' || \"offset\" || '}'"]
    replays = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ends = [(*p.communicate(timeout=120), p.returncode) for p in replays]
    assert any(code == 0 and "500 of 500" in out for out, _, code in ends), ends
    for out, err, code in ends:
        assert code == 0 and ("500 of 500" in out or "no dead letters" in out) or "were changed while they were replayed" in err, (out, err, code)
    assert feed.ids() == [-1, *range(1, 501)] and feed.letters() == {}


def test_thresholds_stop_the_feed(tmp_path, kafka, topic):
    base = 'format: json\nschema: "id bigint"\n'
    feed = Feed(tmp_path, kafka, topic, base + "dead_letters: {stop_after: 5}\n")
    feed.produce('{"id": 0}', *("bad",) * 3)
    feed.drained()
    assert len(feed.letters()) == 3
    feed.produce('{"id": 1}', *("bad",) * 5)
    stopped = feed.drain()
    assert stopped.returncode == 1 and "dead_letters.stop_after is 5" in stopped.stderr + stopped.stdout, stopped
    # What would have been the fifth was not committed, and is still there for whoever raises the bound.
    assert feed.ids() == [0] and len(feed.letters()) == 3
    feed.configure(base + "dead_letters: {stop_after: 0, stop_percent: 50}\n")
    feed.drained()
    assert feed.ids() == [0, 1] and len(feed.letters()) == 8
    feed.produce(*('{"id": 2}',) * 60, *("bad",) * 90)
    stopped = feed.drain()
    assert stopped.returncode == 1 and "stop_percent is 50" in stopped.stderr + stopped.stdout, stopped
    assert len(feed.letters()) == 8
    feed.configure(base)
    feed.drained()
    assert len(feed.ids()) == 62 and len(feed.letters()) == 98


def test_frames_and_ids(tmp_path, kafka, registry, topic):
    feed = Feed(tmp_path, kafka, topic, "format: avro\n", registry)
    known = registry.register(f"{topic}-value", ORDER)
    feed.produce(framed(known, avro(1, "one")), framed(987654, avro(2)), framed(known, b"\x04\x02\x7f"), b"\x07", framed(known, avro(3)))
    feed.drained()
    assert feed.ids() == [1, 3]
    letters = feed.letters()
    assert {o: (letter["code"], letter["schema_id"]) for o, letter in letters.items()} == {
        1: ("NOT_FOUND", 987654), 2: ("CORRUPT", known), 3: ("CORRUPT", None)}
    # The frame's id can be put right.
    frame = f"unhex('00{known:08X}' || substring(hex(value), 11))"
    done = feed.firn.run("ingest", "replay", "orders", "--where", "code = 'NOT_FOUND'", "--value", frame)
    assert done.returncode == 0, done.stderr
    assert feed.ids() == [1, 2, 3] and sorted(feed.letters()) == [2, 3]


def test_an_unsafe_change_stops_or_is_set_aside(tmp_path, kafka, registry, topic):
    feed = Feed(tmp_path, kafka, topic, "format: avro\n", registry)
    first = registry.register(f"{topic}-value", ORDER)
    other = {**ORDER, "fields": [{"name": "id", "type": "string"}]}
    second = registry.register(f"{topic}-other", other)
    feed.produce(framed(first, avro(1)))
    feed.drained()
    feed.produce(framed(second, b"\x06abc"), framed(first, avro(2)))
    stopped = feed.drain()
    assert stopped.returncode == 1 and "id" in stopped.stderr + stopped.stdout, stopped
    assert feed.ids() == [1] and feed.letters() == {}
    feed.configure("format: avro\nevolve: {on_unsafe: dead_letters}\n")
    feed.drained()
    assert feed.ids() == [1, 2]
    assert {o: (letter["code"], letter["schema_id"]) for o, letter in feed.letters().items()} == {1: ("TYPE", second)}


def test_a_registry_that_is_away_is_waited_for(tmp_path, kafka, topic):
    with servers.SchemaRegistry(tmp_path / "registry") as registry:
        known = registry.register(f"{topic}-value", ORDER)
        feed = Feed(tmp_path, kafka, topic, "format: avro\n", registry)
        feed.produce(framed(known, avro(1)))
        feed.drained()
        # A frame without sense becomes a letter, and its replay waits for no registry: it says that it is away.
        feed.produce(framed(known, b"\x04\x02\x7f"), framed(known, avro(2)))
        feed.drained()
        registry.stop()
        replay = feed.firn.run("ingest", "replay", "orders")
        assert replay.returncode != 0 and "registry" in replay.stderr.lower(), replay.stderr
        assert len(feed.letters()) == 1
        feed.produce(framed(known, avro(3)))
        run = subprocess.Popen([feed.firn.binary, "--lake", feed.firn.lake, "ingest", "run", "orders", "--drain"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(3)
        assert run.poll() is None, run.communicate()[0]
        registry.start()
        out, _ = run.communicate(timeout=90)
        assert run.returncode == 0, out
        assert feed.ids() == [1, 2, 3] and len(feed.letters()) == 1


def test_a_dropped_table_is_loud(tmp_path, kafka, topic):
    feed = Feed(tmp_path, kafka, topic, 'format: json\nschema: "id bigint"\n')
    feed.produce('{"id": 1}', "bad")
    feed.drained()
    feed.firn.execute("DROP TABLE bronze.orders")
    replay = feed.firn.run("ingest", "replay", "orders")
    assert replay.returncode != 0 and "stay where they are" in replay.stderr
    assert sorted(feed.letters()) == [1]


def test_protobuf(tmp_path, kafka, registry, topic):
    feed = Feed(tmp_path, kafka, topic, "format: protobuf\n", registry)
    text = 'syntax = "proto3"; message Other { int32 x = 1; } message Order { int64 id = 1; string note = 2; }'
    known = registry.register(f"{topic}-value", text, "PROTOBUF")
    second = b"\x02\x02"  # the message indexes [1]
    feed.produce(framed(known, second + b"\x08\x01\x12\x01a"), framed(known, second + b"\x08"), framed(known, second + b"\x12\x01\xff"),
                 framed(known, second + b"\x08\x04"))
    feed.drained()
    assert feed.ids() == [1, 4]
    letters = feed.letters()
    assert {o: letter["code"] for o, letter in letters.items()} == {1: "CORRUPT", 2: "CORRUPT"}
    assert '"note"' in letters[2]["error"]


def test_protobuf_as_confluents_own_serializer_writes_it(tmp_path, kafka, registry, topic):
    """It registers descriptors in base64, each import a subject of its own, and puts the message's indexes before the message."""
    (tmp_path / "money_firn.proto").write_text('syntax = "proto3"; package pay; message Money { string currency = 1; int64 cents = 2; }')
    (tmp_path / "orders_firn.proto").write_text(
        'syntax = "proto3"; package shop; import "money_firn.proto"; import "google/protobuf/timestamp.proto";'
        "message Shop { message Order { int64 id = 1; pay.Money total = 2; repeated string tags = 3; google.protobuf.Timestamp seen = 4;"
        " map<string, int32> counts = 5; oneof how { string card = 6; bool cash = 7; } } }")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{tmp_path}", f"--python_out={tmp_path}", "money_firn.proto", "orders_firn.proto"], check=True, cwd=tmp_path)
    sys.path.insert(0, str(tmp_path))
    import orders_firn_pb2

    serializer = ProtobufSerializer(orders_firn_pb2.Shop.Order, SchemaRegistryClient({"url": registry.uri}), {"use.deprecated.format": False})
    orders = []
    for i in range(3):
        order = orders_firn_pb2.Shop.Order(id=i, tags=["a", "b"][:i], counts={"x": i}, cash=True)
        order.total.currency, order.total.cents = "EUR", 100 * i
        order.seen.FromMicroseconds(1_700_000_000_000_000 + i)
        orders.append(serializer(order, SerializationContext(topic, MessageField.VALUE)))
    feed = Feed(tmp_path, kafka, topic, "format: protobuf\n", registry)
    feed.produce(*orders, orders[2][:-1])
    feed.drained()
    rows = feed.firn.sql("SELECT id, total.cents AS cents, len(tags) AS tags, epoch_us(seen) AS seen, counts['x'] AS x, card, cash FROM bronze.orders ORDER BY id")
    assert rows == [{"id": i, "cents": 100 * i, "tags": i, "seen": 1_700_000_000_000_000 + i, "x": i, "card": None, "cash": True} for i in range(3)]
    assert [letter["code"] for letter in feed.letters().values()] == ["CORRUPT"]
