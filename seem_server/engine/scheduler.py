"""Who is served next: pure decisions over what waits, without clock, lock or device.

Rules, in order:
1. At the door, a newer Decode takes the place of a waiting one of its session whose objects it
   includes, inherits its age (or a fast clicker would starve himself) and drops its rounds. A newer
   Everything takes the place of its session's waiting one.
2. Whoever then finds `max_waiting` others waiting is refused with a hint when to try again.
3. What is past its deadline is told so before anything else runs.
4. The most urgent class goes first, and within it the oldest. What is less urgent than a click and
   has waited for `patience_s` counts as one: constant clicking delays it, and does not starve it.
5. Equal kinds of work go along in one batch of at most `max_batch`, one for each session. Nothing
   ever waits for a batch to fill: what is there when the device is free is the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seem_server.engine.work import Decode, Everything, Priority

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from seem_server.engine.work import Work

MIN_RETRY_MS, MAX_RETRY_MS = 50, 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, and how much may run at once."""

    max_waiting: int = 256
    max_batch: int = 8
    patience_s: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Work that waits.

    Attributes:
        number: Names it; later entries have greater numbers.
        arrived_s: When it came, or when the oldest of those came whose place it took.
        submitted_s: When it came itself.
        deadline_s: When nobody wants it any more, on the same clock; None for never.
        dropped: `seq`s of the commands that it superseded, directly or through others.
    """

    number: int
    work: Work
    arrived_s: float
    submitted_s: float
    deadline_s: float | None = None
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """`entry` waits now, as the last of `waiting`; those in `superseded` do not any more."""

    entry: Entry
    waiting: tuple[Entry, ...]
    superseded: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no room: `n_waiting` others wait."""

    n_waiting: int


@dataclass(frozen=True, slots=True)
class Run:
    """Take these from the queue and run them together."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Expire:
    """Take these from the queue and tell them that their deadline passed."""

    entries: tuple[Entry, ...]


def admit(
    entry: Entry, waiting: Sequence[Entry], running: Sequence[Entry], *, limits: Limits
) -> Admitted | Refused:
    """Lets new work in, or not.

    What runs now may itself have dropped rounds; the new work must drop them too, or the masks
    that it builds on would not be the ones that are being made.
    """
    superseded = tuple(old for old in waiting if _supersedes(entry.work, old.work))
    others = tuple(old for old in waiting if old not in superseded)
    if len(others) >= limits.max_waiting:
        return Refused(len(others))
    akin = [*superseded, *(old for old in running if _continues(entry.work, old.work))]
    seqs = (seq for old in superseded for seq in _seqs(old))
    dropped = tuple(sorted({*seqs, *(seq for old in akin for seq in old.dropped)}))
    admitted = replace(
        entry,
        work=entry.work.without(*dropped) if isinstance(entry.work, Decode) else entry.work,
        arrived_s=min([entry.arrived_s, *(old.arrived_s for old in superseded)]),
        dropped=dropped,
    )
    return Admitted(admitted, (*others, admitted), superseded)


def next_action(waiting: Sequence[Entry], now_s: float, *, limits: Limits) -> Run | Expire | None:
    """What to do now that the device is free; None where nothing waits."""
    expired = tuple(e for e in waiting if e.deadline_s is not None and e.deadline_s <= now_s)
    if expired:
        return Expire(expired)
    if not waiting:
        return None
    in_order = sorted(waiting, key=lambda entry: _urgency(entry, now_s, limits))
    return Run(tuple(_batch(in_order, limits.max_batch)))


def retry_after_ms(n_waiting: int, run_s: float, *, max_batch: int) -> int:
    """When it is worth trying again: after about half of those who wait, at `run_s` a batch."""
    half_of_them_ms = n_waiting / max_batch * run_s * 1000 / 2
    return int(min(max(half_of_them_ms, MIN_RETRY_MS), MAX_RETRY_MS))


def _supersedes(newer: Work, older: Work) -> bool:
    if isinstance(newer, Everything) and isinstance(older, Everything):
        return newer.session_id == older.session_id
    return _continues(newer, older) and _ids(newer) >= _ids(older)


def _continues(newer: Work, older: Work) -> bool:
    """Whether both answer prompts of one session about one image."""
    return (
        isinstance(newer, Decode)
        and isinstance(older, Decode)
        and newer.session_id == older.session_id
        and newer.image_key == older.image_key
    )


def _ids(work: Work) -> frozenset[int]:
    return work.object_ids if isinstance(work, Decode) else frozenset()


def _seqs(entry: Entry) -> tuple[int, ...]:
    return (entry.work.seq,) if isinstance(entry.work, Decode) else ()


def _urgency(entry: Entry, now_s: float, limits: Limits) -> tuple[int, float, int]:
    is_patient = now_s - entry.arrived_s < limits.patience_s
    priority = entry.work.priority if is_patient else Priority.CLICK
    return priority, entry.arrived_s, entry.number


def _batch(in_order: Sequence[Entry], max_batch: int) -> Iterable[Entry]:
    """The first, and those of its kind and class that can go with it, in order."""
    head = in_order[0].work
    sessions: set[str] = set()
    for entry in in_order:
        work = entry.work
        alike = type(work) is type(head) and work.priority is head.priority
        if alike and work.session_id not in sessions and len(sessions) < max_batch:
            sessions.add(work.session_id)
            yield entry
