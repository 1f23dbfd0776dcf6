"""The double of ksqlDB against the facts about the real one: exact bodies, writes, codes, and each scripted fault as a client sees it."""
import http.client
import itertools
import json
import socket
import threading
import urllib.request

import pytest
from servers.ksqldb import KsqlDB

ROWS, DELIMITED = "application/vnd.ksql.v1+json", "application/vnd.ksqlapi.delimited.v1"
EARLIEST = {"auto.offset.reset": "earliest"}
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def ksql(tmp_path_factory):
    with KsqlDB(tmp_path_factory.mktemp("ksql"), scenario="seed,types", events=60, today="2025-01-15") as server:
        yield server
        assert server.process.poll() is None and "Traceback" not in server.log_end(1000), server.log_end()


@pytest.fixture
def views(ksql):
    """A stream and a table as in the reference, with names of this test."""
    number = next(NUMBERS)
    stream, table = f"S_{number}", f"T_{number}"
    ksql.control("create", name=stream, is_table=False, columns=[["USERID", "STRING", "KEY"], ["PAGEID", "STRING"], ["VIEWTIME", "BIGINT"]], partitions=2)
    ksql.control("create", name=table, is_table=True, columns=[["USERID", "STRING", "KEY"], ["COUNT", "BIGINT"]], partitions=1)
    for i in range(4):
        ksql.append(stream, {"values": {"USERID": f"USER_{i}", "PAGEID": "PAGE_1", "VIEWTIME": i}, "partition": i % 2, "rowtime": 1000 + i})
        ksql.append(table, {"values": {"USERID": f"USER_{i}", "COUNT": i}, "rowtime": 1000})
    yield stream, table
    ksql.faults()
    ksql.control("drop", source=stream)
    ksql.control("drop", source=table)


def ask(ksql, sql, accept=ROWS, path="/query-stream", properties=EARLIEST):
    body = {"sql": sql, "properties": properties} if path == "/query-stream" else {"ksql": sql, "streamsProperties": properties}
    return ksql.post(path, body, {"accept": accept} if accept else {})


def lines(answer):
    status, _, body = answer
    assert status == 200
    return body.decode().split("\n")


# ---- what a server says of itself -----------------------------------------------------------------------------------
def test_info_and_where_to_find_it(ksql):
    connection = http.client.HTTPConnection("127.0.0.1", ksql.port)
    connection.request("GET", "/")
    reply = connection.getresponse()
    assert (reply.status, reply.getheader("location"), reply.read()) == (307, "/info", b"")
    with urllib.request.urlopen(ksql.uri + "/info") as reply:
        info = json.load(reply)["KsqlServerInfo"]
    assert set(info) == {"version", "kafkaClusterId", "ksqlServiceId", "serverStatus"} and info["serverStatus"] == "RUNNING"


def test_lists(ksql):
    status, _, body = ksql.post("/ksql", {"ksql": "LIST STREAMS;"})
    first = '[{"@type":"streams","statementText":"LIST STREAMS;","streams":[{"type":"STREAM","name":"ALL_TYPES","topic":"all_types","keyFormat":"KAFKA","valueFormat":"JSON","isWindowed":false},'
    assert status == 200 and body.decode().startswith(first) and body.endswith(b'],"warnings":[]}]')
    tables = json.loads(ksql.post("/ksql", {"ksql": "show tables;"})[2])[0]
    assert tables["@type"] == "tables" and [t["name"] for t in tables["tables"] if t["name"].startswith("USER")] == ["USER_TRANSACTION_SUMMARY", "USER_TRANSACTION_SUMMARY_EUR"]


