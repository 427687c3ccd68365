"""A session about a video that is awaited: the same names as in `video.py`."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from seem_client import _core as core
from seem_client._following import TrackedFrame, about, ahead_of, is_refused, legs, missing
from seem_client._offering import check_image_size
from seem_client.async_session import AsyncSession
from seem_client.channel import client_name
from seem_client.image import image_bytes
from seem_client.picture import frames_of
from seem_wire.errors import SeemError
from seem_wire.types import ImageBytes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from seem_client._following import Direction, Leg
    from seem_client.frames import FrameSource
    from seem_client.prediction import Prediction
    from seem_wire.types import ImageSet

    Asked = tuple[int, asyncio.Future[dict[int, Prediction]]]


class AsyncVideo(AsyncSession):
    """A video, any number of objects; every prompt says by `frame` which frame it is about.

    Frames are sent when they are needed, in their order, and not held. `predictions` are those of
    the newest prompts; those of each frame come by `propagate`. `submit_` methods are about frames
    that were sent before.
    """

    _source: FrameSource

    async def begin(self, source: FrameSource) -> None:
        """Opens it for the frames of `source`; its client calls this."""
        self._takes(source)
        await self._wait(lambda: self._core.open_video(client_name()), core.read_opened)

    async def go_on_with(self, source: FrameSource, session_id: str) -> None:
        """Takes over a session about the frames of `source`; its client calls this."""
        self._takes(source)
        await self.resume(session_id)
        self._n_sent = self._core.n_frames

    def _takes(self, source: FrameSource) -> None:
        self._source, self._n_sent = source, 0
        self._reading = threading.Lock()  # a notebook draws in a thread of its own choice
        self._core.picture_of = frames_of(source, self._reading)
        self._sending, self._checking = asyncio.Lock(), asyncio.Lock()
        self._coming: tuple[int, asyncio.Task[bytes | None]] | None = None
        self._showing: deque[tuple[int, asyncio.Future[ImageSet]]] = deque()

    @property
    def n_frames(self) -> int | None:
        """How many frames the video has; None where nobody knows yet."""
        return self._source.n_frames

    async def propagate(
        self, first: int = 0, last: int | None = None, *, direction: Direction = "forward"
    ) -> AsyncGenerator[TrackedFrame, None]:
        """Follows all objects through the frames `first` to `last`, and gives each frame once.

        To the end where `last` is None. "backward" begins with `last`; "both" goes from the first
        prompted frame to `last`, and then from it back to `first`. A frame in which an object was
        prompted or corrected keeps its mask. Whoever stops iterating stops the server, too; with
        `contextlib.aclosing` at once.

        Raises:
            NothingToFollow: No object was prompted yet.
            BadVideo, BadImage: A frame cannot be used; those before it came, and once it was
                replaced it can be asked for again.
            UnknownFrame: The video does not have the frame to begin with.
            InvalidValue: There are no such frames.
        """
        if direction == "backward" and last is None:
            last = await self._last_frame()
        for leg in legs(first, last, direction, frozenset(self._core.prompted)):
            async with aclosing(self._follow(leg)) as frames:
                async for frame in frames:
                    yield frame

    async def _follow(self, leg: Leg) -> AsyncGenerator[TrackedFrame, None]:
        asked: deque[Asked] = deque()
        trouble: Exception | None = None
        try:
            for frame, source in leg.steps():
                try:
                    if not await self._bring(frame):
                        trouble = missing(frame, self._source) if frame == leg.start else None
                        break
                except (SeemError, OSError) as error:  # those before it come first
                    trouble = error
                    break
                asked.append((frame, self._ask_for(frame, source)))
                if len(asked) >= ahead_of(self._source):
                    yield await self._answered(asked)
            while asked:
                yield await self._answered(asked)
            if trouble is not None:
                raise trouble
        finally:
            if asked:
                with suppress(SeemError, TimeoutError):
                    stopped = self._send(self._core.stop, core.read_done)
                    await asyncio.wait_for(stopped, self._goodbye_s)

    def _ask_for(self, frame: int, source: int) -> asyncio.Future[dict[int, Prediction]]:
        return self._send(lambda: self._core.propagate(frame, source), self._core.read_frame)

    async def _answered(self, asked: deque[Asked]) -> TrackedFrame:
        frame, future = asked[0]
        await self._check_shown(frame)
        predictions = await self._result(future, self._patience.timeout_s)
        asked.popleft()
        return TrackedFrame(frame, predictions)

    # --- frames

    async def _bring(self, index: int) -> bool:
        """Sends all frames up to this one that were not sent; whether the video has it."""
        while self._n_sent <= index:
            async with self._sending:
                next_one = self._n_sent
                data = await self._read_frame(next_one)
                if data is None:
                    return False
                with about(self._source, next_one):
                    check_image_size(data, self._core.offered)
                if self._n_sent == next_one:  # else one before it was refused
                    self._show_frame(next_one, ImageBytes(data))
                    self._n_sent += 1
            if len(self._showing) > ahead_of(self._source):
                await self._check_shown(next_one - ahead_of(self._source))
        return True

    async def _read_frame(self, index: int) -> bytes | None:
        """The frame's file; whoever stops waiting for it leaves it to who asks next."""
        if self._coming is not None and self._coming[0] != index:
            await asyncio.wait([self._coming[1]])  # one thread at a time reads a source
            self._coming = None
        if self._coming is None:
            self._coming = index, asyncio.create_task(asyncio.to_thread(self._file, index))
        reading = self._coming[1]
        await asyncio.wait([reading])
        self._coming = None
        return reading.result()

    def _file(self, index: int) -> bytes | None:
        with self._reading, about(self._source, index):
            image = self._source.frame(index)
            return None if image is None else image_bytes(image)

    def _show_frame(self, index: int, image: ImageBytes) -> None:
        showing = self._send(lambda: self._core.frame(index, image), core.read_image_set)
        self._showing.append((index, showing))

    async def _check_shown(self, index: int) -> None:
        """Raises what the server says against a frame up to this one, which can be sent again."""
        async with self._checking:
            while self._showing and self._showing[0][0] <= index:
                refused, future = self._showing[0]
                try:
                    with about(self._source, refused):
                        await self._result(asyncio.shield(future), self._patience.timeout_s)
                except BaseException:
                    if is_refused(future):  # else only the waiting ended
                        self._n_sent = refused
                        self._showing.clear()
                    raise
                self._showing.popleft()

    async def _last_frame(self) -> int:
        known = self._source.n_frames
        if known is not None:
            return known - 1
        index = self._n_sent
        while await self._bring(index):
            index += 1
        return index - 1

    # --- prompts

    async def _prepare(self, frame: int | None) -> None:
        if frame is None or frame < 0:
            return  # the server says what is wrong
        if not await self._bring(frame):
            raise missing(frame, self._source)
        await self._check_shown(frame)

    async def leave(self) -> None:
        """As `AsyncSession.leave`; files of the video are let go of."""
        await super().leave()
        if self._coming is None:
            self._source.close()
        else:  # what is being read is not closed
            self._coming[1].add_done_callback(self._let_go)

    def _let_go(self, reading: asyncio.Task[bytes | None]) -> None:
        if not reading.cancelled():
            reading.exception()  # nobody waits for the frame any more
        self._source.close()
