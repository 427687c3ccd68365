"""Sittings: one task's picture each, its session on the server, and what was said in it.

Requests come one by one, from any number of people, and name a task and its picture. The picture is
fetched and encoded once, and clicks refine what stands. Sittings are bounded and expire; when the
session, the server or the picture changed, the next request begins a new one by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from seem_client.adapters.kept import Kept
from seem_client.adapters.label_studio.context import prompt
from seem_client.adapters.label_studio.steps import way_to
from seem_client.adapters.link import is_session_gone
from seem_wire.errors import DeadlineExceeded, SeemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seem_client.adapters.label_studio.context import Said
    from seem_client.adapters.label_studio.steps import Steps
    from seem_client.async_session import AsyncSession
    from seem_client.prediction import Prediction

    Fetch = Callable[[str], Awaitable[bytes]]
    Open = Callable[[bytes], Awaitable[AsyncSession]]

MAX_SITTINGS = 64
IDLE_S = 1800.0
FRESH_S = 600.0
"""For so long a picture is believed to be what it was; then it is fetched again and compared."""

MAX_OBJECTS = 16
"""In one sitting; the one that was spoken of longest ago makes room."""


class Sittings:
    """All sittings of one event loop."""

    def __init__(
        self,
        open_session: Open,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MAX_SITTINGS,
    ) -> None:
        self._open, self._clock = open_session, clock
        self._sittings: Kept[tuple[str, str], Sitting] = Kept(
            n_kept=most, keep_s=IDLE_S, clock=clock
        )

    def __len__(self) -> int:
        return len(self._sittings)

    async def predict(
        self, task: str, address: str, said: tuple[Said, ...], fetch: Fetch
    ) -> Prediction | None:
        """The mask of what is said about the picture of a task; None where nothing stands.

        Raises:
            SeemError: The picture cannot be had or read, the server refuses, or does not answer.
        """
        return await (await self._sitting(task, address, fetch)).predict(said)

    async def prepare(self, task: str, address: str, fetch: Fetch) -> None:
        """Has the picture of a task encoded, before anything is said about it. Raises SeemError."""
        await (await self._sitting(task, address, fetch)).prepare()

    async def close(self) -> None:
        """Ends all sessions."""
        await _close(self._sittings.empty())

    async def _sitting(self, task: str, address: str, fetch: Fetch) -> Sitting:
        sitting = self._sittings.get((task, address))
        if sitting is None:
            sitting = Sitting(address, fetch, self._open, self._clock)
            await _close(self._sittings.keep((task, address), sitting))
        sitting.fetch = fetch
        return sitting


class Sitting:
    """One picture; requests about it are served one after the other."""

    def __init__(
        self,
        address: str,
        fetch: Fetch,
        open_session: Open,
        clock: Callable[[], float],
    ) -> None:
        self.fetch = fetch
        self._address, self._open, self._clock = address, open_session, clock
        self._lock = asyncio.Lock()
        self._session: AsyncSession | None = None
        self._digest, self._fetched_s = b"", 0.0
        self._objects: OrderedDict[int, Steps] = OrderedDict()
        self._last_id = 0

    async def predict(self, said: tuple[Said, ...]) -> Prediction | None:
        """The mask of what is said; begins anew where the session is gone."""
        async with self._lock:
            known = self._session is not None
            try:
                return await self._say(await self._current(), said)
            except SeemError as error:
                is_gone = is_session_gone(error)
                if is_gone or isinstance(error, DeadlineExceeded):  # perhaps done, perhaps not
                    await self._drop()
                if not (is_gone and known):
                    raise
            return await self._say(await self._current(), said)

    async def prepare(self) -> None:
        """Opens the session, if it is not."""
        async with self._lock:
            await self._current()

    async def close(self) -> None:
        """Ends its session."""
        async with self._lock:
            await self._drop()

    async def _current(self) -> AsyncSession:
        """The session about what the picture is now."""
        if self._session is not None and self._clock() - self._fetched_s < FRESH_S:
            return self._session
        data = await self.fetch(self._address)
        self._fetched_s = self._clock()
        digest = hashlib.sha256(data).digest()
        if self._session is None or digest != self._digest:
            await self._drop()
            self._session, self._digest = await self._open(data), digest
        return self._session

    async def _say(self, session: AsyncSession, said: tuple[Said, ...]) -> Prediction | None:
        way = way_to(said, self._objects)
        object_id = way.object_id
        if object_id is None:
            object_id = await self._new_object(session)
        self._objects.setdefault(object_id, ())
        self._objects.move_to_end(object_id)
        for _ in range(way.n_undos):
            await session.undo(object_id=object_id)
            self._objects[object_id] = self._objects[object_id][:-1]
        if way.rest:
            try:
                await session.prompt(object_id=object_id, **prompt(way.rest, session.size))
            except SeemError:
                if not self._objects[object_id]:
                    del self._objects[object_id]
                raise
            self._objects[object_id] += (way.rest,)
        return session.predictions.get(object_id)

    async def _new_object(self, session: AsyncSession) -> int:
        if len(self._objects) >= MAX_OBJECTS:
            oldest, _ = self._objects.popitem(last=False)
            await session.remove(oldest)
        self._last_id += 1
        return self._last_id

    async def _drop(self) -> None:
        session, self._session = self._session, None
        self._objects.clear()
        if session is not None:
            with suppress(SeemError):
                await session.close()


async def _close(gone: list[Sitting]) -> None:
    await asyncio.gather(*(sitting.close() for sitting in gone))
