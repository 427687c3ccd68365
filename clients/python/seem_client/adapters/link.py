"""One server for as long as an adapter runs, also where it is not there yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from seem_wire.errors import (
    Disconnected,
    ModelChanged,
    NotFound,
    ReplyLost,
    SeemError,
    SessionMoved,
    ShuttingDown,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seem_client.async_client import AsyncClient

RECONNECT_S = 5.0
"""How long a session looks for a server that is gone before it says so: a person waits for it."""

_SESSION_GONE = (NotFound, SessionMoved, ModelChanged, ReplyLost, Disconnected, ShuttingDown)


class Link:
    """The client of a server, connected when it is needed first.

    `connect` gives a client whose sessions look for a lost server for RECONNECT_S.
    """

    def __init__(self, connect: Callable[[], Awaitable[AsyncClient]]) -> None:
        self._connect = connect
        self._connected: AsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def client(self) -> AsyncClient:
        """The client. Raises Disconnected, and its kin, as long as the server was never there."""
        async with self._connecting:
            if self._connected is None:
                self._connected = await self._connect()
            return self._connected

    async def close(self) -> None:
        """Closes the connection and its sessions."""
        if self._connected is not None:
            await self._connected.close()


def is_session_gone(error: SeemError) -> bool:
    """Whether the session is lost, and another one may do what it could not."""
    return isinstance(error, _SESSION_GONE)
