"""A ticket: what whoever submits work gets at once, and through which it ends exactly once.

    WAITING ──> RUNNING ──┬─> DONE         with a result
       │           │      └─> FAILED       with an error of the server or the caller
       ├───────────┴────────> CANCELLED    nobody wants it any more
       └────────────────────> SUPERSEDED   a newer command is served in its place

A ticket may be ended from any thread, and be awaited on any event loop. The first end counts;
later ones are ignored, because a worker may finish what was cancelled meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from seem_wire.errors import Cancelled, SeemError, Superseded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from seem_server.engine.work import Result, Work

    Pay = Callable[[float], None]


class TicketState(StrEnum):
    """Where a ticket is; the last four are ends."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


ENDS = frozenset(TicketState) - {TicketState.WAITING, TicketState.RUNNING}


class Ticket:
    """The future of one piece of work.

    `await ticket` gives its result or raises its SeemError. Cancelling whoever awaits cancels the
    ticket: the work is dropped if it has not begun.

    Attributes:
        work: What was submitted.
        pay: Whoever is told how many seconds the device worked for it; None for nobody.
    """

    def __init__(self, work: Work, *, pay: Pay | None = None) -> None:
        self.work = work
        self.pay = pay
        self._lock = threading.Lock()
        self._state = TicketState.WAITING
        self._outcome: Result | SeemError | None = None
        self._superseded_by: int | None = None
        self._callbacks: list[Callable[[Ticket], None]] = []

    @property
    def state(self) -> TicketState:
        """Where it is now."""
        return self._state

    @property
    def ended(self) -> bool:
        """Whether it has come to one of its ends."""
        return self._state in ENDS

    @property
    def superseded_by(self) -> int | None:
        """The `seq` of the command that was served in its place, if it was superseded."""
        return self._superseded_by

    def result(self) -> Result:
        """The result of an ended ticket.

        Raises:
            SeemError: How it ended otherwise.
            RuntimeError: It has not ended.
        """
        if self._outcome is None:
            raise RuntimeError("The ticket has not ended: await it first.")
        if isinstance(self._outcome, SeemError):
            raise self._outcome
        return self._outcome

    def add_done_callback(self, callback: Callable[[Ticket], None]) -> None:
        """Calls `callback(ticket)` once it ends, from the thread that ends it, or now.

        The callback must be quick and must not raise.
        """
        with self._lock:
            if not self.ended:
                self._callbacks.append(callback)
                return
        callback(self)

    def begin(self) -> bool:
        """Marks it as running; False where it has ended meanwhile and must not run."""
        with self._lock:
            if self.ended:
                return False
            self._state = TicketState.RUNNING
            return True

    def finish(self, result: Result) -> bool:
        """Ends it with a result; False where it had ended before."""
        return self._end(TicketState.DONE, result)

    def fail(self, error: SeemError) -> bool:
        """Ends it with an error; False where it had ended before."""
        return self._end(TicketState.FAILED, error)

    def cancel(self) -> bool:
        """Ends it because nobody wants it; False where it had ended before."""
        return self._end(TicketState.CANCELLED, Cancelled("The request was cancelled."))

    def supersede(self, by_seq: int) -> bool:
        """Ends it because command `by_seq` counts it in; False where it had ended before."""
        error = Superseded(f"Command {by_seq} is served in its place.")
        return self._end(TicketState.SUPERSEDED, error, superseded_by=by_seq)

    def __await__(self) -> Generator[object, None, Result]:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        def wake_from_any_thread(_: Ticket) -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(wake)

        self.add_done_callback(wake_from_any_thread)
        try:
            yield from woken
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self.result()

    def _end(
        self,
        state: TicketState,
        outcome: Result | SeemError,
        *,
        superseded_by: int | None = None,
    ) -> bool:
        with self._lock:
            if self.ended:
                return False
            self._state, self._outcome = state, outcome
            self._superseded_by = superseded_by
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)
        return True
