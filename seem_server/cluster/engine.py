"""The engine's port, where others do the work: each piece goes to a replica and comes back.

Work on one image goes to one replica, as long as there is room: it holds the features, and has the
session's other clicks wait in one queue with it. The frames of a video go where their session goes.
That is a matter of speed alone: a replica that lacks something asks for it or makes it again, so a
lost one costs time. Work that it had is done once more by another.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from seem_server.engine.cache import ByteCache
from seem_server.engine.engine import EngineStats
from seem_server.engine.observing import Unobserved
from seem_server.engine.tickets import Ticket, TicketState
from seem_server.engine.work import Follow, image_keys
from seem_wire.errors import (
    BundleInvalid,
    DeadlineExceeded,
    ImageUnknown,
    Internal,
    Overloaded,
    SeemError,
    ShuttingDown,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    import numpy as np
    import numpy.typing as npt

    from seem_server.cluster.replica import Reply
    from seem_server.engine.cache import CacheUse
    from seem_server.engine.observing import Observer
    from seem_server.engine.tickets import Pay
    from seem_server.engine.work import Work
    from seem_server.runtime.specs import BundleManifest

    Pixels = npt.NDArray[np.uint8]

T = TypeVar("T")

logger = logging.getLogger(__name__)

MOST_TRIES = 5
"""Replicas that work is brought to, one after the other, as they are lost."""

MOST_GIVEN = 65_536
"""Images that are remembered to have been sent, before those that are gone are forgotten."""

RETRY_MS = 500
WATCH_S = 2.0
"""How often it is asked whether there is anybody who answers."""


class ReplicaLost(Exception):
    """A replica ended before it answered: another may be asked."""


class Replicas(Protocol):
    """Brings work to replicas. Used on one event loop, but for `lend`."""

    def lend(self, pixels: Pixels) -> object:
        """Pixels, once for all replicas: what is sent in their place."""

    async def carry_out(
        self, route: str, work: Work, images: Mapping[str, object], *, tenant: str
    ) -> Reply:
        """Has work done where earlier work of the same route was. `images`: as they were lent.

        Raises:
            ReplicaLost: Whoever did it is gone.
        """

    async def about(self) -> tuple[str, str]:
        """Where a replica runs the model, and the model's id. Raises ReplicaLost."""

    async def close(self) -> None:
        """Lets go of them."""


