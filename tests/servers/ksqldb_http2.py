"""HTTP/2 for the ksqlDB double, by the package h2: loaded only when a client speaks it."""
import contextlib
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from .ksqldb_http import ClientGone, Request


class Connection:
    def __init__(self, connection, handle):
        self.socket, self.handle = connection, handle
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.changed = threading.Condition()  # guards h2 and all below
        self.requests, self.reset, self.closed = {}, set(), False

    def serve(self):
        with self.changed:
            self.h2.initiate_connection()
            self.send()
        try:
            while data := self.socket.recv(65536):
                with self.changed:
                    for event in self.h2.receive_data(data):
                        self.happened(event)
                    self.send()
                    self.changed.notify_all()
        except (OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            with self.changed:
                self.closed = True
                self.changed.notify_all()

    def send(self):
        data = self.h2.data_to_send()
        if data:
            try:
                self.socket.sendall(data)
            except OSError:
                self.closed = True
                raise ClientGone from None

    def happened(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.requests[event.stream_id] = (dict(event.headers), [])
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id][1].append(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.reset.add(event.stream_id)
        if isinstance(event, h2.events.StreamEnded):
            headers, parts = self.requests.pop(event.stream_id)
            request = Request(headers[":method"], headers[":path"], headers, b"".join(parts), "2")
            threading.Thread(target=self.answer, args=(request, Reply(self, event.stream_id)), daemon=True).start()

    def answer(self, request, reply):
        with contextlib.suppress(ClientGone, OSError, h2.exceptions.ProtocolError):
            self.handle(request, reply)


class Reply:
    def __init__(self, connection, stream_id):
        self.connection, self.id = connection, stream_id
        self.begun = self.ended = False

    def begin(self, status, headers, length=None):
        fields = [(":status", str(status)), *((k.lower(), str(v)) for k, v in headers.items())]
        if length is not None:
            fields.append(("content-length", str(length)))
        self.begun = True
        with self.connection.changed:
            self.check()
            self.connection.h2.send_headers(self.id, fields)
            self.connection.send()

    def check(self):
        if self.connection.closed or self.id in self.connection.reset:
            raise ClientGone

    def write(self, data):
        c = self.connection
        with c.changed:
            while data:
                self.check()
                room = min(c.h2.local_flow_control_window(self.id), c.h2.max_outbound_frame_size)
                if room <= 0:
                    c.changed.wait(1)
                    continue
                c.h2.send_data(self.id, data[:room])
                c.send()
                data = data[room:]

    def flush(self):
        pass

    def end(self):
        with self.connection.changed:
            self.check()
            self.connection.h2.end_stream(self.id)
            self.connection.send()
        self.ended = True

    def abort(self, reset=False):
        """RST_STREAM: the other requests of the connection go on."""
        with self.connection.changed:
            self.check()
            self.connection.h2.reset_stream(self.id, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self.connection.send()
        raise ClientGone

    def gone(self):
        return self.connection.closed or self.id in self.connection.reset