def test_describe(ksql):
    described = json.loads(ksql.post("/ksql", {"ksql": "DESCRIBE transaction_stream;"})[2])[0]
    assert described["@type"] == "sourceDescription"
    source = described["sourceDescription"]
    assert source["fields"][0] == {"name": "TRANSACTION_ID", "schema": {"type": "STRING", "fields": None, "memberSchema": None}, "type": "KEY"}
    assert source["fields"][3] == {"name": "AMOUNT", "schema": {"type": "DECIMAL", "fields": None, "memberSchema": None, "parameters": {"precision": 10, "scale": 2}}}
    assert source["fields"][6]["schema"]["memberSchema"]["fields"][2] == {"name": "QUANTITY", "schema": {"type": "INTEGER", "fields": None, "memberSchema": None}}
    assert (source["topic"], source["keyFormat"], source["valueFormat"], source["partitions"], source["extended"]) == ("transaction_stream", "KAFKA", "JSON", 0, False)
    assert json.loads(ksql.post("/ksql", {"ksql": "DESCRIBE `TRANSACTION_STREAM` EXTENDED;"})[2])[0]["sourceDescription"]["partitions"] == 4
    status, _, body = ksql.post("/ksql", {"ksql": "DESCRIBE nothing;"})
    assert status == 400 and json.loads(body) == {"@type": "statement_error", "error_code": 40001, "message": "Could not find STREAM/TABLE 'NOTHING' in the Metastore",
                                                  "statementText": "DESCRIBE nothing;", "entities": []}


# ---- the three forms ------------------------------------------------------------------------------------------------
def test_push_query_as_streamed_rows(ksql, views):
    got = lines(ask(ksql, f"SELECT * FROM {views[0]} WHERE ROWPARTITION = 1 EMIT CHANGES LIMIT 2;"))
    assert got[0].startswith('[{"header":{"queryId":"transient_') and got[0].endswith('","schema":"`USERID` STRING, `PAGEID` STRING, `VIEWTIME` BIGINT"}},')
    assert got[1:] == ['{"row":{"columns":["USER_1","PAGE_1",1]}},', '{"row":{"columns":["USER_3","PAGE_1",3]}},', '{"finalMessage":"Limit Reached"}]']


def test_pull_query_of_a_table(ksql, views):
    got = lines(ask(ksql, f"SELECT `COUNT`, USERID FROM {views[1]};"))
    assert got[0].endswith('"schema":"`COUNT` BIGINT, `USERID` STRING KEY"}},')
    assert got[1] == '{"row":{"columns":[0,"USER_0"]}},' and got[-1] == '{"row":{"columns":[3,"USER_3"]}}]'
    assert lines(ask(ksql, f"SELECT * FROM {views[1]} WHERE USERID = 'nobody';"))[0].endswith("}}]")


def test_pull_query_of_a_stream(ksql, views):
    got = lines(ask(ksql, f"SELECT USERID FROM {views[0]};"))
    assert len(got) == 6 and got[-1] == '{"finalMessage":"Query Completed"}]' and "KEY" not in got[0]


def test_delimited_and_plain(ksql, views):
    status, headers, body = ask(ksql, f"SELECT * FROM {views[0]} EMIT CHANGES LIMIT 1;", accept=None)
    head, row, end = body.decode().split("\n")
    assert status == 200 and headers["content-type"] == DELIMITED and end == ""
    assert head.endswith('"columnNames":["USERID","PAGEID","VIEWTIME"],"columnTypes":["STRING","STRING","BIGINT"]}') and row == '["USER_0","PAGE_1",0]'
    plain = json.loads(ask(ksql, f"SELECT * FROM {views[0]} EMIT CHANGES LIMIT 1;", accept="application/json")[2])
    assert plain[0]["columnTypes"] == ["STRING", "STRING", "BIGINT"] and plain[1:] == [["USER_0", "PAGE_1", 0]]


@pytest.mark.parametrize("path, accept, kind", [
    ("/query", None, ROWS), ("/query", "application/json", "application/json"), ("/query", ROWS, ROWS), ("/query", "*/*", ROWS),
    ("/query-stream", None, DELIMITED), ("/query-stream", "*/*", DELIMITED), ("/query-stream", DELIMITED, DELIMITED), ("/query-stream", "application/json", "application/json"),
    ("/query-stream", ROWS, ROWS), ("/query-stream", "text/html, application/vnd.ksql.v1+json;q=0.5, application/json;q=0.1", ROWS),
    ("/query", "text/plain", None), ("/query-stream", "application/x-parquet", None), ("/query", DELIMITED, None), ("/query-stream", "application/json;q=0", None)])
