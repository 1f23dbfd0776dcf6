"""HTTP/1.1 and HTTP/2 for the ksqlDB double: every write is a chunk (or a DATA frame) of its own, and a body can be broken off anywhere.

A handler gets a Request and a Reply: begin(), write() as often as it likes, end() - or abort(), which cuts the connection there.
"""
import contextlib
import select
import socket
import ssl
import struct
import threading

REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           406: "Not Acceptable", 415: "Unsupported Media Type", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SEND_BYTES = 64 << 10
HEADER_BYTES_MAX, BODY_BYTES_MAX = 64 << 10, 64 << 20


class ClientGone(Exception):
    pass


class Request:
    def __init__(self, method, path, headers, body, version):
        self.method, self.path, self.headers, self.body, self.version = method, path.split("?")[0], headers, body, version


class Listener:
    """Accepts connections on 127.0.0.1 and gives each request to `handle(request, reply)`, on a thread of the connection."""

    def __init__(self, port, handle, tls=None):
        self.handle, self.tls = handle, tls
        self.socket, self.port, self.connections = None, port, set()
        self.lock = threading.Lock()
        self.open()

    def open(self):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", self.port))
        s.listen(128)
        self.port, self.socket = s.getsockname()[1], s
        threading.Thread(target=self.accept, args=(s,), daemon=True).start()

    def close(self):
        """From here on connections are refused, and those that are open are cut."""
        s, self.socket = self.socket, None
        if s:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
        with self.lock:
            for connection in list(self.connections):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def accept(self, listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, raw):
        connection = raw
        with self.lock:
            self.connections.add(raw)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            two = False
            if self.tls:
                connection = self.tls.wrap_socket(raw, server_side=True)
                two = connection.selected_alpn_protocol() == "h2"
            else:
                two = raw.recv(4, socket.MSG_PEEK | socket.MSG_WAITALL) == PREFACE[:4]
            if two:
                from . import ksqldb_http2
                ksqldb_http2.Connection(connection, self.handle).serve()
            else:
                serve_one(connection, self.handle)
        except (OSError, ssl.SSLError, ClientGone, ValueError):
            pass
        finally:
            with self.lock:
                self.connections.discard(raw)
            with contextlib.suppress(OSError):
                connection.close()


def serve_one(connection, handle):
    """HTTP/1.1, requests one after the other."""
    rest = b""
    while True:
        while b"\r\n\r\n" not in rest:
            got = connection.recv(65536)
            if not got or len(rest) > HEADER_BYTES_MAX:
                return
            rest += got
        head, rest = rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body, rest = read_body(connection, headers, rest)
        reply = Reply(connection)
        handle(Request(method, path, headers, body, "1.1"), reply)
        if not reply.ended:
            return
        if headers.get("connection", "").lower() == "close":
            return


def read_body(connection, headers, rest):
    def more(rest):
        got = connection.recv(1 << 20)
        if not got:
            raise ClientGone
        return rest + got

    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while True:
            while b"\r\n" not in rest:
                rest = more(rest)
            size, rest = rest.split(b"\r\n", 1)
            n = int(size.split(b";")[0], 16)
            while len(rest) < n + 2:
                rest = more(rest)
            body, rest = body + rest[:n], rest[n + 2:]
            if n == 0:
                return body, rest
            if len(body) > BODY_BYTES_MAX:
                raise ClientGone
    n = int(headers.get("content-length", "0"))
    if n > BODY_BYTES_MAX:
        raise ClientGone
    while len(rest) < n:
        rest = more(rest)
    return rest[:n], rest[n:]


class Reply:
    """Of HTTP/1.1: chunked, unless `length` is given at begin()."""

    def __init__(self, connection):
        self.connection, self.pending, self.pending_bytes = connection, [], 0
        self.begun = self.ended = self.chunked = False

    def begin(self, status, headers, length=None):
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}", *(f"{k}: {v}" for k, v in headers.items())]
        self.begun, self.chunked = True, length is None
        lines.append("transfer-encoding: chunked" if self.chunked else f"content-length: {length}")
        self.put(("\r\n".join(lines) + "\r\n\r\n").encode())

    def put(self, data):
        self.pending.append(data)
        self.pending_bytes += len(data)
        if self.pending_bytes >= SEND_BYTES:
            self.flush()

    def write(self, data):
        if data:
            self.put(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def flush(self):
        data, self.pending, self.pending_bytes = b"".join(self.pending), [], 0
        try:
            self.connection.sendall(data)
        except OSError:
            raise ClientGone from None

    def end(self):
        if self.chunked:
            self.put(b"0\r\n\r\n")
        self.flush()
        self.ended = True

    def abort(self, reset=False):
        """What was written goes out, then the connection ends, in the middle of the body."""
        with contextlib.suppress(ClientGone):
            self.flush()
        with contextlib.suppress(OSError):
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
        raise ClientGone

    def gone(self):
        """Whether the client has hung up."""
        try:
            ready, _, _ = select.select([self.connection], [], [], 0)
            if not ready:
                return False
            if isinstance(self.connection, ssl.SSLSocket):
                return self.connection.pending() == 0 and self.connection.recv(1) == b""
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True
