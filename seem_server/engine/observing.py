"""What the engine lets others see of its work, without knowing who looks.

Called on whichever thread does the work, so an observer must be quick and must not raise. What can
be read at leisure (the queue, the caches) is not told here: see `Engine.stats` and `Engine.caches`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_server.engine.tickets import Ticket
    from seem_server.engine.work import Work


class Observer(Protocol):
    """Looks on while the engine works."""

    def submitted(self, ticket: Ticket) -> None:
        """Work was taken in; called where it was submitted, so in the submitter's context.

        For how it ends, add a callback to the ticket.
        """

    def ran(self, works: Sequence[Work]) -> None:
        """A batch has run, or one turn of it."""


class Unobserved:
    """Looks at nothing."""

    def submitted(self, ticket: Ticket) -> None:
        """Does nothing."""

    def ran(self, works: Sequence[Work]) -> None:
        """Does nothing."""


class ObservedByAll:
    """Lets each of some observers look."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def submitted(self, ticket: Ticket) -> None:
        """Tells them all."""
        for one in self._observers:
            one.submitted(ticket)

    def ran(self, works: Sequence[Work]) -> None:
        """Tells them all."""
        for one in self._observers:
            one.ran(works)
