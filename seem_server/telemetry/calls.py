"""What the transport lets others see of its calls, without knowing who looks.

    interceptor ── began ──> CallWatch <── commanded, replied ── servicer
                └── ended ──────┘

Watches are called on the event loop, so they must be quick and must not raise. They are shown whole
commands; what they keep of them must not tell what is in an image, or what was said about it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seem_wire.types import Command, Failed, Reply, Segment

    Asked = Command | Failed | Segment
    Metadata = Mapping[str, str | bytes]


class CallWatch(Protocol):
    """Looks at one call, from its first byte to its last."""

    def commanded(self, asked: Asked) -> None:
        """The client asks for this, or for what could not be read; it is carried out next.

        Called in the context in which it is carried out.
        """

    def replied(self, reply: Reply) -> None:
        """This is about to be written as an answer."""

    def ended(self, code: str) -> None:
        """It is over: "OK", an error's code, or "CLIENT_LEFT", where the client broke it off."""


class CallsObserver(Protocol):
    """Looks at calls."""

    def began(self, method: str, metadata: Metadata) -> CallWatch:
        """A call of a method of the service came in."""


class Unwatched:
    """Looks at nothing."""

    def began(self, method: str, metadata: Metadata) -> CallWatch:  # noqa: ARG002
        """Looks away."""
        return self

    def commanded(self, asked: Asked) -> None:
        """Does nothing."""

    def replied(self, reply: Reply) -> None:
        """Does nothing."""

    def ended(self, code: str) -> None:
        """Does nothing."""


class WatchedByAll:
    """Lets each of some observers look."""

    def __init__(self, observers: Sequence[CallsObserver]) -> None:
        self._observers = tuple(observers)

    def began(self, method: str, metadata: Metadata) -> CallWatch:
        """What tells them all."""
        return _Watches([one.began(method, metadata) for one in self._observers])


class _Watches:
    def __init__(self, watches: Sequence[CallWatch]) -> None:
        self._watches = watches

    def commanded(self, asked: Asked) -> None:
        for one in self._watches:
            one.commanded(asked)

    def replied(self, reply: Reply) -> None:
        for one in self._watches:
            one.replied(reply)

    def ended(self, code: str) -> None:
        for one in self._watches:
            one.ended(code)


_UNWATCHED = Unwatched()

watch: ContextVar[CallWatch] = ContextVar("watch", default=_UNWATCHED)
"""What looks at the call that is being served."""
