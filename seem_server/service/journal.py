"""Writes what sessions did to the store, in order, and tells each when it is kept.

    sessions ── write ──> queue ── one thread, as much as there is in one go ──> store
                                              └── told, in order, on the event loop

Nothing is answered before it is kept. The thread takes all that waits at once, so that the cost of
a commit is shared by those who come at the same time, and nobody waits for others to come.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from seem_server.store.base import PerhapsKept
from seem_wire.errors import Internal, SeemError, SessionExpired, SessionMoved, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seem_server.store.base import Entry, Store

    Told = Callable[[SeemError | None], None]

T = TypeVar("T")

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Write:
    entry: Entry
    told: Told


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """Any other use of the store, in its turn."""

    use: Callable[[], Any]
    answer: asyncio.Future[Any] | Future[Any]


class Journal:
    """A store's only user in this process. Make and use it on one event loop.

    `wall` gives seconds since 1970.
    """

    def __init__(self, store: Store, *, wall: Callable[[], float] = time.time) -> None:
        self.store = store
        self._wall = wall
        self.works = True
        """Whether the store did what was asked of it last."""
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Write | _Call | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        if not store.quick:
            self._thread = threading.Thread(target=self._run, name="seem-journal", daemon=True)
            self._thread.start()

    @property
    def now_s(self) -> float:
        """Seconds since 1970, as the store counts them."""
        return self._wall()

    def write(self, entry: Entry, told: Told) -> None:
        """Appends an entry, and calls `told` on the loop: with None once it is kept.

        Otherwise with StoreFailed (PerhapsKept where nobody knows), SessionMoved where another
        server has the session now, or SessionExpired where nobody has it any more.
        """
        if self._thread is None:
            told(self._append([entry])[0])
        else:
            self._queue.put(_Write(entry, told))

    async def call(self, use: Callable[[], T]) -> T:
        """What `use` of the store gives, after all that was written before.

        Raises:
            StoreFailed: As the store does.
        """
        if self._thread is None:
            return use()
        answer: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Call(use, answer))
        return await answer

    def do(self, use: Callable[[], T]) -> Future[T]:
        """The same for threads: what `use` gives, in its turn."""
        answer: Future[T] = Future()
        if self._thread is None:
            self._answer(_Call(use, answer))
        else:
            self._queue.put(_Call(use, answer))
        return answer

    async def close(self) -> None:
        """Writes what waits, and closes the store."""
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            await asyncio.sleep(0)  # those who were told last hear of it
        self.store.close()

    def _run(self) -> None:
        ended = False
        while not ended:
            taken = [self._queue.get()]
            while not self._queue.empty() and len(taken) < MOST_AT_ONCE:
                taken.append(self._queue.get())
            ended = None in taken
            self._carry_out([one for one in taken if one is not None])

    def _carry_out(self, taken: Sequence[_Write | _Call]) -> None:
        """Runs of writes together, all else one by one, in order."""
        writes: list[_Write] = []
        for one in taken:
            if isinstance(one, _Write):
                writes.append(one)
                continue
            self._write_all(writes)
            writes = []
            self._answer(one)
        self._write_all(writes)

    def _write_all(self, writes: Sequence[_Write]) -> None:
        if not writes:
            return
        outcomes = self._append([one.entry for one in writes])

        def tell() -> None:
            for one, outcome in zip(writes, outcomes, strict=True):
                one.told(outcome)

        self._on_loop(tell)

    def _append(self, entries: Sequence[Entry]) -> list[SeemError | None]:
        """How each entry ended. What cannot be written together is tried one by one."""
        try:
            taken = self.store.append(entries, now_s=self._wall())
        except PerhapsKept as error:
            self.works = False
            logger.exception("sessions' logs may not have been written")
            return [copy(error) for _ in entries]
        except StoreFailed as error:
            self.works = False
            if len(entries) == 1:
                logger.exception("a session's log could not be written")
                return [error]
            return [outcome for one in entries for outcome in self._append([one])]
        self.works = True
        return [
            None if kept else self._refused(one) for one, kept in zip(entries, taken, strict=True)
        ]

    def _refused(self, entry: Entry) -> SeemError:
        try:
            loss = self.loss(entry.session_id, entry.epoch)
        except StoreFailed:
            logger.exception("why a session was lost could not be read")
            return SessionMoved("The session goes on elsewhere.")
        return loss or StoreFailed("What was said before this is not kept.")

    def loss(self, session_id: str, epoch: int) -> SessionMoved | SessionExpired | None:
        """How the session was lost to whoever had it by `epoch`; None where it was not.

        Call this as the store's only user, as by `call`.

        Raises:
            StoreFailed: As the store does.
        """
        last = self.store.epoch(session_id)
        if last == epoch:
            return None
        if last is None:
            return SessionExpired("The session was kept for as long as any is, or ended elsewhere.")
        return SessionMoved("The session goes on elsewhere.")

    def _answer(self, one: _Call) -> None:
        try:
            given, failure = one.use(), None
            self.works = True
        except SeemError as error:
            given, failure = None, error
            self.works = not isinstance(error, StoreFailed)
        except Exception:  # an edge: the caller waits, and this thread must go on
            logger.exception("the store broke")
            given, failure = None, Internal("The store broke.")

        def tell() -> None:
            if one.answer.done():
                return
            if failure is None:
                one.answer.set_result(given)
            else:
                one.answer.set_exception(failure)

        if isinstance(one.answer, Future):
            tell()
        else:
            self._on_loop(tell)

    def _on_loop(self, tell: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(tell)
