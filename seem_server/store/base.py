"""What every store does, whatever it writes to.

A session has one owner: whoever claimed it last, by the epoch that the claim gave. What an earlier
owner still tries to append is refused, so that two servers never write one log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from seem_wire.errors import StoreFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class PerhapsKept(StoreFailed):
    """The store did not tell whether it kept something; whoever claims the session next sees."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a session from its beginning.

    `opened_s`: seconds since 1970. `owner` names whose session it is; only they may claim it.
    """

    session_id: str
    model_id: str
    opened_s: float
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A session that now belongs to the one who claimed it; `records` oldest first."""

    header: Header
    epoch: int
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What to append to a session's log.

    Attributes:
        images: Keys of images that the session needs from now on.
        fresh: What was before is past: records and needed images before this entry go.
        place: How many records are before it, if that is to hold. A log never has a hole: neither
            where an entry failed and the next did not, nor where the store forgot what it had kept.
    """

    session_id: str
    epoch: int
    record: bytes
    images: tuple[str, ...] = ()
    fresh: bool = False
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long, and how much.

    Attributes:
        idle_s: A session that nobody used for so long is forgotten.
        age_s: So is one that was opened so long ago.
        image_s: An image that no session needs is kept for so long.
        images_bytes: Of all images; then those go that no session needs, the longest unused first.
        answers_bytes: Of all answers; then the longest unused go.
    """

    idle_s: float = 7 * 86_400.0
    age_s: float = 30 * 86_400.0
    image_s: float = 3_600.0
    images_bytes: int = 8 * 1024**3
    answers_bytes: int = 256 * 1024**2


class Store(Protocol):
    """Sessions' logs, images and answers about them. `now_s`, everywhere: seconds since 1970.

    Attributes:
        quick: It answers at once, from memory: no thread need wait for it.

    Raises:
        StoreFailed: From every method: it could not be read or written.
    """

    quick: bool

    def open(self, header: Header) -> int:
        """Begins a session's log; its epoch."""
        ...

    def claim(self, session_id: str, *, owner: str, now_s: float) -> Claimed | None:
        """Takes a session over from whoever has it; None where `owner` has no such session."""
        ...

    def epoch(self, session_id: str) -> int | None:
        """The epoch of whoever claimed the session last; None where it is forgotten."""
        ...

    def append(self, entries: Sequence[Entry], *, now_s: float) -> tuple[bool, ...]:
        """Appends all entries at once, or none.

        Returns whether each was taken; not so where another has claimed its session since, it is
        forgotten, or the entry is out of its place.

        Raises:
            PerhapsKept: Some may have been appended.
        """
        ...

    def forget(self, session_id: str, epoch: int) -> bool:
        """Ends a session's log, unless somebody claimed it after that epoch; whether it did."""
        ...

    def put_image(self, key: str, data: bytes, *, now_s: float) -> None:
        """Keeps an image file's bytes. Raises StoreFull where there is no room for them."""
        ...

    def has_image(self, key: str, *, now_s: float) -> bool:
        """Whether there are bytes under `key`, which count as used now."""
        ...

    def image(self, key: str, *, now_s: float) -> bytes | None:
        """The bytes kept under `key`, which counts as used now; None where there are none."""
        ...

    def put_answer(self, name: str, image_key: str, data: bytes, *, now_s: float) -> None:
        """Keeps an answer about an image that is kept, for no longer than that."""
        ...

    def answer(self, names: Sequence[str], *, now_s: float) -> tuple[str, bytes] | None:
        """The first of these answers that is kept, and its name; it counts as used now."""
        ...

    def sweep(self, *, now_s: float, held: Collection[str] = ()) -> int:
        """Forgets what was kept for long enough; how many sessions.

        Those `held` by a server count as used now. Clocks are set back: what was used later than
        now was used now.
        """
        ...

    def close(self) -> None:
        """Lets go of files and connections; what was appended stays."""
        ...
