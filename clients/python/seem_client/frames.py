"""Whatever a program calls a video, as frames to be asked for by number.

    folder of images      any frame at any time; in the natural order of their names: 2 before 10
    list of images        any frame at any time
    iterable of images    as they come, one held: a camera, another program
    video file            in order, and back by decoding again (`seem_client.video_file`)

Frames are numbered from 0. Nothing here holds a whole video.
"""

from __future__ import annotations

import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Self, cast

import numpy as np
import numpy.typing as npt

from seem_client.image import ImageLike, PilImage
from seem_wire.errors import FrameGone, FrameSizeChanged, InvalidValue, VideoEmpty

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What a frame's file may end in; whatever else lies in a folder is passed over."""

_NUMBER = re.compile(r"(\d+)")


class FrameSource(ABC):
    """The frames of one video, for one thread at a time; close it in the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[ImageLike]:
        for index in count():
            image = self.frame(index)
            if image is None:
                return
            yield image

    @property
    @abstractmethod
    def n_frames(self) -> int | None:
        """How many frames there are; None where that is not known before the last was read."""

    @abstractmethod
    def frame(self, index: int) -> ImageLike | None:
        """The frame of a number, upright; None past the last.

        Raises:
            VideoUnreadable: The file is damaged here.
            FrameSizeChanged: It is of another size than those that were read before.
            FrameGone: The frames come one by one, and this one has passed.
        """

    def name(self, index: int) -> str:
        """What to call the frame's results: its file's name without its ending, or its number."""
        return f"{index:05}"

    def place(self, index: int) -> str:
        """How to tell a person of a frame: its number, and its file where it has one."""
        return f"Frame {index}"

    def time_s(self, index: int) -> float | None:  # noqa: ARG002 - for those that have times
        """When a frame is shown, in seconds; None where nobody knows, or it was not read yet."""
        return None

    def close(self) -> None:  # noqa: B027 - most hold no file
        """Lets go of files."""


class OneSize:
    """The size, (height, width), that all frames of a video have."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None

    def check(self, index: int, size: tuple[int, int]) -> None:
        """Raises FrameSizeChanged where a frame is not of the size of the first that was seen."""
        if self._size is None:
            self._size = size
        elif size != self._size:
            raise FrameSizeChanged(
                f"Frame {index} has {_by(size)} pixels, those before it {_by(self._size)} "
                "(height x width)."
            )


class ListedFrames(FrameSource):
    """Images that are all there: a list, or the paths of a folder's files.

    Raises:
        VideoEmpty: The list is empty.
    """

    def __init__(self, images: Sequence[ImageLike], names: Sequence[str] | None = None) -> None:
        if not len(images):
            raise VideoEmpty("The list of frames is empty.")
        self._images, self._names = images, names
        self._one_size = OneSize()

    @property
    def n_frames(self) -> int:
        """How many frames there are."""
        return len(self._images)

    def frame(self, index: int) -> ImageLike | None:
        """The frame of a number; None past the last."""
        if index >= len(self._images):
            return None
        return _checked(self._images[index], index, self._one_size)

    def name(self, index: int) -> str:
        """The file's name without its ending, or the number."""
        return super().name(index) if self._names is None else self._names[index]

    def place(self, index: int) -> str:
        """The number, and the file of what is named by a path."""
        image = self._images[index]
        file = f" ({os.fspath(image)})" if isinstance(image, str | os.PathLike) else ""
        return super().place(index) + file