def test_forms_by_accept(ksql, views, path, accept, kind):
    status, headers, body = ask(ksql, f"SELECT USERID FROM {views[1]};", accept, path)
    if kind is None:
        assert status == 406
    else:
        assert status == 200 and headers["content-type"] == kind
        streamed = kind == ROWS or path == "/query"
        assert body.startswith(b'[{"header"' if streamed else b'{"queryId"' if kind == DELIMITED else b'[{"queryId"')


def test_tombstones(ksql, views):
    ksql.control("delete", source=views[1], keys=[{"USERID": "USER_2"}])
    got = lines(ask(ksql, f"SELECT `COUNT`, USERID FROM {views[1]} EMIT CHANGES LIMIT 5;"))
    assert got[-2] == '{"row":{"columns":[null,"USER_2"],"tombstone":true}},'
    assert all("USER_2" not in line for line in lines(ask(ksql, f"SELECT * FROM {views[1]};")))
    got = lines(ask(ksql, f"SELECT `COUNT`, USERID FROM {views[1]} EMIT CHANGES LIMIT 5;", accept=DELIMITED))
    assert len(got) == 6, "the delimited form drops it"


# ---- statements -----------------------------------------------------------------------------------------------------
def test_pseudo_columns(ksql, views):
    got = lines(ask(ksql, f"SELECT ROWTIME, ROWPARTITION AS P, ROWOFFSET AS `o`, v.USERID FROM {views[0]} v WHERE (ROWPARTITION = 0 AND ROWOFFSET > 0) OR (ROWPARTITION = 1 AND ROWOFFSET >= 1) EMIT CHANGES LIMIT 2;"))
    assert '"schema":"`ROWTIME` BIGINT, `P` INTEGER, `o` BIGINT, `USERID` STRING"' in got[0]
    assert got[1:3] == ['{"row":{"columns":[1002,0,1,"USER_2"]}},', '{"row":{"columns":[1003,1,1,"USER_3"]}},']
    status, _, body = ask(ksql, f"SELECT ROWOFFSET, ROWPARTITION FROM {views[0]};")
    assert status == 400 and json.loads(body)["message"].startswith("Pull queries don't support the following columns in SELECT clauses: `ROWOFFSET`, `ROWPARTITION`\n")
    status, _, body = ask(ksql, f"SELECT USERID FROM {views[0]} WHERE ROWOFFSET > 1;")
    assert status == 400 and json.loads(body)["message"].startswith("Pull queries don't support the following columns in WHERE clauses: `ROWOFFSET`\n")


@pytest.mark.parametrize("where, users", [
    ("USERID = 'USER_1'", [1]), ("viewtime BETWEEN 1 AND 2", [1, 2]), ("USERID IN ('USER_0', 'USER_3')", [0, 3]), ("NOT (VIEWTIME < 3)", [3]), ("PAGEID IS NULL", []), ("PAGEID IS NOT NULL AND VIEWTIME <> 0", [1, 2, 3]),
    ("VIEWTIME > -1 AND (VIEWTIME = 0 OR VIEWTIME = 3)", [0, 3]), ("ROWTIME >= 1002", [2, 3])])
def test_where(ksql, views, where, users):
    got = lines(ask(ksql, f"SELECT VIEWTIME FROM {views[0]} WHERE {where};"))
    assert sorted(json.loads(line.rstrip(","))["row"]["columns"][0] for line in got[1:-1]) == users


