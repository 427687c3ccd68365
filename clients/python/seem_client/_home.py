"""Where a connection may be used: in the process, and the event loop, that made it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from seem_wire.errors import OutOfPlace


@dataclass(frozen=True, slots=True)
class Home:
    """The process, and the event loop of what is awaited, in which a connection was made.

    A forked process has a copy of the connection, but none of the threads that serve it: what is
    said there would never be answered, and to close it would never end.
    """

    pid: int = field(default_factory=os.getpid)
    loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether this is another process, or another event loop."""
        return os.getpid() != self.pid or (self.loop is not None and self.loop is not _running())

    def check(self) -> None:
        """Raises OutOfPlace where the connection cannot be used."""
        if os.getpid() != self.pid:
            raise OutOfPlace(f"The connection was made in another process, {self.pid}.")
        if self.is_elsewhere:
            raise OutOfPlace("The connection was made in another event loop.")


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
