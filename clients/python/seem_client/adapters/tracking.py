"""Objects followed for tools that show a frame at a request, and keep a small state of each object.

The objects that were begun in one request are one video session. A state names the session and the
object: `TOKEN.1`. The frames are those that the tool shows, in the order in which it shows them.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seem_client.adapters.kept import Kept
from seem_client.adapters.link import is_session_gone
from seem_client.frames import LiveFrames
from seem_wire.errors import Fault, InvalidValue, SeemError, SessionExpired

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from seem_client._following import TrackedFrame
    from seem_client.adapters.link import Link
    from seem_client.async_client import AsyncClient
    from seem_client.async_video import AsyncVideo
    from seem_client.prediction import Prediction

    Mask = npt.NDArray[np.bool_]
    Corners = tuple[float, float, float, float]
    Size = tuple[int, int]
    Draw = Callable[[Size], "Mask | Corners"]

KEEP_S = 8 * 3600.0
N_VIDEOS = 64
"""Video sessions that are held, and for how long after their last use: as CVAT keeps its states."""


class _ShownFrames(LiveFrames):
    """The one frame that was shown last."""

    def __init__(self) -> None:
        super().__init__(())
        self._index, self._image = -1, b""

    def show(self, index: int, image: bytes) -> None:
        """Makes an image the frame of a number, and the only one."""
        self._index, self._image = index, image

    @property
    def n_frames(self) -> int | None:
        """Nobody knows."""
        return None

    def frame(self, index: int) -> bytes | None:
        """The frame, if it is the one that is shown."""
        return self._image if index == self._index else None


@dataclass(slots=True)
class _Followed:
    """A video session.

    Attributes:
        shown: Digest of the newest frame that was answered, whose number is `answered`.
        found: Its answer.
        waiting: Digest and image of the frame after it, which was shown, but not answered.
        steps: Gives one answer after the other.
    """

    video: AsyncVideo
    frames: _ShownFrames
    shown: str
    found: Mapping[int, Prediction]
    answered: int = 0
    waiting: tuple[str, bytes] | None = None
    steps: AsyncGenerator[TrackedFrame, None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Tracking:
    """Objects in videos that come frame by frame, by whoever asks."""

    def __init__(self, link: Link, *, keep_s: float = KEEP_S, n_videos: int = N_VIDEOS) -> None:
        self._link = link
        self._followed: Kept[str, _Followed] = Kept(n_kept=n_videos, keep_s=keep_s)

    async def begin(self, image: bytes, objects: Sequence[Draw]) -> list[str]:
        """Begins to follow objects from an image on; gives a state for each.

        objects: what each is there, told the image's (height, width): a mask, or the corners of a
            box around it.

        Raises:
            InvalidValue: There is no object.
            SeemError: The server refuses or cannot be reached.
        """
        if not objects:
            raise InvalidValue("There is no shape to be followed.")
        digest = await asyncio.to_thread(_digest, image)
        followed = await _begin(await self._link.client(), image, digest, objects)
        token = secrets.token_urlsafe(16)
        await _close(self._followed.keep(token, followed))
        return [f"{token}.{object_id}" for object_id in range(1, len(objects) + 1)]

    async def follow(self, image: bytes, states: Sequence[str]) -> list[Prediction]:
        """Where the objects are in the next image; an empty mask where one is not to be seen.

        The image that was shown last is not a new frame: what was found there is given again.

        Raises:
            SessionExpired: A state is not known (any more).
            SeemError: The server refuses or cannot be reached.
        """
        named = [_parsed(state) for state in states]
        digest = await asyncio.to_thread(_digest, image)
        found = {
            token: await self._step(token, image, digest)
            for token in dict.fromkeys(token for token, _ in named)
        }
        try:
            return [found[token][object_id] for token, object_id in named]
        except KeyError:
            raise _expired() from None

    async def close(self) -> None:
        """Ends all sessions."""
        await _close(self._followed.empty())

    async def _step(self, token: str, image: bytes, digest: str) -> Mapping[int, Prediction]:
        followed = self._followed.get(token)
        if followed is None:
            raise _expired()
        async with followed.lock:
            # The server may have it as that frame: what is shown now is the one after it.
            if followed.waiting is not None and followed.waiting[0] != digest:
                await self._advance(token, followed, *followed.waiting)
            if followed.shown != digest:
                await self._advance(token, followed, digest, image)
            return followed.found

    async def _advance(self, token: str, followed: _Followed, digest: str, image: bytes) -> None:
        client = await self._link.client()
        followed.frames.show(followed.answered + 1, image)
        followed.waiting = digest, image
        try:
            frame = await _next_frame(client, followed)
        except SeemError as error:
            followed.steps = None
            if error.fault is not Fault.CAPACITY:
                followed.waiting = None
            if isinstance(error, SessionExpired):
                self._followed.drop(token)
            raise
        followed.answered, followed.found = frame.index, frame.predictions
        followed.shown, followed.waiting = digest, None


async def _begin(
    client: AsyncClient, image: bytes, digest: str, objects: Iterable[Draw]
) -> _Followed:
    async with client.open(image) as looked_at:  # whose features the video then finds
        size = looked_at.size
    drawn = [draw(size) for draw in objects]
    frames = _ShownFrames()
    frames.show(0, image)
    video = await client.track(frames)
    try:
        found = {}
        for object_id, one in enumerate(drawn, 1):
            if isinstance(one, tuple):
                said = video.prompt(object_id=object_id, frame=0, box=one)
            else:
                said = video.prompt(object_id=object_id, frame=0, mask=one)
            found[object_id] = await said
    except BaseException:
        await video.close()
        raise
    return _Followed(video, frames, digest, found)


async def _next_frame(client: AsyncClient, followed: _Followed) -> TrackedFrame:
    """Follows to the frame that is shown.

    Raises:
        SessionExpired: The server does not know the session any more.
    """
    wanted = followed.answered + 1
    try:
        return await _stepped(followed, wanted)
    except SeemError as error:
        if not is_session_gone(error):
            raise
    try:
        video = await client.track(followed.frames, session_id=followed.video.id)
        await followed.video.leave()
        followed.video, followed.steps = video, None
        return await _stepped(followed, wanted)
    except SeemError as error:
        if is_session_gone(error) and error.fault is Fault.CALLER:
            raise _expired() from error
        raise


async def _stepped(followed: _Followed, wanted: int) -> TrackedFrame:
    if followed.steps is None:
        followed.steps = followed.video.propagate(followed.answered)
    async for frame in followed.steps:
        if frame.index == wanted:
            return frame
    followed.steps = None
    raise InvalidValue(f"The video ended before frame {wanted}.")


async def _close(gone: Iterable[_Followed]) -> None:
    for one in gone:
        if one.steps is not None:
            await one.steps.aclose()
        await one.video.close()


def _parsed(state: object) -> tuple[str, int]:
    token, _, number = str(state).rpartition(".")
    if not token or not number.isdecimal():
        raise _expired()
    return token, int(number)


def _digest(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


def _expired() -> SessionExpired:
    error = SessionExpired("What was followed is not remembered any more.")
    error.hint = "Begin to track the object again, from the frame that is shown."
    return error
