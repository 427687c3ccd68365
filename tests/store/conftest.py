"""A real Valkey or Redis, on a port of its own, for the tests of the store that speaks to one."""

from __future__ import annotations

import pytest
from valkey_process import ValkeyProcess


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory):
    """A server of the tests' own."""
    server = ValkeyProcess(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey_url(valkey_server):
    """An empty database."""
    import valkey

    with valkey.Valkey(port=valkey_server.port) as client:
        client.flushall()
    return valkey_server.url
