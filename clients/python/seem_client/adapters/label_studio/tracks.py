"""Following an object through a video while Label Studio asks, again and again, how far it is.

A track is a task of the event loop that gets ahead of who asks by MAX_WAITING frames at most. It
ends by itself, by being cancelled, or when nobody asked for FORGOTTEN_S.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING
from uuid import uuid4

from seem_wire.errors import Internal, Overloaded, SeemError, UnknownSession

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    Value = dict[str, object]
    Masks = AsyncGenerator[Value, None]

logger = logging.getLogger(__name__)

MAX_TRACKS = 4
MAX_WAITING = 64
MAX_BATCH = 32
POLL_S = 5.0
"""For so long a question waits for the first frame that is new."""

GATHER_S = 0.25
"""And for so long for more of them, so that each need not be asked for alone."""

FORGOTTEN_S = 60.0


class Tracks:
    """All tracks of one event loop."""

    def __init__(self, *, most: int = MAX_TRACKS) -> None:
        self._most = most
        self._tracks: dict[str, Track] = {}

    def begin(self, task: str, masks: Masks, total: int) -> str:
        """Begins to follow; gives the name to ask by.

        Raises:
            Overloaded: There are as many as may be.
        """
        self.check_room()
        name = uuid4().hex
        self._tracks[name] = Track(task, masks, total)
        return name

    def check_room(self) -> None:
        """Raises Overloaded where there are as many tracks as may be."""
        self._forget()
        if self.n_running >= self._most:
            raise Overloaded(f"{self.n_running} objects are being followed, and no more can be.")

    @property
    def n_running(self) -> int:
        """How many are being followed."""
        return sum(not track.ended for track in self._tracks.values())

    async def progress(self, name: str) -> Value:
        """What is new of a track.

        Raises:
            UnknownSession: There is none of this name (any more).
        """
        track = self._tracks.get(name)
        if track is None:
            raise UnknownSession("Nothing is being followed by this name.")
        value = await track.news()
        if value["done"]:
            self._tracks.pop(name, None)
        return value

    async def cancel(self, name: str) -> None:
        """Ends a track, if it is there."""
        if (track := self._tracks.pop(name, None)) is not None:
            await track.cancel()

    async def release(self, task: str) -> None:
        """Ends all tracks of a task of Label Studio's."""
        names = [name for name, track in self._tracks.items() if track.task == task]
        await asyncio.gather(*map(self.cancel, names))

    async def close(self) -> None:
        """Ends all."""
        await asyncio.gather(*map(self.cancel, list(self._tracks)))

    def _forget(self) -> None:
        for name in [name for name, track in self._tracks.items() if track.forgotten]:
            self._tracks.pop(name).abandon()


class Track:
    """One object that is followed; begins at once."""

    def __init__(self, task: str, masks: Masks, total: int) -> None:
        self.task = task
        self._masks, self._total = masks, total
        self._waiting: deque[Value] = deque()
        self._n_produced = 0
        self._error: str | None = None
        self._changed = asyncio.Condition()
        self._loop = asyncio.get_running_loop()
        self._asked_s = self._loop.time()
        self._running = asyncio.create_task(self._follow(), name="seem-track")

    @property
    def ended(self) -> bool:
        """Whether no more frames will come."""
        return self._running.done()

    @property
    def forgotten(self) -> bool:
        """Whether nobody asked for long."""
        return self._loop.time() - self._asked_s > FORGOTTEN_S

    async def news(self) -> Value:
        """The frames that nobody was told of, as soon as there are any; or none after POLL_S."""
        self._asked_s = self._loop.time()
        await self._wait_for(1, POLL_S)
        if self._waiting and not self.ended:
            await self._wait_for(MAX_BATCH, GATHER_S)
        async with self._changed:
            frames = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            self._changed.notify_all()
        return {
            "frames": frames,
            "produced": self._n_produced,
            "total": self._total,
            "done": self.ended and not self._waiting,
            "error": self._error,
        }

    def abandon(self) -> None:
        """Ends it, without waiting for that."""
        self._running.cancel()

    async def cancel(self) -> None:
        """Ends it."""
        self.abandon()
        await asyncio.wait([self._running])

    async def _wait_for(self, count: int, timeout_s: float) -> None:
        """Until so many frames wait, or no more come, or the time is over."""
        ended = asyncio.create_task(self._enough(count))
        await asyncio.wait(
            [ended, self._running], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        ended.cancel()
        await asyncio.wait([ended])

    async def _enough(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._waiting) >= count)

    async def _follow(self) -> None:
        """One of the edges where any exception becomes an answer."""
        try:
            async with aclosing(self._masks) as masks:
                async for mask in masks:
                    await self._put(mask)
        except SeemError as error:
            self._error = f"{error.message} {error.hint}"
        except Exception:
            logger.exception("following broke")
            self._error = f"Something broke in the adapter. {Internal.hint}"

    async def _put(self, mask: Value) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._waiting) < MAX_WAITING)
            self._waiting.append(mask)
            self._n_produced += 1
            self._changed.notify_all()
