"""One replica of a cluster: an engine of its own, which takes work from afar.

Work names images by key, as everywhere. Pixels come along the first time, and again when the
replica says that it lacks them: it is new, or had to make room. All else that work rests on it
makes again, bit for bit, so any replica can answer any click.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from seem_server.engine.work import image_keys
from seem_wire.errors import SeemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from seem_server.engine.engine import Engine
    from seem_server.engine.work import Result, Work

    Pixels = npt.NDArray[np.uint8]
    Float32 = npt.NDArray[np.float32]
    Encode = Callable[[Pixels], Awaitable[Sequence[Float32]]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """How work ended on a replica.

    Attributes:
        outcome: Its result, or why there is none.
        superseded_by: The command that was served in its place, where that is why.
        device_s: How long the device worked for it, and for what its tenant took back before.
        missing: Images whose pixels the replica needs first; then nothing was begun.
    """

    outcome: Result | SeemError | None = None
    superseded_by: int | None = None
    device_s: float = 0.0
    missing: frozenset[str] = frozenset()


class Replica:
    """Carries work out on `engine`, on one event loop. `encode`: where images are encoded instead.

    Should `encode` fail, the engine encodes: that costs time, and nothing else.
    """

    def __init__(self, engine: Engine, encode: Encode | None = None) -> None:
        self._engine = engine
        self._encode = encode
        self._encoding: dict[str, asyncio.Task[None]] = {}
        self._owed_s: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def lacks(self, work: Work) -> frozenset[str]:
        """Images whose pixels the work needs; of all but its own image, features do."""
        engine = self._engine
        return frozenset(
            key
            for key in image_keys(work)
            if not engine.has_image(key) and (key == work.image_key or not engine.has_features(key))
        )

    async def carry_out(
        self, work: Work, pixels: Mapping[str, Pixels], *, tenant: str = ""
    ) -> Reply:
        """Does the work, or says what is missing for it. Cancelling this drops the work."""
        for key, image in pixels.items():
            self._engine.put_image(key, image)
        if missing := self.lacks(work):
            return Reply(missing=missing)
        if work.image_key in pixels:
            await self._encoded(work.image_key, pixels[work.image_key])
        try:
            ticket = self._engine.submit(work, tenant=tenant, pay=partial(self._owe, tenant))
        except SeemError as error:
            return Reply(error)
        try:
            return Reply(await ticket, device_s=self._settled(tenant))
        except SeemError as error:
            return Reply(error, ticket.superseded_by, self._settled(tenant))

    def _owe(self, tenant: str, spent_s: float) -> None:
        with self._lock:  # from the engine's thread
            self._owed_s[tenant] += spent_s

    def _settled(self, tenant: str) -> float:
        """What the tenant owes, also for work that ran on when nobody waited for it any more."""
        with self._lock:
            return self._owed_s.pop(tenant, 0.0)

    async def _encoded(self, key: str, image: Pixels) -> None:
        """Has an image encoded elsewhere, once, however many pieces of work wait for that."""
        if self._encode is None or self._engine.has_features(key):
            return
        if key not in self._encoding:
            task = self._encoding[key] = asyncio.create_task(self._take(key, image))
            task.add_done_callback(lambda _: self._encoding.pop(key, None))
        await asyncio.shield(self._encoding[key])  # another may want it still

    async def _take(self, key: str, image: Pixels) -> None:
        if self._encode is None:
            return
        try:
            arrays = await self._encode(image)
        except Exception:
            logger.exception("an image was not encoded elsewhere; it is encoded here")
            return
        self._engine.put_features(key, image.shape[:2], arrays)
