"""A real Valkey or Redis, on a port of its own, for the tests of the store that speaks to one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory):
    """The port of a server of the tests' own, and its process."""
    pytest.importorskip("valkey", reason="the store for several machines needs the extra `scale`")
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("no valkey-server or redis-server is installed (apt install redis-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("valkey")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _wait_for(port)
    yield port
    process.terminate()
    process.wait(20)


@pytest.fixture
def valkey_url(valkey_server):
    """An empty database."""
    import valkey

    with valkey.Valkey(port=valkey_server) as client:
        client.flushall()
    return f"valkey://127.0.0.1:{valkey_server}/0"


def _wait_for(port):
    for _ in range(400):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    pytest.fail("the store of the tests did not start")