@pytest.mark.parametrize("sql", [
    "SELECT COUNT(*) FROM {} EMIT CHANGES;", "SELECT USERID FROM {} GROUP BY USERID EMIT CHANGES;", "SELECT * FROM {} WHERE VIEWTIME + 1 > 2;", "SELECT * FROM {} a JOIN {} b ON a.USERID = b.USERID EMIT CHANGES;",
    "SELECT *, USERID FROM {};", "SELECT FROM {};", "SELECT nothing FROM {};", "SELECT * FROM {} WHERE nothing = 1;", "SELECT * FROM nowhere;", "SELECT * FROM {} EMIT FINAL;", "SELECT * FROM {} LIMIT x;",
    "SELECT * FROM {} WHERE USERID LIKE 'U%';", "SELECT 'x' FROM {};", "SELEKT * FROM {};", "SELECT `userid` FROM {};", "SELECT * FROM {} WHERE USERID = 'open", "SELECT * FROM {}; SELECT * FROM {};"])
def test_what_it_cannot_do_is_refused(ksql, views, sql):
    status, _, body = ask(ksql, sql.format(views[0], views[0]))
    error = json.loads(body)
    assert status == 400 and list(error) == ["@type", "error_code", "message", "statementText", "entities"]
    assert (error["@type"], error["error_code"], error["statementText"], error["entities"]) == ("statement_error", 40001, sql.format(views[0], views[0]), [])


def test_syntax_errors_say_where(ksql):
    assert json.loads(ask(ksql, "SELECT * FROM a\nGROUP x;")[2])["message"] == "line 2:1: Syntax Error\n\nStatement: SELECT * FROM a\nGROUP x;"
    status, _, body = ksql.post("/ksql", {"ksql": "SELECT * FROM a;"})
    assert status == 400 and json.loads(body)["error_code"] == 40002


def test_request_members(ksql, views):
    """/query-stream ignores what it does not know, streamsProperties too: the query then starts at the end."""
    status, _, body = ksql.post("/query-stream", {"ksql": "SELECT 1;"})
    assert status == 400 and json.loads(body)["error_code"] == 40000 and "'sql'" in json.loads(body)["message"]
    assert ksql.post("/query", {"sql": "SELECT 1;"})[0] == 400
    assert ksql.post("/query-stream", [])[0] == 400

    def later():
        while not ksql.control("queries")["open"]:
            pass
        ksql.append(views[0], {"USERID": "late"})

    writer = threading.Thread(target=later)
    writer.start()
    got = lines(ksql.post("/query-stream", {"sql": f"SELECT USERID FROM {views[0]} EMIT CHANGES LIMIT 1;", "streamsProperties": EARLIEST, "more": 1}, {"accept": ROWS}))
    writer.join()
    assert got[1] == '{"row":{"columns":["late"]}},'


def test_tables_that_cannot_be_pulled(ksql):
    ksql.control("create", name="RAW", is_table=True, columns=[["K", "STRING", "KEY"]], queryable=False)
    status, _, body = ask(ksql, "SELECT * FROM RAW;")
    assert status == 400 and json.loads(body)["message"].startswith("The `RAW` table isn't queryable.")
    ksql.append("RAW", {"K": "a"})
    assert '{"row":{"columns":["a"]}},' in lines(ask(ksql, "SELECT * FROM RAW EMIT CHANGES LIMIT 1;"))
    ksql.control("drop", source="RAW")


def test_values(ksql):
    got = {json.loads(line.rstrip(","))["row"]["columns"][0]: line for line in lines(ask(ksql, "SELECT * FROM ALL_TYPES EMIT CHANGES LIMIT 4;"))[1:-1]}
    assert '9223372036854775807,1.5e+300,' in got["row 0"] and ',-1234567890123456789012345678.0123456789,99999,"1969-07-20","10:00","1969-07-20T20:17:40.001",[1,null,-3],{"one":1,"ünï":null},' in got["row 0"]
    assert '[{"K":"k","M":{"x":[0.01,null]},"T":"2024-02-29T23:59:59.999"},null,{"K":null,"M":{},"T":null}]' in got["row 0"] and ',0.0000000001,' in got["row 1"]
    head = lines(ask(ksql, "SELECT DEEP, `lower case` FROM ALL_TYPES_TABLE;"))[0]
    assert "`DEEP` ARRAY<STRUCT<`K` STRING, `M` MAP<STRING, ARRAY<DECIMAL(10, 2)>>, `T` TIMESTAMP>>, `lower case` STRING" in head