class LiveFrames(FrameSource):
    """Images that come one by one; only the last is held."""

    def __init__(self, images: Iterable[ImageLike]) -> None:
        self._coming = iter(images)
        self._held: ImageLike | None = None
        self._n_seen = 0
        self._ended = False
        self._one_size = OneSize()

    @property
    def n_frames(self) -> int | None:
        """How many frames there were, once no more come."""
        return self._n_seen if self._ended else None

    def frame(self, index: int) -> ImageLike | None:
        """The frame of a number, as soon as it is there; None past the last.

        Raises:
            FrameGone: It has passed.
            VideoEmpty: No image came at all.
            FrameSizeChanged: It is of another size than those before.
        """
        if index < self._n_seen - 1:
            raise FrameGone(f"Frame {index} has passed: {self._n_seen} have come.")
        while not self._ended and self._n_seen <= index:
            try:
                self._held = _checked(next(self._coming), self._n_seen, self._one_size)
            except StopIteration:
                self._ended = True
                break
            self._n_seen += 1
        if not self._n_seen:
            raise VideoEmpty("Not one frame came.")
        return self._held if index == self._n_seen - 1 else None


class HeldFrames(FrameSource):
    """The frames of a session that a server has already: none is read here, and none is sent."""

    def __init__(self, n_frames: int) -> None:
        self._n_frames = n_frames

    @property
    def n_frames(self) -> int:
        """How many frames the server has."""
        return self._n_frames

    def frame(self, index: int) -> None:
        """None: what comes after the server's last frame is not known here."""


FramesLike = str | os.PathLike[str] | Iterable[ImageLike] | npt.NDArray[np.uint8] | FrameSource
"""A folder of images, a video file, images one by one, or uint8 (T, H, W, 3) RGB."""


def open_frames(frames: FramesLike) -> FrameSource:
    """The frames of what a program calls a video: a folder, a file, or images.

    Raises:
        VideoEmpty: There is no frame.
        VideoUnreadable: The file is no video.
        VideoReaderMissing: It is a video file, and PyAV is not installed.
        InvalidValue: It is nothing that has frames.
        OSError: The folder or file is not there, or cannot be read, or a link in the folder leads
            nowhere.
    """
    given: object = frames  # whatever it is: not every program is type-checked
    match given:
        case FrameSource():
            return given
        case str() | os.PathLike():
            return _at(Path(given))
        case bytes() | bytearray() | memoryview():
            raise InvalidValue("Bytes are one image; give a list of them, a folder or a file.")
        case np.ndarray() if given.ndim != 4:  # noqa: PLR2004 - (T, H, W, 3)
            raise InvalidValue(
                f"An array of frames must have the shape (T, H, W, 3), not {given.shape}."
            )
        case np.ndarray() | Sequence():
            return ListedFrames(cast("Sequence[ImageLike]", given))
        case Iterable():
            return LiveFrames(given)
        case _:
            raise InvalidValue(
                f"A {type(given).__name__} is no video: give a folder of images, a video file, or "
                "images to be asked for one by one."
            )


def natural_key(name: str) -> tuple[tuple[tuple[bool, int, str], ...], str]:
    """What to sort names by, so that `frame-2` comes before `frame-10`."""
    parts = [part for part in _NUMBER.split(name) if part]
    numbered = tuple(
        (False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts
    )
    return numbered, name


def _at(path: Path) -> FrameSource:
    if not path.is_dir():
        path.stat()  # which says that it is not there
        from seem_client.video_file import VideoFile  # noqa: PLC0415 - only where there is one

        return VideoFile(path)
    files = [
        one
        for one in path.iterdir()
        if one.suffix.lower() in IMAGE_SUFFIXES
        and not one.name.startswith(".")
        and stat.S_ISREG(
            one.stat().st_mode
        )  # not is_file: without a lost one others are renumbered
    ]
    if not files:
        raise VideoEmpty(f"There is no image file in the folder {path}.")
    files.sort(key=lambda one: natural_key(one.name))
    stems = [one.stem for one in files]
    one_each = len({stem.casefold() for stem in stems}) == len(stems)
    return ListedFrames(files, stems if one_each else None)


def _checked(image: ImageLike, index: int, one_size: OneSize) -> ImageLike:
    """The image, whose size is one with the others' where it is known before it is decoded."""
    if isinstance(image, np.ndarray):
        one_size.check(index, (image.shape[0], image.shape[1]))
    elif isinstance(image, PilImage):
        width, height = getattr(image, "size", (0, 0))
        one_size.check(index, (height, width))
    return image


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
