"""Which frames of a video are followed to, and in what order: without I/O."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal, get_args

from seem_client.frames import HeldFrames, LiveFrames
from seem_client.prediction import Predictions
from seem_wire.errors import BadImage, InvalidValue, UnknownFrame

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt

    from seem_client.frames import FrameSource
    from seem_client.image import ImageLike
    from seem_client.prediction import Prediction
    from seem_wire.types import ImageSet

Direction = Literal["forward", "backward", "both"]

AHEAD = 4
"""Frames that are asked for before the first of them is answered: reading them and sending them is
done while the server works. Of what comes live none: the next frame is not there yet."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """A frame that was followed to.

    `index` counts frames from 0. `predictions`: the mask of each object by its id, empty where it
    is not to be seen; `presence` of each tells how likely it is there.
    """

    index: int
    predictions: Mapping[int, Prediction]

    def overlay(self, image: ImageLike | None = None) -> npt.NDArray[np.uint8]:
        """The frame with all masks, as `Predictions.overlay`.

        Without an `image` the frame is read again: not where it came live, and of a video file only
        until the video is closed.
        """
        return self._objects().overlay(image)

    def _repr_html_(self) -> str:
        return f"<p>frame {self.index}</p>{self._objects()._repr_html_()}"

    def _objects(self) -> Predictions:
        return Predictions(self.predictions.values())


@dataclass(frozen=True, slots=True)
class Leg:
    """Frames from `start` on, up or down by `step`, to `last`, or to the end where that is None.

    `source`: from where the first of them is followed to; itself for nowhere.
    """

    start: int
    last: int | None
    step: int
    source: int

    def steps(self) -> Iterator[tuple[int, int]]:
        """The frames, each with the one that it is followed to from."""
        source = self.source
        for frame in count(self.start, self.step):
            if self.last is not None and (frame - self.last) * self.step > 0:
                return
            yield frame, source
            source = frame


def legs(
    first: int, last: int | None, direction: Direction, prompted: frozenset[int]
) -> tuple[Leg, ...]:
    """The way through the frames `first` to `last`; "both" ways go out from a prompted frame.

    Raises:
        InvalidValue: There is no such direction, or no such frames; backward, `last` has to be
            known.
    """
    if direction not in get_args(Direction):
        known = ", ".join(get_args(Direction))
        raise InvalidValue(f"There is no direction {direction!r}: it is one of {known}.")
    if first < 0 or (last is not None and last < first):
        raise InvalidValue(f"There are no frames from {first} to {last}.")
    if direction == "forward":
        return (Leg(first, last, 1, first),)
    if direction == "backward":
        if last is None:
            raise InvalidValue("Going backward, say which frame is the last.")
        return (Leg(last, first, -1, last),)
    within = [one for one in prompted if one >= first and (last is None or one <= last)]
    middle = min(within, default=first)
    onward = Leg(middle, last, 1, middle)
    return (onward, Leg(middle - 1, first, -1, middle)) if middle > first else (onward,)


def ahead_of(source: FrameSource) -> int:
    """How many frames of a source are asked for at once."""
    return 1 if isinstance(source, LiveFrames) else AHEAD


def missing(frame: int, source: FrameSource) -> UnknownFrame:
    """The error for a frame that the video does not have."""
    error = UnknownFrame(f"The video has no frame {frame}.")
    if isinstance(source, HeldFrames):
        error.hint = (
            f"The server was sent {source.n_frames}; to send more, go on with "
            "client.track(frames, session_id=...) instead of attach."
        )
    return error


@contextmanager
def about(source: FrameSource, index: int) -> Iterator[None]:
    """What is said within against an image is said of the frame and its file."""
    try:
        yield
    except BadImage as error:
        place = source.place(index)
        raise type(error)(
            f"{place}: {error.message}", retry_after_ms=error.retry_after_ms
        ) from error
    except OSError as error:
        if error.errno is None:
            raise
        said = f"Frame {index} cannot be read: {error.strerror}"
        raise OSError(error.errno, said, error.filename) from error


def is_refused(frame: Future[ImageSet] | asyncio.Future[ImageSet]) -> bool:
    """Whether a frame that was sent is known not to be in the video."""
    return frame.done() and frame.exception() is not None
