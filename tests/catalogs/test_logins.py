"""Logging in at a catalog that asks who is there: another firn with tokens and OAuth2 clients, over https."""
import os
import re
import subprocess
import time

import pytest

from conftest import Peer
from servers import FirnServer, configure

SECRET = "sesame-open-wide"


class ReservedFirn(FirnServer):
    """Does not answer everybody, so being up is what it says itself."""

    def wait_until_it_answers(self, started):
        while time.monotonic() - started < self.start_timeout_s:
            with open(self.log, errors="replace") as log:
                found = re.search(r"(https?://127\.0\.0\.1:\d+)/iceberg", log.read())
            if found:
                self.uri = f"{found[1]}/iceberg"
                return
            assert self.process.poll() is None, self.log_end()
            time.sleep(0.05)
        raise AssertionError(self.log_end())


class GuardedFirn(ReservedFirn):
    def __init__(self, lake):
        super().__init__(lake)
        configure(self.lake, "serve", "auth", "token")
        configure(self.lake, "serve", "token_lifetime", "2s")
        configure(self.lake, "serve", "clients", [{"id": "me", "secret": SECRET, "role": "writer"}])
        configure(self.lake, "serve", "tokens", [{"name": "reader", "token": "read-only-token", "role": "reader"}])


class HttpsFirn(ReservedFirn):
    def __init__(self, lake, cert, key):
        super().__init__(lake)
        configure(self.lake, "serve", "tls_cert", cert)
        configure(self.lake, "serve", "tls_key", key)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with GuardedFirn(tmp_path_factory.mktemp("guarded") / "lake") as server:
        yield Peer("firn", server, {"uri": server.uri, "credential": f"me:{SECRET}"})


def test_a_client_logs_in_and_stays_logged_in(guarded, tmp_path):
    lake = guarded.lake(tmp_path / "lake")
    lake.make_namespace()
    # longer than the life of one token: 2 s
    lake.execute("CREATE TABLE $ns.t (a INT)")
    statements = ";".join(f"INSERT INTO {lake.ns}.t SELECT {i} FROM (SELECT count(*) FROM range(50000000) t(r) WHERE r % 7 = 3)" for i in range(4))
    lake.ok("sql", "-q", "-c", statements)
    assert lake.column("SELECT count(*) FROM $ns.t") == [4]


def test_a_wrong_secret_is_told_and_not_shown(guarded, tmp_path):
    lake = guarded.lake(tmp_path / "lake")
    wrong = type(lake)(tmp_path / "wrong", guarded, credential="me:not-the-right-one")
    text = wrong.fails("sql", "-c", "SHOW SCHEMAS")
    assert "refused the client credentials" in text and "not-the-right-one" not in text


def test_a_reader_may_not_write(guarded, tmp_path):
    writer = guarded.lake(tmp_path / "lake")
    writer.make_namespace()
    reader = type(writer)(tmp_path / "reader", Peer("firn", guarded.server, {"uri": guarded.uri, "token": "read-only-token"}))
    assert writer.ns in reader.column("SHOW SCHEMAS")
    text = reader.refused("CREATE SCHEMA not_mine")
    assert "403" in text and "read-only-token" not in text
    nobody = type(writer)(tmp_path / "nobody", Peer("firn", guarded.server, {"uri": guarded.uri}))
    assert "401" in nobody.fails("sql", "-c", "SHOW SCHEMAS")


def test_https_with_a_certificate_of_our_own(tmp_path):
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    os.chmod(key, 0o600)
    server = HttpsFirn(tmp_path / "server", cert, key)
    with server:
        peer = Peer("firn", server, {"uri": server.uri, "ca_file": cert})
        lake = peer.lake(tmp_path / "lake")
        lake.make_namespace()
        assert lake.ns in lake.column("SHOW SCHEMAS")
        distrustful = type(lake)(tmp_path / "distrustful", Peer("firn", server, {"uri": server.uri}))
        assert "certificate" in distrustful.fails("sql", "-c", "SHOW SCHEMAS")
