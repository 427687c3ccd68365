"""A server in a process of its own, to be killed, stopped and starved."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager


class Served:
    """`seem serve` in a process of its own, on one port and one store."""

    def __init__(self, folder, *, bundle="tiny", flags=()):
        self._bundle = bundle
        self._flags = flags
        self._store = f"sqlite:{folder / 'sessions.sqlite'}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        command = [sys.executable, "-m", "seem_server", "serve", "--bundle", self._bundle]
        command += [
            "--port",
            str(self.port),
            "--store",
            self._store,
            "--threads",
            "1",
            *self._flags,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self._process.stdout.readline()  # it serves

    @property
    def pid(self):
        return self._process.pid

    def send(self, sign):
        self._process.send_signal(sign)

    def kill(self, sign=signal.SIGKILL):
        self._process.send_signal(sign)
        code = self._process.wait(20)
        self._process.stdout.close()
        return code

    def restart_later(self):
        thread = threading.Timer(0.3, self.start)
        thread.start()
        return thread


@contextmanager
def serving(folder, **options):
    server = Served(folder, **options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
