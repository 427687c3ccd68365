"""`seem serve` in a process of its own, for commands that load, kill and start servers."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from seem_server.commands.reach import free_port
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from typing import Self

STARTING_S = 60.0
"""How long a server is given to start: it reads and checks its bundle."""


PATIENT = ("--max-wait-s", "600", "--max-waiting", "4096")
"""Flags of a server that refuses nobody for want of room, which a busy machine lacks."""


class ServerProcess:
    """`seem serve` with some flags, on one port for all its lives. Leaving the block kills it."""

    def __init__(self, *flags: str) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "seem_server", "serve", "--port", str(port)]
        self._command += ["--log-level", "error", *flags]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, once it was started."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Starts it, and waits until it serves. Raises InvalidValue where it does not."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        said = self._process.stdout
        line = await asyncio.wait_for(said.readline(), STARTING_S) if said else b""
        if not line:
            await self._process.wait()
            raise InvalidValue(f"The server does not start: {' '.join(self._command)}.")

    async def kill(self) -> None:
        """Kills it at once, in the middle of whatever it does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Asks it to stop, and waits until it did."""
        await self._end(signal.SIGTERM)

    async def _end(self, sign: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(sign)
            await self._process.wait()
