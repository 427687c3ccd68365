"""Masks drawn over the frames they are of, as a video file, or as images in a folder.

Each frame is shown at the time it has in its source, and those of a folder at FOLDER_RATE; sound is
not copied. The objects have the colours of their indexed PNGs.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from seem_client.overlay import drawn
from seem_server.commands.indexed_png import palette
from seem_wire.errors import NotOffered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Indices = npt.NDArray[np.uint8]

SUFFIXES = (".mp4", ".mkv", ".mov")
"""Of videos; a name without one is a folder's."""

FOLDER_RATE = 10
"""Frames a second of what has no times of its own."""

_CODECS = ("libx264", "mpeg4")
_TICKS = 60_000  # a second: whole numbers for 24, 25, 30, 30/1.001 and 60 frames a second


@dataclass(frozen=True, slots=True, eq=False)
class OverlayFrame:
    """A frame to be drawn: pixels uint8 (H, W, 3), indices uint8 (H, W), its time if it has one."""

    name: str
    pixels: Pixels
    indices: Indices
    time_s: float | None = None


def write_overlay(path: Path, frames: Iterable[OverlayFrame]) -> Path:
    """Writes the video, or images where a folder is named or PyAV is missing; gives its path.

    Raises:
        NotOffered: PyAV has no encoder for it.
        OSError: Something cannot be written.
    """
    folder = images_instead(path)
    if folder is not None:
        if folder != path:
            print(f"PyAV is not installed: the overlay is images in {folder}.", file=sys.stderr)
        return _write_images(folder, frames)
    import av  # noqa: PLC0415 - an extra, and large

    codec = next((one for one in _CODECS if one in av.codecs_available), None)
    if codec is None:
        raise NotOffered(f"This PyAV has no encoder for {path}: neither of {', '.join(_CODECS)}.")
    begun = path.with_name(f".part.{path.name}")
    try:
        with av.open(str(begun), "w") as file:
            for packet in _encoded(av, file.add_stream(codec, rate=FOLDER_RATE), frames):
                file.mux(packet)
        os.replace(begun, path)  # noqa: PTH105 - says that what was there is replaced
    finally:
        begun.unlink(missing_ok=True)
    return path


def images_instead(path: Path) -> Path | None:
    """The folder of images that is written in place of a video; None where it is a video.

    A name without a suffix is a folder; without PyAV, so is a name of a video, its suffix left out.
    """
    if not path.suffix:
        return path
    try:
        import av  # noqa: F401, PLC0415 - an extra, and large
    except ImportError:
        return path.with_suffix("")
    return None


def _encoded(av: Any, stream: Any, frames: Iterable[OverlayFrame]) -> Iterator[Any]:
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, _TICKS)
    last = -1
    for number, one in enumerate(frames):
        picture = _even(drawn(one.pixels, one.indices, palette()))
        if last < 0:
            stream.height, stream.width = picture.shape[:2]
        time_s = number / FOLDER_RATE if one.time_s is None else one.time_s
        last = max(last + 1, round(time_s * _TICKS))  # encoders take only what rises
        frame = av.VideoFrame.from_ndarray(picture)
        frame.pts, frame.time_base = last, Fraction(1, _TICKS)
        yield from stream.encode(frame)
    yield from stream.encode()


def _even(pixels: Pixels) -> Pixels:
    """With an even height and width, as video codecs want: the last row and column may be twice."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _write_images(folder: Path, frames: Iterable[OverlayFrame]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for one in frames:
        Image.fromarray(drawn(one.pixels, one.indices, palette())).save(
            folder / f"{one.name}.jpg", quality=90
        )
    return folder
