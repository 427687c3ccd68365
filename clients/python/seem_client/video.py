"""A session about a video, that waits for answers."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from seem_client import _core as core
from seem_client._following import TrackedFrame, about, ahead_of, is_refused, legs, missing
from seem_client._offering import check_image_size
from seem_client.channel import client_name
from seem_client.image import image_bytes
from seem_client.picture import frames_of
from seem_client.session import Session
from seem_wire.errors import SeemError
from seem_wire.types import ImageBytes

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future

    from seem_client._following import Direction, Leg
    from seem_client.frames import FrameSource
    from seem_client.prediction import Prediction
    from seem_wire.types import ImageSet

    Asked = tuple[int, Future[dict[int, Prediction]]]


class Video(Session):
    """A video, any number of objects; every prompt says by `frame` which frame it is about.

    Frames are sent when they are needed, in their order, and not held. `predictions` are those of
    the newest prompts; those of each frame come by `propagate`.
    """

    _source: FrameSource

    def begin(self, source: FrameSource) -> None:
        """Opens it for the frames of `source`; its client calls this."""
        self._takes(source)
        self._wait(lambda: self._core.open_video(client_name()), core.read_opened)

    def go_on_with(self, source: FrameSource, session_id: str) -> None:
        """Takes over a session about the frames of `source`; its client calls this."""
        self._takes(source)
        self.resume(session_id)
        self._n_sent = self._core.n_frames

    def _takes(self, source: FrameSource) -> None:
        self._source, self._n_sent = source, 0
        self._reading, self._checking = threading.Lock(), threading.Lock()
        self._showing: deque[tuple[int, Future[ImageSet]]] = deque()
        self._core.picture_of = frames_of(source, self._reading)

    @property
    def n_frames(self) -> int | None:
        """How many frames the video has; None where nobody knows yet."""
        return self._source.n_frames

    def propagate(
        self, first: int = 0, last: int | None = None, *, direction: Direction = "forward"
    ) -> Generator[TrackedFrame, None, None]:
        """Follows all objects through the frames `first` to `last`, and gives each frame once.

        To the end where `last` is None. "backward" begins with `last`; "both" goes from the first
        prompted frame to `last`, and then from it back to `first`. A frame in which an object was
        prompted or corrected keeps its mask. Whoever stops iterating stops the server, too.

        Raises:
            NothingToFollow: No object was prompted yet.
            BadVideo, BadImage: A frame cannot be used; those before it came, and once it was
                replaced it can be asked for again.
            UnknownFrame: The video does not have the frame to begin with.
            InvalidValue: There are no such frames.
        """
        if direction == "backward" and last is None:
            last = self._last_frame()
        for leg in legs(first, last, direction, frozenset(self._core.prompted)):
            yield from self._follow(leg)

    def _follow(self, leg: Leg) -> Generator[TrackedFrame, None, None]:
        asked: deque[Asked] = deque()
        trouble: Exception | None = None
        try:
            for frame, source in leg.steps():
                try:
                    if not self._bring(frame):
                        trouble = missing(frame, self._source) if frame == leg.start else None
                        break
                except (SeemError, OSError) as error:  # those before it come first
                    trouble = error
                    break
                asked.append((frame, self._ask_for(frame, source)))
                if len(asked) >= ahead_of(self._source):
                    yield self._answered(asked)
            while asked:
                yield self._answered(asked)
            if trouble is not None:
                raise trouble
        finally:
            if asked:
                with suppress(SeemError, TimeoutError):
                    self._send(self._core.stop, core.read_done).result(self._goodbye_s)

    def _ask_for(self, frame: int, source: int) -> Future[dict[int, Prediction]]:
        return self._send(lambda: self._core.propagate(frame, source), self._core.read_frame)

    def _answered(self, asked: deque[Asked]) -> TrackedFrame:
        frame, future = asked[0]
        self._check_shown(frame)
        predictions = self._result(future, self._patience.timeout_s)
        asked.popleft()
        return TrackedFrame(frame, predictions)

    # --- frames

    def _bring(self, index: int) -> bool:
        """Sends all frames up to this one that were not sent; whether the video has it."""
        while (next_one := self._n_sent) <= index:
            with self._reading:
                if self._n_sent != next_one:
                    continue  # another thread brought it, or it was refused
                with about(self._source, next_one):
                    image = self._source.frame(next_one)
                    if image is None:
                        return False
                    data = image_bytes(image)
                    check_image_size(data, self._core.offered)
                self._show_frame(next_one, ImageBytes(data))
            if len(self._showing) > ahead_of(self._source):
                self._check_shown(next_one - ahead_of(self._source))
        return True

    def _show_frame(self, index: int, image: ImageBytes) -> None:
        with self._checking:
            if self._n_sent == index:
                showing = self._send(lambda: self._core.frame(index, image), core.read_image_set)
                self._showing.append((index, showing))
                self._n_sent += 1

    def _check_shown(self, index: int) -> None:
        """Raises what the server says against a frame up to this one, which can be sent again."""
        with self._checking:
            while self._showing and self._showing[0][0] <= index:
                refused, future = self._showing[0]
                try:
                    with about(self._source, refused):
                        self._result(future, self._patience.timeout_s)
                except BaseException:
                    if is_refused(future):  # else only the waiting ended
                        self._n_sent = refused
                        self._showing.clear()
                    raise
                self._showing.popleft()

    def _last_frame(self) -> int:
        known = self._source.n_frames
        if known is not None:
            return known - 1
        index = self._n_sent
        while self._bring(index):
            index += 1
        return index - 1

    # --- prompts

    def _prepare(self, frame: int | None) -> None:
        if frame is None or frame < 0:
            return  # the server says what is wrong
        if not self._bring(frame):
            raise missing(frame, self._source)
        self._check_shown(frame)

    def leave(self) -> None:
        """As `Session.leave`; files of the video are let go of."""
        super().leave()
        if self._reading.acquire(timeout=self._goodbye_s):  # what is being read is not closed
            self._source.close()
            self._reading.release()
