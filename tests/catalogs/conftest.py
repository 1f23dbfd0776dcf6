"""Fixtures: other people's catalogs, and lakes of firn whose catalog they are.

Peers: the Iceberg project's reference REST server, Project Nessie, and another `firn serve`. Nothing here skips: a peer that is
missing is a failed test.
"""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
REPO = os.path.dirname(TESTS)
sys.path[:0] = [HERE, TESTS]

from lakes import RemoteLake  # noqa: E402
from servers import FirnServer, NessieServer, ObjectShelf, ReferenceServer  # noqa: E402

os.environ["no_proxy"] = "127.0.0.1"


class Peer:
    """A running catalog, and how a lake of firn says where it is."""

    def __init__(self, name, server, config, aliases=()):
        self.name = name
        self.server = server
        self.config = config
        self.aliases = list(aliases)

    @property
    def uri(self):
        return self.server.uri

    def lake(self, folder):
        return RemoteLake(folder, self)


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    with ReferenceServer(tmp_path_factory.mktemp("reference")) as server:
        yield Peer("reference", server, {"uri": server.uri})


@pytest.fixture(scope="session")
def nessie(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nessie")
    build = os.path.dirname(os.path.abspath(os.environ.get("FIRN", os.path.join(REPO, "build", "firn"))))
    with ObjectShelf(folder / "shelf", build) as shelf, NessieServer(folder / "bucket", shelf, store="IN_MEMORY") as server:
        s3, local = server.alias.split("=", 1)
        os.makedirs(local, exist_ok=True)
        yield Peer("nessie", server, {"uri": server.uri, "warehouse": server.warehouse}, [(s3, local)])


@pytest.fixture(scope="session")
def other_firn(tmp_path_factory):
    with FirnServer(tmp_path_factory.mktemp("other") / "lake") as server:
        yield Peer("firn", server, {"uri": server.uri})


@pytest.fixture(scope="session", params=["reference", "nessie", "other_firn"])
def peer(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def lake(peer, tmp_path):
    """A lake on the peer with a namespace of its own for this test, in `lake.ns`."""
    one = peer.lake(tmp_path / "lake")
    one.make_namespace()
    return one