class ClusterEngine:
    """Carries out work on replicas; see `EnginePort`.

    manifest: of the bundle that the replicas run. max_waiting: pieces of work on the way at once.
    images_bytes: of pixels that are kept here for replicas that lack them.

    Raises:
        ReplicaLost: None answers, when the engine is made.
        BundleInvalid: They run another model than `manifest` tells of.
    """

    def __init__(
        self,
        replicas: Replicas,
        manifest: BundleManifest,
        *,
        max_waiting: int,
        images_bytes: int,
        observer: Observer | None = None,
    ) -> None:
        self._replicas = replicas
        self.manifest = manifest
        self._max_waiting = max_waiting
        self._observer = observer or Unobserved()
        self._images: ByteCache[object] = ByteCache(images_bytes)
        self._given: set[str] = set()
        self._tickets: set[Ticket] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._n_lost = 0
        self._answers = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="seem-cluster", daemon=True)
        self._thread.start()
        try:
            self.provider, model_id = self._run(replicas.about())
        except ReplicaLost:
            self._end()
            raise
        if model_id != manifest.model_id:
            self._end()
            raise BundleInvalid(
                f"The replicas run {model_id}, and this server has {manifest.model_id}."
            )
        self._watching = asyncio.run_coroutine_threadsafe(self._watch(), self._loop)

    @property
    def stats(self) -> EngineStats:
        """How it stands now: what is on its way, and how often a replica was lost."""
        return EngineStats(
            n_waiting=0,
            n_running=len(self._tickets),
            n_pins=self._images.n_pins,
            n_restarts=self._n_lost,
            images_bytes=self._images.n_bytes,
            features_bytes=0,
            memory_bytes=0,
        )

    @property
    def caches(self) -> dict[str, CacheUse]:
        """How the pixels that are kept here are used; the replicas have the other caches."""
        return {"images": self._images.use}

    @property
    def is_alive(self) -> bool:
        """Whether the thread that asks the replicas runs."""
        return self._thread.is_alive()

    @property
    def answers(self) -> bool:
        """Whether a replica answered when one was asked last."""
        return self.is_alive and self._answers and not self._closing

    def put_image(self, image_key: str, pixels: Pixels) -> None:
        """Keeps upright RGB uint8 (H, W, 3) pixels under a key that names them for good."""
        # Anew, even where they are kept: they come again when what was lent is lost.
        self._images.put(image_key, self._replicas.lend(pixels), pixels.nbytes)

    def has_image(self, image_key: str) -> bool:
        """Whether its pixels are kept here."""
        return image_key in self._images

    def has_features(self, image_key: str) -> bool:
        """Whether a replica had this image; it may be gone."""
        return image_key in self._given

    def submit(
        self,
        work: Work,
        *,
        deadline_s: float | None = None,
        tenant: str = "",
        pay: Pay | None = None,
    ) -> Ticket:
        """A ticket for `work`; see `EnginePort.submit`. A deadline bounds all of the way."""
        ticket = Ticket(work, pay=pay)
        with self._lock:
            if self._closing:
                raise ShuttingDown("The server takes no new work.")
            self._check_room()
            if not self.has_image(work.image_key):
                raise ImageUnknown(f"The server does not hold the image {work.image_key}.")
            self._tickets.add(ticket)
        for key in image_keys(work):
            self._images.pin(key)
        self._observer.submitted(ticket)
        bringing = asyncio.run_coroutine_threadsafe(
            self._bring(ticket, tenant, deadline_s), self._loop
        )

        def forget(ended: Ticket) -> None:
            self._tickets.discard(ended)
            for key in image_keys(work):
                self._images.unpin(key)
            if ended.state is TicketState.CANCELLED:
                bringing.cancel()  # which drops the work where it is

        ticket.add_done_callback(forget)
        return ticket

    def check_room(self, session_id: str, image_key: str, *, tenant: str = "") -> None:
        """Raises Overloaded where too much is on its way; the replicas refuse for themselves."""
        del session_id, image_key, tenant  # all alike
        self._check_room()

    def close(self, *, drain_s: float = 10.0) -> None:
        """Takes no new work, waits for what is on its way, and ends every ticket. It blocks."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            left = list(self._tickets)
        self._run(_ended(left, drain_s))
        for ticket in left:
            ticket.fail(ShuttingDown("The server went down before this was done."))
        self._watching.cancel()
        self._end()

    def _run(self, doing: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    def _check_room(self) -> None:
        if len(self._tickets) >= self._max_waiting:
            raise Overloaded(
                f"{len(self._tickets)} pieces of work are on their way.", retry_after_ms=RETRY_MS
            )

    def _end(self) -> None:
        self._run(self._replicas.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # --- on the loop of the thread

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # it ends what is left
            runner.get_loop().run_forever()

    async def _bring(self, ticket: Ticket, tenant: str, deadline_s: float | None) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                reply = await self._answered(ticket.work, tenant)
        except TimeoutError:
            ticket.fail(DeadlineExceeded("The deadline passed before a replica answered."))
            return
        except Exception as error:
            if not isinstance(error, ReplicaLost):
                logger.exception("work could not be brought to a replica")
            ticket.fail(Internal("No replica did this."))
            return
        self._settle(ticket, reply)

    def _settle(self, ticket: Ticket, reply: Reply) -> None:
        if ticket.pay and reply.device_s:
            ticket.pay(reply.device_s)
        outcome = reply.outcome
        if reply.superseded_by is not None:
            ticket.supersede(reply.superseded_by)
        elif isinstance(outcome, SeemError):
            ticket.fail(outcome)
        elif outcome is None:
            ticket.fail(ImageUnknown("The server no longer holds an image that this needs."))
        else:
            self._observer.ran([ticket.work])
            ticket.finish(outcome)

    async def _answered(self, work: Work, tenant: str) -> Reply:
        """Brings work to its replica, with the pixels that it lacks, and to another if it is lost.

        Raises:
            ReplicaLost: So were MOST_TRIES, one after the other.
        """
        route = work.session_id if isinstance(work, Follow) else work.image_key
        wanted = image_keys(work) - self._given
        for n_lost in range(MOST_TRIES):
            try:
                reply = await self._carried_out(route, work, wanted, tenant)
                if reply.missing:  # it is new, or had to make room; and the next may be another
                    reply = await self._carried_out(route, work, image_keys(work), tenant)
            except ReplicaLost:
                self._n_lost += 1
                if n_lost + 1 == MOST_TRIES:
                    raise
                wanted = image_keys(work)
            else:
                return reply
        raise ReplicaLost

    async def _carried_out(
        self, route: str, work: Work, wanted: frozenset[str], tenant: str
    ) -> Reply:
        images = {key: lent for key in wanted if (lent := self._images.get(key)) is not None}
        reply = await self._replicas.carry_out(route, work, images, tenant=tenant)
        self._given |= images.keys()
        if len(self._given) > MOST_GIVEN:  # nothing can be asked of those that are not kept here
            self._given = {key for key in self._given if key in self._images}
        return reply

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                async with asyncio.timeout(5 * WATCH_S):
                    await self._replicas.about()
            except (ReplicaLost, TimeoutError):
                self._answers = False
            else:
                self._answers = True


async def _ended(tickets: list[Ticket], within_s: float) -> None:
    waiting = [asyncio.ensure_future(_end_of(ticket)) for ticket in tickets]
    if waiting:
        await asyncio.wait(waiting, timeout=within_s)


async def _end_of(ticket: Ticket) -> None:
    with suppress(SeemError):
        await ticket
