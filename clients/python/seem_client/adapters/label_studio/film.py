"""A task's video: fetched into a file that nobody else sees, and read frame by frame.

Frames are counted from 0 here. Label Studio counts from 1, or tells a time, which it prefers: the
frame that is on the screen at that time is the last that began by then.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from seem_client.frames import FrameSource
from seem_client.image import image_bytes
from seem_client.video_file import VideoFile
from seem_wire.errors import InvalidValue, UnknownFrame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import BinaryIO

    from seem_client.image import ImageLike

    Save = Callable[[BinaryIO], Awaitable[None]]


class Film:
    """A video file of its own; close it in the end."""

    def __init__(self, folder: tempfile.TemporaryDirectory[str], source: VideoFile) -> None:
        self._folder, self._source = folder, source
        self._reading = asyncio.Lock()
        first = source.frame(0)
        height, width = (0, 0) if first is None else first.shape[:2]
        self.size = (height, width)
        self.rate = source.declared_rate
        self.n_frames = source.declared_n_frames

    @classmethod
    async def fetched(cls, save: Save) -> Film:
        """A video that `save` writes.

        Raises:
            BadVideo: It is none, or PyAV is not installed.
            SeemError: It cannot be fetched.
        """
        folder = tempfile.TemporaryDirectory(prefix="seem-film-")
        try:
            with cls._path(folder).open("wb") as file:
                await save(file)
            source = await cls._opened(cls._path(folder))
        except BaseException:
            folder.cleanup()
            raise
        return cls(folder, source)

    async def close(self) -> None:
        """Lets go of the file, which goes away; clips that are being read have it still."""
        async with self._reading:
            self._source.close()
            self._folder.cleanup()

    @property
    def duration_ms(self) -> float:
        """How long it is; 0 where that is not known."""
        return self.time_ms(self.n_frames or 0)

    def time_ms(self, frame: int) -> float:
        """When a frame begins; 0 where that is not known."""
        return frame * 1000 / self.rate if self.rate else 0.0

    def frame_at(self, context: Mapping[str, object]) -> int:
        """The frame that a context is about.

        Raises:
            InvalidValue: It names none.
        """
        time_ms, number = context.get("time_ms"), context.get("frame", 1)
        if isinstance(time_ms, int | float) and math.isfinite(time_ms) and self.rate:
            frame = math.floor(time_ms / 1000 * self.rate)
        elif isinstance(number, int):
            frame = number - 1
        else:
            raise InvalidValue(f"The frame is {number!r}, and no number from 1 on.")
        return max(0, frame if self.n_frames is None else min(frame, self.n_frames - 1))

    async def image(self, frame: int) -> bytes:
        """A frame as an image file.

        Raises:
            BadVideo: It cannot be read.
            UnknownFrame: There is none of this number.
        """
        async with self._reading:
            return await asyncio.to_thread(self._image, frame)

    async def clip(self, first: int, end: int) -> Clip:
        """The frames from `first` to before `end`, to be read apart; close it in the end."""
        return Clip(await self._opened(self._path(self._folder)), first, end)

    @staticmethod
    async def _opened(path: Path) -> VideoFile:
        opening = asyncio.ensure_future(asyncio.to_thread(VideoFile, path))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.wait([opening])  # the thread goes on: what it opens must be closed
            if opening.exception() is None:
                opening.result().close()
            raise

    def _image(self, frame: int) -> bytes:
        pixels = self._source.frame(frame)
        if pixels is None:
            raise UnknownFrame(f"The video has no frame {frame}.")
        return image_bytes(pixels)

    @staticmethod
    def _path(folder: tempfile.TemporaryDirectory[str]) -> Path:
        return Path(folder.name) / "film"


class Clip(FrameSource):
    """Some frames of another source, counted from 0; it closes that source."""

    def __init__(self, source: FrameSource, first: int, end: int) -> None:
        self._source, self.first, self._end = source, first, end

    @property
    def n_frames(self) -> int | None:
        """How many frames there are, unless the source ends before."""
        known = self._source.n_frames
        return (self._end if known is None else min(self._end, known)) - self.first

    def frame(self, index: int) -> ImageLike | None:
        """The frame of a number; None past the last."""
        place = self.first + index
        return self._source.frame(place) if place < self._end else None

    def close(self) -> None:
        """Lets go of the source."""
        self._source.close()
