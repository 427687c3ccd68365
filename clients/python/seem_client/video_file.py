"""A video file as numbered frames, read by PyAV (extra `video`).

Frames are numbered as they are decoded, in the order in which they are shown, each with its own
time: where the rate varies nothing is doubled or dropped. To go back is to seek to a key frame and
to decode from there; the frames just before the one that was asked for are kept on the way, so that
a walk backward decodes each stretch a few times and not once a frame.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections import OrderedDict
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from seem_client.frames import FrameSource, OneSize
from seem_wire.errors import FrameGone, VideoEmpty, VideoReaderMissing, VideoUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

HELD_BYTES = 64 * 1024**2
HELD_FRAMES = 32
"""What is held of a video at most: so many frames, fewer where they are large, at least one."""

_STEPS_BACK = (0, 16, 64)
"""Seek for a frame so many before the wanted one, where the key frame found comes too late."""

_SHORT_S = 0.5
"""A file that ends so much before the end that it declares was cut short."""

_ALONE = {"protocol_whitelist": "none"}
_MICROSECONDS = 1_000_000


class VideoFile(FrameSource):
    """The frames of a video file, uint8 (H, W, 3) RGB, upright, as many pixels as are stored.

    Raises:
        VideoReaderMissing: PyAV is not installed.
        VideoUnreadable: The file is no video.
        VideoEmpty: It has no pictures.
        OSError: The file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._av = _pyav()
        self._broken = (self._av.FFmpegError, OSError)  # the latter from seeking where nothing is
        self._path = path
        self._container: Any = None
        self._held: OrderedDict[int, Pixels] = OrderedDict()
        self._pts: list[int] = []  # of the frames that were read, as long as each has a later one
        self._seekable = True
        self._times_s: list[float | None] = []
        self._one_size = OneSize()
        self._n_frames: int | None = None
        self._damage: VideoUnreadable | None = None
        self._heard_s = 0.0  # the latest end of anything in the file
        self._file = path.open("rb")
        begun = False
        try:
            self._begin()
            begun = self.frame(0) is not None
        finally:
            if not begun:
                self.close()
        if not begun:
            raise VideoEmpty(f"The video {path} has no frame.")

    @property
    def n_frames(self) -> int | None:
        """How many frames there are, once the last was read."""
        return self._n_frames

    @property
    def declared_rate(self) -> float | None:
        """Frames a second, on average; None where the file does not say."""
        rate = self._stream.average_rate
        return float(rate) if rate else None

    @property
    def declared_n_frames(self) -> int | None:
        """How many frames the file says there are, which may not be true; None where it doesn't."""
        if self._stream.frames:
            return int(self._stream.frames)
        duration: int | None = self._container.duration
        if duration and self.declared_rate:
            return round(duration / _MICROSECONDS * self.declared_rate)
        return None

    def time_s(self, index: int) -> float | None:
        """When a frame that was read is shown, in seconds."""
        return self._times_s[index] if index < len(self._times_s) else None

    def frame(self, index: int) -> Pixels | None:
        """The frame of a number; None past the last.

        Raises:
            FrameGone: The file was closed.
            VideoUnreadable: The file is damaged here.
            FrameSizeChanged: Its size is not that of those before.
        """
        if self._file.closed:
            raise FrameGone(f"The video {self._path} was closed.")
        if index in self._held:
            self._held.move_to_end(index)
            return self._held[index]
        if index >= len(self._times_s) and (self._damage or self._n_frames is not None):
            self._raise_damage()
            return None
        first = index
        if index < self._next:
            first = max(0, index - self._n_held() + 1)
            self._go_back(index)
        while self._next <= index:
            if not self._advance(keep=self._next >= first):
                self._raise_damage()
                return None
        return self._held[index]

    def close(self) -> None:
        """Lets go of the file."""
        if self._container is not None:
            self._container.close()
        self._file.close()
        self._held.clear()

    def _raise_damage(self) -> None:
        if self._damage is not None:
            raise VideoUnreadable(self._damage.message)

    def _advance(self, *, keep: bool) -> bool:
        """Decodes the next frame, and holds it where it is to be kept; False at the end."""
        index = self._next
        try:
            found = next(self._ahead, None)
        except VideoUnreadable as error:
            self._damage = error
            return False
        if found is None:
            self._n_frames = index
            return False
        if index == len(self._times_s):
            self._note(found)
        self._next += 1
        if keep:
            pixels = _upright(found)
            self._one_size.check(index, pixels.shape[:2])
            self._hold(index, pixels)
        return True

    def _note(self, frame: Any) -> None:
        """When a frame that was never read before is shown."""
        self._times_s.append(
            None if frame.pts is None else float(frame.pts * self._stream.time_base)
        )
        if frame.pts is None or (self._pts and frame.pts <= self._pts[-1]):
            self._seekable = False
        elif self._seekable:
            self._pts.append(frame.pts)

    def _hold(self, index: int, pixels: Pixels) -> None:
        self._held[index] = pixels
        while len(self._held) > self._n_held():
            self._held.popitem(last=False)

    def _n_held(self) -> int:
        size = next((one.nbytes for one in self._held.values()), HELD_BYTES)
        return max(1, min(HELD_FRAMES, HELD_BYTES // max(size, 1)))

    # --- where in the file

    def _begin(self) -> None:
        """Stands before the first frame."""
        if self._container is not None:
            self._container.close()
            self._file.seek(0)
        # An open file, and no other may be opened: a playlist would name more, or addresses.
        try:
            self._container = self._av.open(
                self._file, container_options=_ALONE, metadata_errors="replace"
            )
        except self._broken as error:
            raise VideoUnreadable(f"{self._path} is no video: {error.strerror}.") from error
        videos = self._container.streams.video
        attached = self._av.stream.Disposition.attached_pic  # such as the cover of a song
        pictures = [one for one in videos if not one.disposition & attached]
        if not pictures:
            raise VideoEmpty(f"{self._path} has no pictures.")
        self._stream = pictures[0]
        self._next = 0
        self._ahead: Iterator[Any] = self._decoded()

    def _go_back(self, index: int) -> None:
        """Stands at most at a frame that was read before."""
        for step in _STEPS_BACK if self._seekable else ():
            wanted = self._pts[max(0, index - step)]
            with suppress(*self._broken, VideoUnreadable):
                self._container.seek(wanted, stream=self._stream)
                ahead = self._decoded()
                first = next(ahead, None)
                place = self._place(first)
                if place is not None and place <= index:
                    self._next, self._ahead = place, chain([first], ahead)
                    return
        self._begin()

    def _place(self, frame: Any) -> int | None:
        """The number of a frame that was read before, by its time."""
        if frame is None or frame.pts is None:
            return None
        place = bisect_left(self._pts, frame.pts)
        return place if place < len(self._pts) and self._pts[place] == frame.pts else None

    def _decoded(self) -> Iterator[Any]:
        """The frames from here on.

        Raises:
            VideoUnreadable: The file is damaged, or ends before the end that it declares.
        """
        trouble = None
        try:
            for packet in self._container.demux():
                self._hear(packet)
                if packet.stream.index != self._stream.index:
                    continue
                if packet.is_corrupt:
                    trouble = "it is cut short"
                    break
                yield from packet.decode()
        except self._broken as error:
            trouble = str(error.strerror)
        if trouble is None:
            trouble = self._cut_short()
        else:
            with suppress(*self._broken):
                yield from self._stream.decode(None)  # what was whole and waited for its turn
        if trouble is not None:
            raise VideoUnreadable(
                f"The video {self._path} cannot be read from frame {self._next} on: {trouble}."
            )

    def _hear(self, packet: Any) -> None:
        if packet.pts is not None and packet.time_base:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            self._heard_s = max(self._heard_s, float(end))

    def _cut_short(self) -> str | None:
        """What is wrong where the file has less than it declares."""
        if not self._container.duration or not self._heard_s:
            return None
        start = self._container.start_time or 0
        declared_s = (start + self._container.duration) / _MICROSECONDS
        if self._heard_s >= declared_s - _SHORT_S:
            return None
        return f"it ends after {self._heard_s:.1f} of {declared_s:.1f} s"


def _pyav() -> Any:
    try:
        import av  # noqa: PLC0415 - an extra, and large
        import av.stream  # noqa: PLC0415
    except ImportError as error:
        raise VideoReaderMissing("To read a video file needs PyAV.") from error
    return av


def _upright(frame: Any) -> Pixels:
    """The pixels of a frame as they are to be seen: its display matrix turns and mirrors.

    The matrix maps a stored (x, y) to (a x + c y, b x + d y).
    """
    pixels: Pixels = frame.to_ndarray(format="rgb24")
    for side in frame.side_data:
        if side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = struct.unpack("=5i", bytes(side)[:20])
            if abs(c) > abs(a):  # what was a column is a row
                pixels, a, d = pixels.swapaxes(0, 1), c, b
            pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)