# ---- push queries live, and end -------------------------------------------------------------------------------------
def test_close_query(ksql, views):
    done = []
    reader = threading.Thread(target=lambda: done.append(lines(ask(ksql, f"SELECT USERID FROM {views[0]} EMIT CHANGES;"))))
    reader.start()
    while not (queries := ksql.control("queries")["open"]):
        pass
    assert ksql.post("/close-query", {"queryId": queries[0]})[0] == 200
    reader.join(30)
    assert len(done[0]) == 6 and done[0][-1] == "]"
    assert ksql.post("/close-query", {"queryId": queries[0]})[0] == 400 and ksql.control("queries")["open"] == []


def test_a_client_that_goes_ends_its_query(ksql, views):
    connection = http.client.HTTPConnection("127.0.0.1", ksql.port)
    connection.request("POST", "/query-stream", json.dumps({"sql": f"SELECT USERID FROM {views[0]} EMIT CHANGES;"}), {"content-type": "application/json"})
    connection.getresponse().readline()
    connection.close()
    while ksql.control("queries")["open"]:
        pass


def test_writes(ksql, views):
    """Each object of a push query is a chunk with its comma, the bracket is in the header's; a table's pull query is held back."""
    def chunks(sql):
        with socket.create_connection(("127.0.0.1", ksql.port)) as s:
            body = json.dumps({"sql": sql, "properties": EARLIEST})
            s.sendall(f"POST /query-stream HTTP/1.1\r\nhost: x\r\naccept: {ROWS}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
            data = b""
            while got := s.recv(65536):
                data += got
        head, data = data.split(b"\r\n\r\n", 1)
        assert b"transfer-encoding: chunked" in head
        out = []
        while True:
            size, data = data.split(b"\r\n", 1)
            if size == b"0":
                return out
            out.append(data[:int(size, 16)])
            data = data[int(size, 16) + 2:]

    got = chunks(f"SELECT USERID FROM {views[0]} EMIT CHANGES LIMIT 1;")
    assert got[0].startswith(b'[{"header"') and got[0].endswith(b"}},\n") and got[1:] == [b'{"row":{"columns":["USER_0"]}},\n', b'{"finalMessage":"Limit Reached"}', b"]"]
    assert len(chunks(f"SELECT * FROM {views[1]};")) == 1
    assert len(chunks("SELECT * FROM USER_TRANSACTION_SUMMARY;")) == 1 + sum(len(c) for c in chunks("SELECT * FROM USER_TRANSACTION_SUMMARY;")) // 5500


# ---- topics ---------------------------------------------------------------------------------------------------------
def test_retention_and_a_stream_made_anew(ksql, views):
    assert ksql.control("retain", source=views[0], offsets={"0": 1})["gone"] == 1
    got = lines(ask(ksql, f"SELECT ROWPARTITION, ROWOFFSET FROM {views[0]} WHERE ROWPARTITION = 0 EMIT CHANGES LIMIT 1;"))
    assert got[1] == '{"row":{"columns":[0,1]}},'
    assert ksql.control("retain", source=views[0], before_ms=1003)["gone"] == 2
    ksql.control("recreate", source=views[0])
    assert ksql.rows(views[0]) == [] and ksql.append(views[0], {"values": {"USERID": "new"}, "partition": 1}) == [[1, 0]]


def test_the_seed_is_the_same_twice_and_adds_up(tmp_path, ksql):
    with KsqlDB(tmp_path / "again", scenario="seed", events=60, today="2025-01-15") as again:
        for name in ("TRANSACTION_STREAM", "TRANSACTION_FLATTENED", "USER_TRANSACTION_SUMMARY"):
            assert again.rows(name) == ksql.rows(name)
    events = ksql.rows("TRANSACTION_STREAM")
    assert len(events) == len(ksql.rows("TRANSACTION_STREAM_ANONYMIZED")) == 60 and {e["ROWPARTITION"] for e in events} == {0, 1, 2, 3}
    by_user = {}
    for e in events:
        n, total = by_user.get(e["USER_ID"], (0, 0))
        by_user[e["USER_ID"]] = n + 1, total + e["AMOUNT"]
    assert {r["USER_ID"]: (r["TRANSACTION_COUNT"], r["TOTAL_AMOUNT"]) for r in ksql.rows("USER_TRANSACTION_SUMMARY")} == by_user
    lines_of = ksql.rows("TRANSACTION_FLATTENED")
    assert sum(r["TOTAL_QUANTITY"] for r in ksql.rows("PRODUCT_PURCHASE_COUNTS")) == sum(line["QUANTITY"] for line in lines_of)
    assert sum(r["TOTAL_AMOUNT"] for r in ksql.rows("PAYMENT_METHOD_TOTALS")) == sum(line["LINE_TOTAL"] for line in lines_of)
    assert min(e["ROWTIME"] for e in events) < 1736899200000 - 365 * 86_400_000


# ---- faults ---------------------------------------------------------------------------------------------------------
def broken(ksql, sql, **options):
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as caught:
        ask(ksql, sql, **options)
    return getattr(caught.value, "partial", b"")


def test_fault_cut(ksql, views):
    sql = f"SELECT USERID FROM {views[0]} EMIT CHANGES LIMIT 4;"
    whole = ask(ksql, sql)[2]
    ksql.faults({"kind": "cut", "rows": 2, "bytes": 7})
    assert broken(ksql, sql).endswith(b'{"row":{"columns":["USER_2"]}},\n{"row":')
    for n in (0, 1, 50, len(whole) - 1):
        ksql.faults({"kind": "cut_at", "bytes": n, "clean": True})
        assert len(ask(ksql, sql)[2]) == n
    ksql.faults({"kind": "cut_at", "bytes": 40, "reset": True})
    broken(ksql, sql)


def test_fault_error_row(ksql, views):
    ksql.faults({"kind": "error_row", "rows": 1, "message": "lost"})
    sql = f"SELECT USERID FROM {views[0]} EMIT CHANGES LIMIT 4;"
    error = '{"@type":"generic_error","error_code":50000,"message":"lost"}'
    assert lines(ask(ksql, sql))[1:] == ['{"row":{"columns":["USER_0"]}},', '{"errorMessage":' + error + "},", "]"]
    assert lines(ask(ksql, sql, accept=None))[1:] == ['["USER_0"]', error, ""]
    assert lines(ask(ksql, f"SELECT USERID FROM {views[1]};"))[-1] == '{"errorMessage":' + error + "}]"
    ksql.faults({"kind": "error_row", "rows": 1, "message": "lost", "old": True})
    assert ask(ksql, sql)[2].endswith(b"}},\n")


def test_fault_before_the_stream(ksql, views):
    sql = f"SELECT * FROM {views[1]};"
    ksql.faults({"kind": "unavailable", "times": 2, "retry_after": 3})
    for _ in range(2):
        status, headers, body = ask(ksql, sql)
        assert (status, headers["retry-after"], json.loads(body)["error_code"]) == (503, "3", 50302)
    assert ask(ksql, sql)[0] == 200 and ksql.control("hits")["hits"] == [2]
    ksql.faults({"kind": "html"})
    status, headers, body = ask(ksql, sql)
    assert status == 502 and headers["content-type"] == "text/html" and b"<html>" in body
    ksql.faults({"kind": "content_type", "value": "text/plain"})
    assert ask(ksql, sql)[1]["content-type"] == "text/plain"
    ksql.faults({"kind": "http2_only", "path": "/query-stream"})
    status, _, body = ask(ksql, sql)
    assert status == 400 and body == b'{"@type":"generic_error","error_code":40004,"message":"This endpoint is only available when using HTTP2"}'
    assert ask(ksql, sql, path="/query")[0] == 200
    ksql.faults({"kind": "status", "status": 429, "message": "slow down", "match": views[1]})
    assert ask(ksql, sql)[0] == 429 and ask(ksql, f"SELECT * FROM {views[0]};")[0] == 200


def test_fault_in_the_stream(ksql, views):
    sql = f"SELECT USERID FROM {views[0]} EMIT CHANGES LIMIT 2;"
    whole = ask(ksql, sql)[2].split(b"\n", 1)[1]
    ksql.faults({"kind": "heartbeats", "count": 3}, {"kind": "drip"})
    assert ask(ksql, sql)[2].split(b"\n", 1)[1].replace(b"\n\n\n{", b"{") == whole
    ksql.faults({"kind": "unknown_keys"})
    got = lines(ask(ksql, sql))
    assert got[1] == '{"consistencyToken":{"consistencyToken":"t1"}},' and got[3] == '{"sourceHost":{"host":"ksql-1","port":8088},"row":{"newMember":[{}],"columns":["USER_0"]}},'
    ksql.faults({"kind": "bad_end"})
    assert ask(ksql, sql)[2].endswith(b'["USER_2"]}},\n')
    ksql.faults({"kind": "no_final"})
    assert ask(ksql, sql)[2].endswith(b'["USER_2"]}},\n]')
    ksql.faults({"kind": "short_row", "rows": 1})
    assert '{"row":{"columns":["PAGE_1",2]}},' in lines(ask(ksql, f"SELECT * FROM {views[0]} EMIT CHANGES LIMIT 2;"))


def test_refused_connections(tmp_path):
    with KsqlDB(tmp_path, scenario="empty") as server:
        server.control("listen", on=False)
        with pytest.raises(OSError):
            server.post("/ksql", {"ksql": "LIST STREAMS;"})
        server.control("listen", on=True)
        assert server.post("/ksql", {"ksql": "LIST STREAMS;"})[0] == 200


# ---- who may, and over what -----------------------------------------------------------------------------------------
def test_basic_auth_tls_and_http2(tmp_path):
    with KsqlDB(tmp_path, scenario="seed", events=20, tls=True, user="firn", password="p:w") as server:
        assert server.post("/ksql", {"ksql": "LIST STREAMS;"})[0] == 200
        status, headers, body = server.post("/ksql", {"ksql": "LIST STREAMS;"}, {"authorization": "Basic eDp5"})
        assert status == 401 and json.loads(body)["error_code"] == 40100 and headers["www-authenticate"].startswith("Basic")
    with KsqlDB(tmp_path / "token", scenario="empty", token="t0") as server:
        assert server.post("/ksql", {"ksql": "LIST STREAMS;"})[0] == 401
        assert server.post("/ksql", {"ksql": "LIST STREAMS;"}, {"authorization": "Bearer t0"})[0] == 200


def test_http2_prior_knowledge(ksql, views):
    import h2.connection
    import h2.events

    ksql.faults({"kind": "http2_only"})
    client = h2.connection.H2Connection()
    body = json.dumps({"sql": "SELECT * FROM TRANSACTION_STREAM;"}).encode()
    client.initiate_connection()
    client.send_headers(1, [(":method", "POST"), (":path", "/query-stream"), (":scheme", "http"), (":authority", "x"), ("accept", ROWS), ("content-length", str(len(body)))])
    client.send_data(1, body, end_stream=True)
    got, ended, headers = b"", False, {}
    with socket.create_connection(("127.0.0.1", ksql.port)) as s:
        s.sendall(client.data_to_send())
        while not ended:
            for event in client.receive_data(s.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    got += event.data
                    client.acknowledge_received_data(event.flow_controlled_length, 1)
                elif isinstance(event, h2.events.ResponseReceived):
                    headers = {k.decode(): v.decode() for k, v in event.headers}
                elif isinstance(event, h2.events.StreamEnded):
                    ended = True
            s.sendall(client.data_to_send())
    assert headers[":status"] == "200" and headers["content-type"] == ROWS
    assert got.endswith(b'{"finalMessage":"Query Completed"}]') and got.count(b'{"row"') == 60
