"""The endpoints of the ksqlDB double, its three forms of a response, and what can go wrong in them.

A push query is written object by object, each with its ",\\n"; a pull query of a table is held back until 5 KiB are there, the last object
without a comma. Both are how ksqlDB's JsonStreamedRowResponseWriter does it, and the first is why a push query that fails is no JSON.
"""
import base64
import json
import re
import threading
import time
from decimal import Decimal

from .ksqldb_http import ClientGone
from .ksqldb_sql import PSEUDO, StatementError, parse_select, predicate, type_text
from .ksqldb_world import dumps

DELIMITED, PLAIN, ROWS = "application/vnd.ksqlapi.delimited.v1", "application/json", "application/vnd.ksql.v1+json"
PRODUCED = {"/query": [ROWS, PLAIN], "/query-stream": [DELIMITED, PLAIN, ROWS]}
VERSION = "0.29.0"
PULL_HELP = " See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query."
FLUSH_BYTES = 5 * 1024


class HttpError(Exception):
    def __init__(self, status, body, headers=None):
        super().__init__(str(status))
        self.status, self.body, self.headers = status, body, headers or {}


def generic(code, message):
    return {"@type": "generic_error", "error_code": code, "message": message}


def bad(code, message, headers=None):
    return HttpError(code // 100, generic(code, message), headers)


def accepted(endpoint, header):
    """Which form a client gets, or None: 406."""
    produced = PRODUCED[endpoint]
    if not header:
        return produced[0]
    ranges = []
    for i, part in enumerate(header.split(",")):
        kind, *options = [p.strip() for p in part.split(";")]
        quality = next((float(o[2:]) for o in options if o.startswith("q=")), 1.0)
        ranges.append((-quality, i, kind.lower()))
    for quality, _, kind in sorted(ranges):
        for form in produced:
            if quality < 0 and kind in ("*/*", "application/*", form):
                return form
    return None


class Fault:
    """One scripted fault: {"kind": ..., "path": "/query-stream", "match": part of the statement, "times": how often, and what the kind needs}."""

    KINDS = {"cut", "cut_at", "error_row", "heartbeats", "drip", "status", "unavailable", "content_type", "html", "http2_only", "silent", "unknown_keys", "bad_end", "hang", "delay",
             "short_row", "wrong_type", "twice", "no_final", "body"}

    def __init__(self, spec):
        if spec.get("kind") not in self.KINDS:
            raise ValueError(f"no fault {spec.get('kind')!r}: {', '.join(sorted(self.KINDS))}")
        self.kind, self.path, self.match, self.left = spec["kind"], spec.get("path"), spec.get("match"), spec.get("times", -1)
        self.spec, self.hits = {k: float(v) if isinstance(v, Decimal) else v for k, v in spec.items()}, 0

    def get(self, name, default=None):
        return self.spec.get(name, default)

    def applies(self, request, statement):
        return self.left != 0 and (not self.path or self.path == request.path) and (not self.match or self.match.upper() in statement.upper()) and (
            self.kind != "http2_only" or request.version != "2")


class Body:
    """Writes a response, with its faults: bytes are counted here, and may drip or break off."""

    def __init__(self, reply, faults):
        self.reply, self.written, self.rows = reply, 0, 0
        self.faults = {f.kind: f for f in faults}

    def write(self, data):
        if cut := self.faults.get("cut_at"):
            left = cut.get("bytes", 0) - self.written
            if len(data) >= left:
                self.raw(data[:left])
                self.stop(cut)
        self.raw(data)

    def raw(self, data):
        self.written += len(data)
        if drip := self.faults.get("drip"):
            step, pause = drip.get("bytes", 1), drip.get("pause", 0)
            for at in range(0, len(data), step):
                self.reply.write(data[at:at + step])
                self.reply.flush()
                if pause:
                    time.sleep(pause)
        else:
            self.reply.write(data)

    def stop(self, fault):
        """Ends the response here; "clean": as if it were complete, as some proxies do."""
        if fault.get("clean"):
            self.reply.end()
            raise ClientGone
        self.reply.abort(fault.get("reset", False))

    def before_row(self, text, separator):
        """text: what is about to be written. Returns what is to be written instead."""
        at, self.rows = self.rows, self.rows + 1
        if (cut := self.faults.get("cut")) and at == cut.get("rows", 0):
            self.write(text[:cut.get("bytes", len(text) // 2)])
            self.stop(cut)
        if (hang := self.faults.get("hang")) and at == hang.get("rows", 0):
            self.reply.flush()
            while not self.reply.gone():
                time.sleep(0.02)
            raise ClientGone
        if (delay := self.faults.get("delay")) and at == delay.get("rows", 0):
            self.reply.flush()
            time.sleep(delay.get("seconds", 1))
        if beats := self.faults.get("heartbeats"):
            for _ in range(beats.get("count", 1)):
                self.raw(b"\n")
        if (fault := self.faults.get("error_row")) and at == fault.get("rows", 0):
            return None
        if (fault := self.faults.get("short_row")) and at == fault.get("rows", 0):
            return re.sub(rb"(\[)[^\[\]{}]*?,", rb"\1", text, count=1)
        if (fault := self.faults.get("wrong_type")) and at == fault.get("rows", 0):
            return text.replace(b"[", b'[{"not": "expected"},', 1)
        if (fault := self.faults.get("twice")) and at == fault.get("rows", 0):
            return text + separator + text
        if self.faults.get("unknown_keys"):
            text = text.replace(b'{"row":{', b'{"sourceHost":{"host":"ksql-1","port":8088},"row":{"newMember":[{}],', 1)
        return text


class Form:
    """One of the three forms: header(), row(), tombstone(), error(), end()."""

    def __init__(self, form, body, query):
        self.form, self.body, self.query, self.held, self.last, self.begun = form, body, query, [], None, False

    @property
    def buffered(self):
        return self.form == ROWS and self.query.pull_table

    def header(self):
        columns, query = self.query.columns, self.query
        if self.form == ROWS:
            head = dumps({"header": {"queryId": query.id, "schema": query.source.schema_text(columns)}}).encode()
            if self.buffered:
                self.held.append(b"[")
                self.last = head
            else:
                self.body.write(b"[" + head + b",\n")
            if self.body.faults.get("unknown_keys"):
                self.thing(b'{"consistencyToken":{"consistencyToken":"t1"}}')
                self.thing(b'{"continuationToken":{"continuationToken":"t2"}}')
        else:
            head = dumps({"queryId": query.id, "columnNames": [c[0] for c in columns], "columnTypes": [type_text(c[1]) for c in columns]}).encode()
            self.body.write(head + b"\n" if self.form == DELIMITED else b"[" + head)

    def thing(self, text):
        """An object of the StreamedRow form."""
        if not self.buffered:
            self.body.write(text + b",\n")
            return
        if self.last is not None:
            self.held.append(self.last + b",\n")
        self.last = text
        if sum(map(len, self.held)) >= FLUSH_BYTES:
            self.body.write(b"".join(self.held))
            self.held = []

    def row(self, values, tombstone=False):
        array = "[" + ",".join(values) + "]"
        if self.form == ROWS:
            text = ('{"row":{"columns":' + array + (',"tombstone":true}}' if tombstone else "}}")).encode()
        elif tombstone:
            return True
        else:
            text = array.encode()
        separator = {ROWS: b",\n", DELIMITED: b"\n", PLAIN: b",\n"}[self.form]
        if self.body.faults:
            if self.buffered and self.body.faults.keys() & {"cut", "hang", "delay", "error_row"}:
                self.flush_all()
            text = self.body.before_row(text, separator)
            if text is None:
                fault = self.body.faults["error_row"]
                self.error(fault.get("code", 50000), fault.get("message", "Error in processing query"), fault.get("old", False))
                return False
        if self.form == ROWS:
            self.thing(text)
        else:
            self.body.write(text + separator if self.form == DELIMITED else separator + text)
        return True

    def flush_all(self):
        if self.held or self.last is not None:
            self.body.write(b"".join(self.held) + (self.last + b",\n" if self.last is not None else b""))
            self.held, self.last = [], None

    def error(self, code, message, old=False):
        """old: the writer of /query in older servers, which ends with a comma and no bracket."""
        error = dumps(generic(code, message)).encode()
        if self.form != ROWS:
            self.body.write(error + b"\n" if self.form == DELIMITED else b",\n" + error + b"]")
        elif self.buffered:
            self.flush_all()
            self.body.write(b'{"errorMessage":' + error + b"}]")
        else:
            self.body.write(b'{"errorMessage":' + error + b"},\n" + (b"" if old else b"]"))

    def end(self, message):
        if self.form == DELIMITED:
            return
        if self.form == PLAIN:
            self.body.write(b"]")
            return
        if self.body.faults.get("bad_end"):
            return
        if self.body.faults.get("no_final"):
            message = None
        if self.buffered:
            self.held.append((self.last or b"") + b"]")
            self.body.write(b"".join(self.held))
        else:
            self.body.write((b'{"finalMessage":"%b"}' % message.encode() if message else b""))
            self.body.write(b"]")


class Query:
    """One SELECT, bound to its source. `closed` by /close-query."""

    count = 0

    def __init__(self, world, text):
        self.select = parse_select(text)
        if self.select.source not in world.sources:
            raise StatementError(f"{self.select.source} does not exist.")
        self.source = source = world.sources[self.select.source]
        self.push, self.closed = self.select.emit, False
        self.pull_table = not self.push and source.is_table
        if self.pull_table and not source.queryable:
            raise StatementError(f"The `{source.name}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_{source.name} AS SELECT * FROM {source.name}'." + PULL_HELP)
        self.columns, self.readers = [], []
        self.bind()
        Query.count += 1
        self.id = f"transient_{source.name}_{Query.count:019d}" if self.push else f"query_{Query.count:013d}"

    def bind(self):
        source, names = self.source, {self.source.name, self.select.alias}
        if not self.push:
            for clause, columns in (("SELECT", [c for c, _ in self.select.items or []]), ("WHERE", self.select.where_columns)):
                refused = [f"`{c[1]}`" for c in columns if c[1] in ("ROWPARTITION", "ROWOFFSET")]
                if refused:
                    raise StatementError(f"Pull queries don't support the following columns in {clause} clauses: {', '.join(refused)}\n" + PULL_HELP)
        items = self.select.items if self.select.items is not None else [((None, n), n) for n, _, _ in source.columns]
        for (qualifier, name), alias in items:
            if qualifier and qualifier not in names or not (name in source.places or name in PSEUDO and self.may_have(name)):
                raise StatementError(f"SELECT column '{name}' cannot be resolved.")
            if name in source.places:
                place = source.places[name]
                self.columns.append((alias, source.columns[place][1], self.pull_table and source.columns[place][2] == "KEY"))
                self.readers.append(place)
            else:
                self.columns.append((alias, (PSEUDO[name],), False))
                self.readers.append(name)
        if len({c[0] for c in self.columns}) < len(self.columns):
            raise StatementError("The projection contains a repeated name.")
        self.where = predicate(self.select.where, self.getter) if self.select.where else None

    def may_have(self, name):
        return self.source.pseudo or name == "ROWTIME"

    def getter(self, column):
        qualifier, name = column
        if qualifier and qualifier not in (self.source.name, self.select.alias) or not (name in self.source.places or name in PSEUDO and self.may_have(name)):
            raise StatementError(f"WHERE column '{name}' cannot be resolved.")
        if name in self.source.places:
            place = self.source.places[name]
            return lambda r: (r.values or r.key)[place]
        attribute = {"ROWTIME": "time", "ROWPARTITION": "partition", "ROWOFFSET": "offset"}[name]
        return lambda r: getattr(r, attribute)

    def texts(self, record):
        """The JSON of each selected column."""
        if record.texts is None:
            record.texts = [dumps(v) for v in (record.values if record.values is not None else record.key)]
        pseudo = {"ROWTIME": record.time, "ROWPARTITION": record.partition, "ROWOFFSET": record.offset}
        return [record.texts[r] if isinstance(r, int) else str(pseudo[r]) for r in self.readers]


class Api:
    def __init__(self, world, user=None, password=None, token=None):
        self.world, self.user, self.password, self.token = world, user, password, token
        self.queries, self.faults, self.requests = {}, [], []
        self.lock = threading.Lock()
        self.listener = None  # that `listen` of the control API opens and closes

    def handle(self, request, reply):
        try:
            if request.path.startswith("/__test__/"):
                self.respond(reply, 200, self.control(request))
                return
            self.answer(request, reply)
        except HttpError as e:
            self.respond(reply, e.status, e.body, e.headers)
        except StatementError as e:
            self.respond(reply, e.code // 100, {"@type": "statement_error", "error_code": e.code, "message": e.message, "statementText": self.statement(request), "entities": []})

    def respond(self, reply, status, body, headers=None):
        """A short answer, if none has begun."""
        if reply.begun:
            reply.abort()
        data = body if isinstance(body, bytes) else b"" if body is None else dumps(body).encode()
        reply.begin(status, {"content-type": "application/json", **(headers or {})}, len(data))
        reply.write(data)
        reply.end()

    def statement(self, request):
        try:
            body = json.loads(request.body)
            return str(body.get("ksql") or body.get("sql") or "")
        except (ValueError, AttributeError):
            return ""

    # ---- what a client asks ----

    def answer(self, request, reply):
        statement = self.statement(request)
        with self.lock:
            self.requests.append({"method": request.method, "path": request.path, "version": request.version, "headers": {k: v for k, v in request.headers.items() if not k.startswith(":")},
                                  "body": request.body.decode("utf-8", "replace")})
            faults = [f for f in self.faults if f.applies(request, statement)]
            for f in faults:
                f.left -= f.left > 0
                f.hits += 1
        self.authorize(request)
        if self.before(faults, reply):
            return
        if request.path == "/" and request.method == "GET":
            self.respond(reply, 307, None, {"location": "/info"})
        elif request.path == "/info":
            self.respond(reply, 200, {"KsqlServerInfo": {"version": VERSION, "kafkaClusterId": "double-cluster", "ksqlServiceId": "default_", "serverStatus": "RUNNING"}})
        elif request.path in ("/ksql", "/query", "/query-stream", "/close-query"):
            if request.method != "POST":
                raise bad(40500, "Method Not Allowed")
            self.post(request, reply, faults)
        else:
            raise HttpError(404, generic(40400, "Not Found"))

    def authorize(self, request):
        if self.user is None and self.token is None:
            return
        given = request.headers.get("authorization", "")
        wanted = f"Bearer {self.token}" if self.token else "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if given != wanted:
            raise HttpError(401, generic(40100, "Unauthorized"), {"www-authenticate": 'Basic realm="ksqldb"'})

    def before(self, faults, reply):
        """Faults that stand in place of the whole answer."""
        for f in faults:
            if f.kind == "status":
                body = f.get("body", generic(f.get("status", 500) * 100, f.get("message", "scripted")))
                self.respond(reply, f.get("status", 500), body.encode() if isinstance(body, str) else body, f.get("headers"))
            elif f.kind == "unavailable":
                self.respond(reply, 503, generic(50302, "KSQL is not yet ready to serve requests."), {"retry-after": str(f.get("retry_after", 10))})
            elif f.kind == "html":
                page = f.get("page", "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>").encode()
                self.respond(reply, f.get("status", 502), page, {"content-type": "text/html"})
            elif f.kind == "http2_only":
                self.respond(reply, 400, generic(40004, "This endpoint is only available when using HTTP2"))
            elif f.kind == "body":
                self.respond(reply, f.get("status", 200), f.get("body", "").encode(), {"content-type": f.get("content_type", ROWS)})
            else:
                continue
            return True
        return False

    def post(self, request, reply, faults):
        if "json" not in request.headers.get("content-type", "application/json") and "ksql" not in request.headers.get("content-type", ""):
            raise bad(41500, "Unsupported Media Type")
        try:
            body = json.loads(request.body or b"null", parse_float=Decimal)
        except ValueError as e:
            raise bad(40000, f"Invalid JSON in request: {e}") from None
        if not isinstance(body, dict):
            raise bad(40000, "Invalid JSON in request: an object was expected")
        if request.path == "/ksql":
            self.respond_ksql(reply, body, faults)
        elif request.path == "/close-query":
            self.close_query(reply, body)
        else:
            self.query(request, reply, body, faults)

    def close_query(self, reply, body):
        with self.lock:
            query = self.queries.pop(body.get("queryId"), None)
        if query is None:
            raise bad(40000, f"No query with id {body.get('queryId')}")
        with self.world.changed:
            query.closed = True
            self.world.changed.notify_all()
        self.respond(reply, 200, b"")

    def respond_ksql(self, reply, body, faults):
        text = body.get("ksql")
        if not isinstance(text, str):
            raise bad(40000, "Invalid JSON in request: Missing required creator property 'ksql' (index 0)")
        entities = [self.entity(s.strip() + ";") for s in text.split(";") if s.strip()]
        data = Body(reply, [f for f in faults if f.kind in ("cut_at", "drip")])
        kind = next((f.get("value", "text/plain") for f in faults if f.kind == "content_type"), PLAIN)
        out = dumps(entities).encode()
        reply.begin(200, {"content-type": kind}, len(out))
        data.write(out)
        reply.end()

    def entity(self, statement):
        words = statement[:-1].split()
        upper = [w.upper() for w in words]
        extended = upper[-1] == "EXTENDED"
        plain = upper[:-1] if extended else upper
        with self.world.changed:
            for kind, is_table in (("streams", False), ("tables", True)):
                if plain in (["LIST", kind.upper()], ["SHOW", kind.upper()]):
                    sources = [s for s in sorted(self.world.sources.values(), key=lambda s: s.name) if s.is_table == is_table]
                    if extended:
                        return {"@type": "source_descriptions", "statementText": statement, "sourceDescriptions": [s.described(True) for s in sources], "warnings": []}
                    return {"@type": kind, "statementText": statement, kind: [s.listed() for s in sources], "warnings": []}
            if plain in (["LIST", "TOPICS"], ["SHOW", "TOPICS"]):
                return {"@type": "kafka_topics", "statementText": statement, "topics": [{"name": s.topic, "replicaInfo": [1] * len(s.logs)} for s in self.world.sources.values()], "warnings": []}
            if plain in (["LIST", "QUERIES"], ["SHOW", "QUERIES"]):
                return {"@type": "queries", "statementText": statement, "queries": [], "warnings": []}
            if found := re.fullmatch(r"DESCRIBE\s+(?:(`(?:[^`]|``)+`)|([A-Za-z_]\w*))(\s+EXTENDED)?\s*;", statement, re.I):
                name = found[1][1:-1].replace("``", "`") if found[1] else found[2].upper()
                if name not in self.world.sources:
                    raise StatementError(f"Could not find STREAM/TABLE '{name}' in the Metastore")
                return {"@type": "sourceDescription", "statementText": statement, "sourceDescription": self.world.sources[name].described(bool(found[3])), "warnings": []}
        if upper[0] in ("SELECT", "PRINT"):
            raise StatementError("The following statement types should be issued to the websocket endpoint '/query':\n\t* PRINT\n\t* SELECT", 40002)
        raise StatementError(f"line 1:1: Syntax Error\n\nStatement: {statement}")

    # ---- queries ----

    def query(self, request, reply, body, faults):
        text, properties = (body.get("ksql"), body.get("streamsProperties")) if request.path == "/query" else (body.get("sql"), body.get("properties"))
        member = "ksql" if request.path == "/query" else "sql"
        if not isinstance(text, str):
            raise bad(40000, f"Invalid JSON in request: Missing required creator property '{member}' (index 0)")
        form = accepted(request.path, request.headers.get("accept"))
        if form is None:
            raise HttpError(406, b"")
        if not text.strip().upper().startswith("SELECT") and re.match(r"\s*(LIST|SHOW|DESCRIBE|CREATE|DROP|INSERT|TERMINATE)\b", text, re.I):
            raise StatementError(f"Statement type `{text.split()[0]}` not supported for this resource")
        reset = (properties or {}).get("auto.offset.reset", (properties or {}).get("ksql.streams.auto.offset.reset", "latest"))
        if reset not in ("earliest", "latest"):
            raise StatementError(f"Invalid value {reset} for configuration auto.offset.reset: String must be one of: latest, earliest, none")
        with self.world.changed:
            query = Query(self.world, text)
            if query.push:
                place = [log.start if reset == "earliest" else log.end for log in query.source.logs]
                with self.lock:
                    self.queries[query.id] = query
        try:
            kind = next((f.get("value", "text/plain") for f in faults if f.kind == "content_type"), form)
            form = ROWS if request.path == "/query" else form  # whatever it is called
            reply.begin(200, {"content-type": kind})
            silent = next((f for f in faults if f.kind == "silent"), None)
            if silent and not silent.get("header", True):
                reply.flush()
                time.sleep(silent.get("seconds", 1))
            out = Form(form, Body(reply, faults), query)
            out.header()
            if silent and silent.get("header", True):
                reply.flush()
                time.sleep(silent.get("seconds", 1))
            if query.push:
                message = self.push(query, out, reply, place)
            else:
                message = self.pull(query, out)
            if message is not False:
                out.end(message)
            reply.end()
        finally:
            with self.lock:
                self.queries.pop(query.id, None)

    def pull(self, query, out):
        """Returns the final message, None for none, False after an error row."""
        with self.world.changed:
            source = query.source
            if source.is_table:
                records = list(source.state.values())
            else:
                records = [r for log in source.logs for r in log.records]
        left = query.select.limit
        for record in records:
            if query.where and not query.where(record):
                continue
            if left == 0:
                return None if source.is_table else "Limit Reached"
            if not out.row(query.texts(record)):
                return False
            left = None if left is None else left - 1
        return None if source.is_table else "Query Completed"

    def push(self, query, out, reply, place):
        """Rows as they come, in the order of each partition, until the limit, /close-query or the client has gone."""
        source, left = query.source, query.select.limit
        if left == 0:
            return "Limit Reached"
        while True:
            with self.world.changed:
                if self.world.sources.get(source.name) is not source or query.closed:
                    return None
                batch = []
                for i, log in enumerate(source.logs):
                    place[i] = max(place[i], log.start)
                    batch += log.records[place[i] - log.start:place[i] - log.start + 500]
                    place[i] = min(place[i] + 500, log.end)
            for record in batch:
                if query.where and not query.where(record):
                    continue
                if not out.row(query.texts(record), tombstone=record.values is None):
                    return False
                if left is not None:
                    left -= 1
                    if left == 0:
                        return "Limit Reached"
            if batch:
                continue
            reply.flush()
            if reply.gone():
                raise ClientGone
            beats = out.body.faults.get("heartbeats")
            with self.world.changed:
                if not query.closed and all(place[i] >= log.end for i, log in enumerate(source.logs)):
                    self.world.changed.wait(beats.get("every", 0.1) if beats else 0.1)
            if beats and out.form == ROWS:
                out.body.raw(b"\n")

    # ---- what a test asks ----

    def control(self, request):
        body = json.loads(request.body or b"{}", parse_float=Decimal)
        what, world = request.path[len("/__test__/"):], self.world
        if what == "append":
            return {"places": world.append(body["source"], body["rows"])}
        if what == "delete":
            return {"places": world.delete_rows(body["source"], body["keys"])}
        if what == "create":
            world.create(body.pop("name"), **body)
        elif what == "recreate":
            world.recreate(body["source"], body.get("columns"), body.get("partitions"))
        elif what == "drop":
            world.drop(body["source"])
        elif what == "retain":
            return {"gone": world.retain(body["source"], body.get("before_ms"), body.get("offsets"))}
        elif what == "transactions":
            world.shop.add(body["count"], body.get("days_back"))
        elif what == "faults":
            with self.lock:
                self.faults = [Fault(f) for f in body["faults"]]
        elif what == "hits":
            with self.lock:
                return {"hits": [f.hits for f in self.faults]}
        elif what == "rows":
            return {"rows": world.rows(body["source"])}
        elif what == "requests":
            with self.lock:
                out = list(self.requests)
                if body.get("clear"):
                    self.requests.clear()
            return {"requests": out}
        elif what == "queries":
            with self.lock:
                return {"open": sorted(self.queries)}
        elif what == "listen":
            if body["on"] and not self.listener.socket:
                self.listener.open()
            elif not body["on"]:
                self.listener.close()
        else:
            raise HttpError(404, generic(40400, f"no control {what!r}"))
        return {"ok": True}
