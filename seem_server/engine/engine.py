"""The engine: takes work at the door, and has it carried out by one thread that owns the device.

    event loop ── put_image, submit ──> waiting ── scheduler ──> worker thread ──> tickets end
               <───────────────────────────────────────────────── await ticket
                                                        └── what is long to draw ──> drawing thread

Nothing here computes on the caller's thread, and every ticket ends: with a result, an error, as
cancelled or as superseded; also when the worker breaks, and when the engine closes. What runs may
be interrupted for a click: it waits again, and comes out the same later.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from seem_server.engine import scheduler
from seem_server.engine.chains import EncodedImage
from seem_server.engine.durations import Durations, Kind
from seem_server.engine.observing import Unobserved
from seem_server.engine.preprocess import lay_out
from seem_server.engine.scheduler import (
    Admitted,
    Entry,
    Expire,
    Limits,
    Refused,
    Run,
    Scene,
    Shares,
)
from seem_server.engine.shelf import NoShelf
from seem_server.engine.tickets import Ticket
from seem_server.engine.work import Decode, Encode, Everything, MasksReady, image_keys
from seem_server.engine.worker import CacheConfig, Caches, Drawing, Unfinished, Worker
from seem_server.runtime.backend import Interrupted
from seem_wire.errors import (
    DeadlineExceeded,
    ImageUnknown,
    Internal,
    Overloaded,
    SeemError,
    ShuttingDown,
)
from seem_wire.tags import session_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt

    from seem_server.engine.cache import CacheUse
    from seem_server.engine.observing import Observer
    from seem_server.engine.shelf import Shelf
    from seem_server.engine.tickets import Pay
    from seem_server.engine.work import Result, SegmentsReady, Work
    from seem_server.runtime.backend import Backend
    from seem_server.runtime.specs import BundleManifest

    Pixels = npt.NDArray[np.uint8]
    Float32 = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)

_TURNS_BETWEEN = 2.0
"""How many of its turns a long search waits at most for the next: it gets a third of the device."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How much the engine takes in and keeps.

    Attributes:
        limits: Of the queue. On a CPU `max_batch` counts as 1: sharing a run makes nobody
            faster there, and everybody wait for all. On CUDA nothing is interrupted: runs are
            short there, and what ending one costs was never measured.
        caches: Bytes that may be kept.
        max_failures: After so many broken batches in a row the backend is made anew.
        max_drawings: Answers to everything that may wait to be drawn; each holds tens of megabytes.
        max_run_s: A batch that runs for longer hangs: far more than the slowest takes on a CPU.
    """

    limits: Limits = field(default_factory=Limits)
    caches: CacheConfig = field(default_factory=CacheConfig)
    max_failures: int = 3
    max_drawings: int = 8
    max_run_s: float = 120.0


@dataclass(frozen=True, slots=True)
class EngineStats:
    """How the engine stands at one moment.

    Attributes:
        n_waiting: Tickets in the queue.
        n_running: Tickets of the batch that runs.
        n_pins: Cache entries held for tickets that have not ended.
        n_restarts: How often the backend was made anew.
    """

    n_waiting: int
    n_running: int
    n_pins: int
    n_restarts: int
    images_bytes: int
    features_bytes: int
    memory_bytes: int


class Engine:
    """Carries out work on a backend that `make_backend` gives, and gives anew when it broke.

    Made once for each process, ended by `close`. `shelf` keeps answers beyond that. `now` gives
    seconds on a clock that only rises.

    Raises:
        SeemError: What `make_backend` raises, when the engine is made.
    """

    def __init__(
        self,
        make_backend: Callable[[], Backend],
        config: EngineConfig | None = None,
        *,
        observer: Observer | None = None,
        shelf: Shelf | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_backend = make_backend
        self._config = config or EngineConfig()
        self._observer = observer or Unobserved()
        self._shelf = shelf or NoShelf()
        self._now = now
        self._caches = Caches(self._config.caches)
        self._backend = make_backend()
        self._worker = Worker(self._backend, self._caches, now=now, shelf=self._shelf)
        self._limits = self._config.limits
        if self._backend.provider == "cpu":
            self._limits = replace(self._limits, max_batch=1)
        if self._backend.provider == "cuda":
            self._limits = replace(self._limits, max_interruptions=0, max_false_starts=0)
        self._changed = threading.Condition()
        self._waiting: tuple[Entry, ...] = ()
        self._running: tuple[Entry, ...] = ()
        self._running_since_s: float | None = None
        self._tickets: dict[int, Ticket] = {}
        self._n_submitted = 0
        self._n_failures = 0
        self._n_restarts = 0
        self._durations = Durations()
        self._shares = Shares()
        self._closing = False
        self._drawings: list[Future[None]] = []
        self._artist = ThreadPoolExecutor(1, thread_name_prefix="seem-drawing")
        self._thread = self._start()

    # --- what the event loop calls; none of it waits

    @property
    def manifest(self) -> BundleManifest:
        """What the bundle that runs here says of itself."""
        return self._backend.manifest

    @property
    def provider(self) -> str:
        """Where it really runs: "cpu", "cuda" or "fake"."""
        return self._backend.provider

    @property
    def stats(self) -> EngineStats:
        """How it stands now."""
        caches = self._caches
        with self._changed:
            return EngineStats(
                n_waiting=len(self._waiting),
                n_running=sum(entry.number in self._tickets for entry in self._running),
                n_pins=caches.images.n_pins + caches.features.n_pins,
                n_restarts=self._n_restarts,
                images_bytes=caches.images.n_bytes,
                features_bytes=caches.features.n_bytes,
                memory_bytes=sum(
                    cache.n_bytes
                    for cache in (
                        caches.answers,
                        caches.drawings,
                        caches.texts,
                        caches.examples,
                        caches.findings,
                        caches.places,
                        caches.memories,
                    )
                ),
            )

    @property
    def caches(self) -> dict[str, CacheUse]:
        """How each cache is used, by its name."""
        return {name: cache.use for name, cache in vars(self._caches).items()}

    @property
    def is_alive(self) -> bool:
        """Whether the thread that owns the device runs."""
        return self._thread.is_alive()

    @property
    def answers(self) -> bool:
        """Whether work that is submitted now would be done: it is alive, and does not hang."""
        since_s = self._running_since_s
        hangs = since_s is not None and self._now() - since_s > self._config.max_run_s
        return self.is_alive and not self._closing and not hangs

    def put_image(self, image_key: str, pixels: Pixels) -> None:
        """Keeps upright RGB uint8 (H, W, 3) pixels under a key that names them for good.

        You must not write to `pixels` afterwards.
        """
        if image_key not in self._caches.images:
            self._caches.images.put(image_key, pixels, pixels.nbytes)

    def put_features(
        self, image_key: str, size: tuple[int, int], arrays: Sequence[Float32]
    ) -> None:
        """Keeps what another backend of the same bundle made of an image of `size` (H, W)."""
        features = self._backend.features_of(arrays)
        encoded = EncodedImage(features, lay_out(size, self.manifest))
        self._caches.features.put(image_key, encoded, features.nbytes)

    def has_image(self, image_key: str) -> bool:
        """Whether work on this image could be done now, without its bytes being sent again.

        Where small things are looked at closer, that takes the image's own pixels.
        """
        is_encoded = image_key in self._caches.features and not self._backend.manifest.zooms
        return image_key in self._caches.images or is_encoded

    def has_features(self, image_key: str) -> bool:
        """Whether this image is encoded already."""
        return image_key in self._caches.features

    def submit(
        self,
        work: Work,
        *,
        deadline_s: float | None = None,
        tenant: str = "",
        pay: Pay | None = None,
    ) -> Ticket:
        """A ticket for `work`, which you await, or cancel when nobody wants it any more.

        `deadline_s`: seconds from now after which it must not begin. `tenant`: on whose
        behalf; tenants share the device evenly. `pay` is told, in the engine's
        thread, how long the device worked for it, whatever becomes of its ticket meanwhile; it must
        be quick and must not raise.

        Raises:
            ImageUnknown: Its image is not held (any more): send the bytes again.
            Overloaded: It would wait too long.
            ShuttingDown: The engine is closing.
        """
        ticket = Ticket(work, pay=pay)
        with self._changed:
            if self._closing:
                raise ShuttingDown("The server takes no new work.")
            if isinstance(work, Everything) and self._n_drawings >= self._config.max_drawings:
                raise Overloaded("Too many images are being drawn.", retry_after_ms=1000)
            if not self.has_image(work.image_key):
                raise ImageUnknown(f"The server does not hold the image {work.image_key}.")
            admission = self._admit(work, deadline_s, tenant)
            entry = admission.entry
            superseded = [self._tickets[old.number] for old in admission.superseded]
            self._waiting = admission.waiting
            self._tickets[entry.number] = ticket
            self._pin(entry)
            if scheduler.gives_way(entry, self._scene(entry.submitted_s), limits=self._limits):
                self._backend.interrupt()
            self._changed.notify()
        self._observer.submitted(ticket)
        ticket.add_done_callback(lambda _: self._forget(entry))
        if not isinstance(work, Encode):
            for old in superseded:
                old.supersede(work.seq)
        return ticket

    def check_room(self, session_id: str, image_key: str, *, tenant: str = "") -> None:
        """Raises Overloaded where a new click of a session of which nothing waits would be."""
        with self._changed:
            self._admit(Decode(session_id, 0, image_key, ()), None, tenant)

    def close(self, *, drain_s: float = 10.0) -> None:
        """Takes no new work, finishes what waits within `drain_s`, and ends every ticket.

        It blocks: call it off the event loop.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        until_s = time.monotonic() + drain_s
        self._thread.join(drain_s)
        wait(self._drawings, max(until_s - time.monotonic(), 0))
        self._artist.shutdown(wait=False, cancel_futures=True)
        with self._changed:
            left = list(self._tickets.values())
            self._waiting = ()
        for ticket in left:
            ticket.fail(ShuttingDown("The server went down before this was done."))

    # --- the queue

    def _admit(self, work: Work, deadline_s: float | None, tenant: str) -> Admitted:
        now_s = self._now()
        self._n_submitted += 1
        deadline = None if deadline_s is None else now_s + deadline_s
        cost_s = self._durations.cost_s(work, encoded=self.has_features(work.image_key))
        entry = Entry(self._n_submitted, work, now_s, now_s, deadline, tenant=tenant, cost_s=cost_s)
        admission = scheduler.admit(entry, self._scene(now_s), limits=self._limits)
        if isinstance(admission, Refused):
            raise Overloaded(
                f"This would wait for {admission.wait_s:.2f} s, longer than it may.",
                retry_after_ms=scheduler.retry_after_ms(admission.wait_s),
            )
        return admission

    def _scene(self, now_s: float) -> Scene:
        usual_s = self._durations.usual_s
        scene = Scene(
            self._waiting,
            self._running,
            self._shares,
            click_s=usual_s(Kind.UNHURRIED),
            another_s=usual_s(Kind.ANOTHER),
        )
        if not self._running or self._running_since_s is None:
            return scene
        spent_s = now_s - self._running_since_s
        rest_s = max(scene.cost_s(self._running) - spent_s, 0.0)
        return replace(scene, rest_s=rest_s, spent_s=spent_s)

    @property
    def _n_drawings(self) -> int:
        return sum(not drawing.done() for drawing in self._drawings)

    def _forget(self, entry: Entry) -> None:
        """Lets go of all that was held for a ticket that has ended, however it did."""
        with self._changed:
            del self._tickets[entry.number]
            self._waiting = tuple(e for e in self._waiting if e.number != entry.number)
        for key in image_keys(entry.work):
            self._caches.images.unpin(key)
            self._caches.features.unpin(key)

    def _pin(self, entry: Entry) -> None:
        for key in image_keys(entry.work):
            self._caches.images.pin(key)
            self._caches.features.pin(key)

    def _end(self, entry: Entry, outcome: Result | SeemError) -> None:
        with self._changed:
            ticket = self._tickets.get(entry.number)
        if ticket is None:
            return  # it was cancelled while it ran
        if isinstance(outcome, SeemError):
            ticket.fail(outcome)
        else:
            ticket.finish(outcome)

    # --- the worker thread

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._main, name="seem-engine", daemon=True)
        thread.start()
        return thread

    def _main(self) -> None:
        try:
            self._work()
        except BaseException:  # whatever ends this thread, nobody may wait for it for ever
            logger.critical("the engine's worker died; another takes its place", exc_info=True)
            self._n_failures = self._config.max_failures
            with self._changed:
                left = list(self._tickets.values())
                self._waiting = self._running = ()
                if not self._closing:
                    self._thread = self._start()
            for ticket in left:
                ticket.fail(Internal("The worker died while this waited or ran."))

    def _work(self) -> None:
        while (action := self._next()) is not None:
            if isinstance(action, Expire):
                for entry in action.entries:
                    self._end(entry, DeadlineExceeded("The deadline passed in the queue."))
            else:
                self._execute(action.entries)

    def _next(self) -> Run | Expire | None:
        """Takes the next action's entries from the queue, or waits; None when it is all over."""
        with self._changed:
            self._running = ()
            self._running_since_s = None
            self._backend.resume()
            while True:
                action = scheduler.next_action(
                    self._waiting, self._now(), limits=self._limits, shares=self._shares
                )
                if action is not None:
                    taken = set(map(id, action.entries))
                    self._waiting = tuple(e for e in self._waiting if id(e) not in taken)
                    self._running = action.entries if isinstance(action, Run) else ()
                    self._running_since_s = self._now()
                    return action
                if self._closing:
                    return None
                self._changed.wait()

    def _execute(self, entries: Sequence[Entry]) -> None:
        """Runs a batch; where it breaks, each alone, so that one poisoned item harms no other."""
        wanted = [entry for entry in entries if self._begin(entry)]
        if not wanted:
            return
        try:
            self._run(wanted)
        except Exception:
            logger.exception("a batch of %d broke", len(wanted), extra=_whose(wanted))
            self._n_failures += 1
            if len(wanted) == 1:
                self._end(wanted[0], Internal("The worker broke while it ran this."))
                return
            for entry in wanted:
                self._execute([entry])

    def _begin(self, entry: Entry) -> bool:
        with self._changed:
            ticket = self._tickets.get(entry.number)
        return ticket is not None and ticket.begin()

    def _run(self, entries: Sequence[Entry]) -> None:
        if self._n_failures >= self._config.max_failures:
            self._renew()
        with self._changed:
            tickets = [self._tickets.get(entry.number) for entry in entries]
        started_s = self._now()
        try:
            outcomes = self._worker.run([entry.work for entry in entries])
        except Interrupted:
            self._interrupted(entries, self._now() - started_s)
            return
        ended_s = self._now()
        for ticket in tickets:
            if ticket and ticket.pay:
                ticket.pay((ended_s - started_s) / len(entries))
        self._n_failures = 0
        works = [entry.work for entry in entries]
        alone = not self._waiting
        self._durations.learn(works, outcomes, ended_s - started_s, alone=alone)
        with self._changed:
            self._shares = self._shares.after(entries, ended_s - started_s, self._waiting)
        self._observer.ran(works)
        for entry, outcome in zip(entries, outcomes, strict=True):
            if isinstance(outcome, Unfinished):
                self._put_back(entry, outcome.work, ended_s - started_s)
            elif isinstance(outcome, Drawing):
                self._leave(entry, outcome, started_s)
            else:
                self._end(entry, _complete(outcome, entry, started_s, ended_s))

    def _interrupted(self, entries: Sequence[Entry], spent_s: float) -> None:
        """Lets them wait again as they did; what they had of the device counts, or they go next."""
        with self._changed:
            left = tuple(scheduler.again(one) for one in entries if one.number in self._tickets)
            self._shares = self._shares.after(entries, spent_s, self._waiting)
            self._waiting = (*left, *self._waiting)

    def _put_back(self, entry: Entry, work: Everything, turn_s: float) -> None:
        """Lets an entry wait again after a turn of `turn_s`: for a few such turns at most."""
        with self._changed:
            if entry.number in self._tickets:
                waits_s = min(_TURNS_BETWEEN * turn_s, self._limits.patience_s)
                since_s = self._now() - self._limits.patience_s + waits_s
                joined = self._shares.joined(entry.tenant, work.session_id, self._waiting)
                again = replace(
                    entry, work=work, arrived_s=since_s, joined=joined, n_interruptions=0
                )
                self._waiting = (*self._waiting, again)

    def _leave(self, entry: Entry, drawing: Drawing, started_s: float) -> None:
        """Leaves drawing to a thread of its own, so that clicks need not wait for it."""
        with self._changed:
            self._drawings = [one for one in self._drawings if not one.done()]
            self._drawings.append(self._artist.submit(self._draw, entry, drawing, started_s))

    def _draw(self, entry: Entry, drawing: Drawing, started_s: float) -> None:
        with self._changed:
            if entry.number not in self._tickets:
                return  # nobody wants it any more
        outcome: SegmentsReady | SeemError
        try:
            outcome = drawing.finish(now=self._now)
        except SeemError as error:
            outcome = error
        except Exception:
            logger.exception("drawing what is in an image broke", extra=_whose([entry]))
            outcome = Internal("The server broke while it drew this.")
        self._end(entry, _complete(outcome, entry, started_s, self._now()))

    def _renew(self) -> None:
        """Another backend; features go, because they may lie on a device that is gone."""
        self._caches.features.clear()
        self._backend = self._make_backend()
        self._worker = Worker(self._backend, self._caches, now=self._now, shelf=self._shelf)
        self._n_failures = 0
        self._n_restarts += 1


def _whose(entries: Sequence[Entry]) -> dict[str, str]:
    """What a log line tells of the sessions that it is about."""
    return {"sessions": " ".join(session_tag(entry.work.session_id) for entry in entries)}


def _complete(
    outcome: Result | SeemError, entry: Entry, started_s: float, ended_s: float
) -> Result | SeemError:
    """The outcome with what only the queue knows."""
    if isinstance(outcome, SeemError):
        return outcome
    timings = replace(
        outcome.timings,
        queue_ms=max(started_s - entry.submitted_s, 0.0) * 1000,
        total_ms=max(ended_s - entry.submitted_s, 0.0) * 1000,
    )
    if isinstance(outcome, MasksReady):
        return replace(outcome, timings=timings, superseded=entry.dropped)
    return replace(outcome, timings=timings)
