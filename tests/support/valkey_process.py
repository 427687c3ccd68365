"""A real Valkey or Redis in a process of its own, that keeps what it was told when it is killed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest


class ValkeyProcess:
    """A server on a port of its own, its files in `folder`; `start` it."""

    def __init__(self, folder, *, replica_of=None):
        pytest.importorskip("valkey", reason="the store for several machines needs the extra scale")
        self._program = shutil.which("valkey-server") or shutil.which("redis-server")
        if self._program is None:
            pytest.skip("no valkey-server or redis-server is installed (apt install redis-server)")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._folder = folder
        self._primary = replica_of
        self._process = None

    @property
    def url(self):
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self):
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self._folder), "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "always"]
        command += ["--repl-diskless-sync-delay", "0"]
        if self._primary is not None:
            command += ["--replicaof", "127.0.0.1", str(self._primary)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(400):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.05)
        pytest.fail("the store of the tests did not start")

    def promote(self):
        import valkey

        with valkey.Valkey(port=self.port) as client:
            client.replicaof("NO", "ONE")

    def stop(self):
        self._process.terminate()
        self._process.wait(20)

    def kill(self):
        self._process.kill()
        self._process.wait(20)
