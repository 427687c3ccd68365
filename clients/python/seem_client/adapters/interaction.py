"""Clicks of tools that send all of them at each request, and name no object.

An image has one session, so it is encoded once. What was said of an object before is known again in
the next request, and only what is new is said to the server: a click corrects the mask of the round
before. A request that takes something back begins another object, with all of it at once.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seem_client.adapters.kept import Kept
from seem_client.adapters.link import is_session_gone
from seem_wire.errors import PromptEmpty, SeemError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seem_client.adapters.link import Link
    from seem_client.async_session import AsyncSession
    from seem_client.prediction import Prediction

    Places = tuple[tuple[float, float], ...]
    Corners = tuple[float, float, float, float]

KEEP_S = 600.0
N_IMAGES = 32
N_OBJECTS = 16
"""Sessions that are held, for how long after their last use, and objects in each of them."""


@dataclass(frozen=True, slots=True)
class Said:
    """All that a request says of an object; `box` is (x0, y0, x1, y1)."""

    positive: Places = ()
    negative: Places = ()
    box: Corners | None = None

    def beyond(self, before: Said) -> Said | None:
        """What this says that was not said before; None where it takes something back."""
        n_positive, n_negative = len(before.positive), len(before.negative)
        if self.positive[:n_positive] != before.positive:
            return None
        if self.negative[:n_negative] != before.negative:
            return None
        if before.box not in {None, self.box}:
            return None
        box = None if self.box == before.box else self.box
        return Said(self.positive[n_positive:], self.negative[n_negative:], box)


@dataclass(slots=True)
class _Opened:
    """An image's session, and what was said of its objects: of the last that was asked for last."""

    session: AsyncSession | None = None
    said: dict[int, Said] = field(default_factory=dict)
    n_objects: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Interaction:
    """Masks for clicks and boxes on images, by whoever asks."""

    def __init__(self, link: Link, *, keep_s: float = KEEP_S, n_images: int = N_IMAGES) -> None:
        self._link = link
        self._opened: Kept[str, _Opened] = Kept(n_kept=n_images, keep_s=keep_s)

    async def mask(self, image: bytes, said: Said) -> Prediction:
        """The object of an image file's bytes that all of `said` is about.

        Raises:
            PromptEmpty: Nothing was said.
            SeemError: The server refuses or cannot be reached.
        """
        if said == Said():
            raise PromptEmpty("The request has neither a point nor a box.")
        key = await asyncio.to_thread(lambda: hashlib.sha256(image).hexdigest())
        opened = self._opened.get(key)
        if opened is None:
            opened = _Opened()
            await _close(self._opened.keep(key, opened))
        client = await self._link.client()
        async with opened.lock:
            if opened.session is not None:
                try:
                    return await _say(opened, opened.session, said)
                except SeemError as error:
                    if not is_session_gone(error):
                        raise
                    await opened.session.leave()
                    opened.session = None
            session = await client.open(image)
            opened.session, opened.said = session, {}
            return await _say(opened, session, said)

    async def close(self) -> None:
        """Ends all sessions."""
        await _close(self._opened.empty())


async def _say(opened: _Opened, session: AsyncSession, said: Said) -> Prediction:
    object_id, news = _object_of(opened, said)
    while object_id not in opened.said and len(opened.said) >= N_OBJECTS:
        oldest = next(iter(opened.said))
        del opened.said[oldest]
        await session.remove(oldest)
    if news == Said():
        prediction = session.predictions[object_id]
    else:
        points = [(x, y, True) for x, y in news.positive]
        points += [(x, y, False) for x, y in news.negative]
        prediction = await session.prompt(object_id=object_id, points=points, box=news.box)
    opened.said.pop(object_id, None)
    opened.said[object_id] = said
    return prediction


def _object_of(opened: _Opened, said: Said) -> tuple[int, Said]:
    """The object that is meant, and what is new about it: all, where it is a new object."""
    for object_id, before in reversed(opened.said.items()):
        news = said.beyond(before)
        if news is not None:
            return object_id, news
    opened.n_objects += 1
    return opened.n_objects, said


async def _close(gone: Iterable[_Opened]) -> None:
    for one in gone:
        async with one.lock:
            if one.session is not None:
                await one.session.close()
