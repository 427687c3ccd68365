"""What a mask is of, so that it can be drawn on it: asked for when it is drawn, and not before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from seem_client.frames import LiveFrames
from seem_wire.errors import SeemError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from seem_client.frames import FrameSource
    from seem_client.image import ImageLike

    PictureOf = Callable[[int | None], "Picture | None"]


class Picture(Protocol):
    """An image, as long as it is at hand."""

    def image(self) -> ImageLike | None:
        """The image; None where it is not at hand any more."""


@dataclass(frozen=True, slots=True)
class Still:
    """The image of a session, or of a call without one: the bytes that were sent, not a copy."""

    data: bytes = field(repr=False)

    def image(self) -> ImageLike:
        """The image file."""
        return self.data


@dataclass(frozen=True, slots=True, eq=False)
class FrameOf:
    """A frame of a video, which is read again: videos are not held.

    `reading` is held by whoever reads the source, which is for one thread at a time.
    """

    source: FrameSource
    reading: threading.Lock
    index: int

    def image(self) -> ImageLike | None:
        """The frame; None where it came live, or its file was closed."""
        if isinstance(self.source, LiveFrames):
            return None
        with self.reading:
            try:
                return self.source.frame(self.index)
            except (SeemError, OSError):
                return None


def frames_of(source: FrameSource, reading: threading.Lock) -> PictureOf:
    """Where a session about these frames finds what its masks are of."""
    return lambda index: None if index is None else FrameOf(source, reading, index)


def no_picture(_: int | None) -> None:
    """For a session of which only the masks are known."""
