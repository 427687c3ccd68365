"""Who is let in, and who is served next: pure decisions, without clock, lock or device.

Rules, in order:
1. At the door, a newer Decode takes the place of a waiting one of its session whose objects it
   includes, inherits its age and its turn (or a fast clicker would starve himself) and drops its
   rounds. A newer Everything takes the place of its session's waiting one. A place that was given
   once is not taken away, so these are let in whatever waits.
2. Whoever else would wait too long is refused, and told when to try again: the rest of what runs,
   all that goes before him and all that goes with him in the order of rules 4 and 5, at what such
   work took lately. What a session waits for itself does not count: whoever asks for several
   things at once has asked to wait. Who would be the next, alone or as the only one of his
   tenant, is let in however long the run takes: he could not be served sooner. And of no tenant
   do more than `max_waiting` wait.
3. What is past its deadline is told so before anything else runs.
4. The most urgent class goes first. Within it tenants take turns by the device's time that each
   has had (`turns`), and so do the sessions of a tenant; of equals the oldest goes first. So a
   tenant that asks for more than its share waits for itself, and is refused for itself.
   What is less urgent than a click and has waited for `patience_s` takes turns with clicks, as much
   time for them as for it: constant clicking delays it and does not starve it, nor does it them.
   What runs gives way to a click that goes next, so many times at most, and waits again as it did:
   what is no click and has not waited for long to a click of another session, and a click of one
   tenant to one of another that were to go first even if it had had that run.
5. Equal kinds of work go along in one batch of at most `max_batch`, one for each session. Nothing
   ever waits for a batch to fill: what is there when the device is free is the batch. Only a frame
   of a video is followed to alone: others beside it would be no quicker, and clicks wait longer.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from seem_server.engine.turns import Turns
from seem_server.engine.work import Decode, Everything, Follow, Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from seem_server.engine.work import Work

CLICKS_WAITED = 1.5
"""A click may wait for as long as so many take. With its own that is two and a half times what it
takes alone; the rest, to three times, is for what no estimate knows."""

LEAST_WAIT_S = 0.005
"""So long a click may wait at any rate: nobody can tell, and quick models would refuse noise."""

SESSION_GRACE_S = 0.1
"""What a run may take without being held against a session that has nothing more waiting. So the
clicks of those who wait for each answer go by age: or whoever clicks again at once would be
overtaken, after he was let in, by all who come later."""

MIN_RETRY_MS, MAX_RETRY_MS = 50, 10_000

CREDIT_S = 0.1
"""Of the device: what a tenant that asks for less than its share may have ahead of its turn. So one
that clicks now and then goes before one that always has more, by as much as a few clicks."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, and how much may run at once.

    Attributes:
        max_waiting: Of each tenant.
        patience_s: For which what is no click lets clicks go before.
        max_wait_s: For which a click may wait; 0 for CLICKS_WAITED of what one takes.
        max_long_wait_s: The same for what is no click. Nobody watches it as closely.
        max_interruptions: How often a click may be interrupted before it is left alone.
        max_false_starts: The same for what is no click, and has waited for less than `patience_s`.
    """

    max_waiting: int = 256
    max_batch: int = 8
    patience_s: float = 2.0
    max_wait_s: float = 0.0
    max_long_wait_s: float = 10.0
    max_interruptions: int = 2
    max_false_starts: int = 8


class Marks(NamedTuple):
    """Where its tenant began, by the clock of all of them, and its session, by that of its own."""

    tenant_s: float = 0.0
    session_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Work that waits.

    Attributes:
        number: Names it; later entries have greater numbers.
        arrived_s: When it came, or when the oldest of those came whose place it took.
        submitted_s: When it came itself.
        deadline_s: When nobody wants it any more, on the same clock; None for never.
        dropped: `seq`s of the commands that it superseded, directly or through others.
        tenant: On whose behalf.
        cost_s: What it is likely to take.
        joined: When the first of its tenant, and of its session, came that waits, by `turns`.
        n_interruptions: How often it ran and had to give way.
    """

    number: int
    work: Work
    arrived_s: float
    submitted_s: float
    deadline_s: float | None = None
    dropped: tuple[int, ...] = ()
    tenant: str = ""
    cost_s: float = 0.0
    joined: Marks = field(default_factory=Marks)
    n_interruptions: int = 0


@dataclass(frozen=True, slots=True)
class Shares:
    """What each tenant, and each session of it, has had of the device lately.

    `owed_to_clicks_s`: what other work has had of it while clicks waited.
    """

    tenants: Turns = field(default_factory=lambda: Turns(credit_s=CREDIT_S))
    sessions: Mapping[str, Turns] = field(default_factory=dict)
    owed_to_clicks_s: float = 0.0

    def of(self, tenant: str) -> Turns:
        """Those of a tenant's sessions."""
        return self.sessions.get(tenant, Turns())

    def joined(self, tenant: str, session_id: str, waiting: Iterable[Entry]) -> Marks:
        """Where work that comes now begins: with what its tenant and its session have waiting."""
        own = [one for one in waiting if one.tenant == tenant]
        alike = [one.joined.session_s for one in own if one.work.session_id == session_id]
        return Marks(
            min([one.joined.tenant_s for one in own] or [self.tenants.begin_s]),
            min(alike or [self.of(tenant).begin_s]),
        )

    def after(self, ran: Sequence[Entry], spent_s: float, waiting: Sequence[Entry]) -> Shares:
        """The same after the device spent `spent_s` on a batch while others waited."""
        wanting: defaultdict[str, set[str]] = defaultdict(set)
        for entry in (*ran, *waiting):
            wanting[entry.tenant].add(entry.work.session_id)
        tenants, sessions = self.tenants, {**self.sessions}
        still = {entry.work.session_id for entry in waiting}
        backlogged = {entry.tenant for entry in waiting}
        for entry in ran:
            mine, name, each_s = entry.tenant, entry.work.session_id, spent_s / len(ran)
            tenants = tenants.after(
                *(mine, entry.joined.tenant_s, each_s),
                wanting=wanting,
                has_more=mine in backlogged,
            )
            turns = sessions.get(mine, Turns())
            sessions[mine] = turns.after(
                *(name, entry.joined.session_s, each_s),
                wanting=wanting[mine],
                grace_s=0.0 if name in still else SESSION_GRACE_S,
            )
        owed_s = self.owed_to_clicks_s
        if any(_is_click(entry) for entry in ran):
            owed_s = max(owed_s - spent_s, 0.0)
        elif any(_is_click(entry) for entry in waiting):
            owed_s += spent_s
        return Shares(tenants, sessions, owed_s)


@dataclass(frozen=True, slots=True)
class Scene:
    """What whoever comes to the door finds.

    Attributes:
        rest_s: How much longer what runs is likely to take; `spent_s`: for how long it has run.
        click_s: What a click takes where nobody else clicks.
        another_s: What each further click of a batch is likely to add to it.
    """

    waiting: tuple[Entry, ...] = ()
    running: tuple[Entry, ...] = ()
    shares: Shares = field(default_factory=Shares)
    rest_s: float = 0.0
    spent_s: float = 0.0
    click_s: float = 0.0
    another_s: float = 0.0

    def cost_s(self, batch: Sequence[Entry]) -> float:
        """What a batch is likely to take."""
        return max(one.cost_s for one in batch) + (len(batch) - 1) * self.another_s


@dataclass(frozen=True, slots=True)
class Admitted:
    """`entry` waits now, as the last of `waiting`; those in `superseded` do not any more."""

    entry: Entry
    waiting: tuple[Entry, ...]
    superseded: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no room: it would wait for `wait_s`."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """Take these from the queue and run them together."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Expire:
    """Take these from the queue and tell them that their deadline passed."""

    entries: tuple[Entry, ...]


def admit(entry: Entry, scene: Scene, *, limits: Limits) -> Admitted | Refused:
    """Lets new work in, or not.

    What runs now may itself have dropped rounds; the new work must drop them too, or the masks
    that it builds on would not be the ones that are being made.
    """
    superseded = tuple(old for old in scene.waiting if _supersedes(entry.work, old.work))
    others = tuple(old for old in scene.waiting if old not in superseded)
    akin = [*superseded, *(old for old in scene.running if _continues(entry.work, old.work))]
    seqs = (seq for old in superseded for seq in _seqs(old))
    dropped = tuple(sorted({*seqs, *(seq for old in akin for seq in old.dropped)}))
    session_id = entry.work.session_id
    admitted = replace(
        entry,
        work=entry.work.without(*dropped) if isinstance(entry.work, Decode) else entry.work,
        arrived_s=min([entry.arrived_s, *(old.arrived_s for old in superseded)]),
        dropped=dropped,
        joined=scene.shares.joined(entry.tenant, session_id, scene.waiting),
    )
    if not superseded:
        wait = expected_wait(admitted, scene, limits=limits)
        n_own = sum(old.tenant == entry.tenant for old in others)
        too_long = wait.seconds > _longest_wait_s(admitted, scene, limits)
        if n_own >= limits.max_waiting or (too_long and (n_own or not wait.is_next)):
            return Refused(max(wait.seconds, scene.rest_s))
    return Admitted(admitted, (*others, admitted), superseded)


class Wait(NamedTuple):
    """How long work waits for what runs and what goes before and with it; whether it goes next.

    0 where it goes next, and alone: that is no waiting for others.
    """

    seconds: float
    is_next: bool


def expected_wait(entry: Entry, scene: Scene, *, limits: Limits) -> Wait:
    """What new work would have to wait."""
    if not scene.waiting:
        return Wait(0.0, is_next=True)
    shares = scene.shares
    if scene.running:
        running_s = scene.cost_s(scene.running)
        shares = shares.after(scene.running, running_s, (*scene.waiting, entry))
    left = in_order((*scene.waiting, entry), shares, entry.submitted_s, limits=limits)
    before_s, is_next = 0.0, True
    while entry not in (batch := _batch(left, limits.max_batch)):
        before_s += scene.cost_s(batch) if _has_others(batch, entry) else 0.0
        is_next = False
        left = [one for one in left if one not in batch]
    before_s += (len(batch) - 1) * scene.another_s
    rest_s = scene.rest_s if before_s and _has_others(scene.running, entry) else 0.0
    return Wait(rest_s + before_s, is_next)


def gives_way(entry: Entry, scene: Scene, *, limits: Limits) -> bool:
    """Whether what runs is to be interrupted for new work that waits among the others by now."""
    running = scene.running
    if not running or not all(_yields(one, entry, scene.shares, limits) for one in running):
        return False
    shares = scene.shares.after(running, scene.spent_s, scene.waiting)
    all_of_it = (*scene.waiting, *(again(one) for one in running))
    return in_order(all_of_it, shares, entry.submitted_s, limits=limits)[0] is entry


def again(entry: Entry) -> Entry:
    """An entry that was interrupted: it waits as it did."""
    return replace(entry, n_interruptions=entry.n_interruptions + 1)


def next_action(
    waiting: Sequence[Entry], now_s: float, *, limits: Limits, shares: Shares
) -> Run | Expire | None:
    """What to do now that the device is free; None where nothing waits."""
    expired = tuple(e for e in waiting if e.deadline_s is not None and e.deadline_s <= now_s)
    if expired:
        return Expire(expired)
    if not waiting:
        return None
    return Run(_batch(in_order(waiting, shares, now_s, limits=limits), limits.max_batch))


def in_order(
    waiting: Sequence[Entry], shares: Shares, now_s: float, *, limits: Limits
) -> list[Entry]:
    """Those who wait, in the order in which they run if nobody else comes."""
    clicks = [entry for entry in waiting if _is_click(entry)]
    others = [entry for entry in waiting if not _is_click(entry)]
    late = [one for one in others if now_s - one.arrived_s >= limits.patience_s]
    ordered = _alternating(_fairly(clicks, shares), _fairly(late, shares), shares.owed_to_clicks_s)
    for priority in Priority:
        alike = [one for one in others if one.work.priority is priority and one not in late]
        ordered += _fairly(alike, shares)
    return ordered


def retry_after_ms(wait_s: float) -> int:
    """When it is worth trying again: when what would have gone before is done, within reason."""
    return min(max(math.ceil(wait_s * 1000), MIN_RETRY_MS), MAX_RETRY_MS)


def _longest_wait_s(entry: Entry, scene: Scene, limits: Limits) -> float:
    if not _is_click(entry):
        return limits.max_long_wait_s
    return limits.max_wait_s or max(CLICKS_WAITED * scene.click_s, LEAST_WAIT_S)


def _has_others(batch: Iterable[Entry], entry: Entry) -> bool:
    return any(one.work.session_id != entry.work.session_id for one in batch)


def _yields(running: Entry, to: Entry, shares: Shares, limits: Limits) -> bool:
    """Whether one may be interrupted for another at all."""
    if not _is_click(to) or running.work.session_id == to.work.session_id:
        return False
    if not _is_click(running):
        is_late = to.submitted_s - running.arrived_s >= limits.patience_s
        return running.n_interruptions < limits.max_false_starts and not is_late
    if running.tenant == to.tenant or running.n_interruptions >= limits.max_interruptions:
        return False
    own_s, other_s = (shares.tenants.mark(one.tenant, one.joined.tenant_s) for one in (to, running))
    return own_s + running.cost_s <= other_s


def _is_click(entry: Entry) -> bool:
    return entry.work.priority is Priority.CLICK


def _fairly(entries: Sequence[Entry], shares: Shares) -> list[Entry]:
    """Entries of one class: tenants take turns, and within each its sessions."""
    tenants: dict[str, Sequence[Entry]] = {}
    for name, own in _grouped(entries, lambda entry: entry.tenant).items():
        sessions = _grouped(own, lambda entry: entry.work.session_id)
        by_age = {one: sorted(theirs, key=_age) for one, theirs in sessions.items()}
        tenants[name] = _merged(by_age, shares.of(name), lambda entry: entry.joined.session_s)
    return _merged(tenants, shares.tenants, lambda entry: entry.joined.tenant_s)


def _merged(
    flows: Mapping[str, Sequence[Entry]], turns: Turns, joined_s: Callable[[Entry], float]
) -> list[Entry]:
    """The flows' entries in turn, each flow's in its own order."""
    marked: list[tuple[float, float, int, Entry]] = []
    for name, entries in flows.items():
        mark_s = turns.mark(name, min(map(joined_s, entries)))
        for entry in entries:
            marked.append((mark_s, *_age(entry), entry))
            mark_s += entry.cost_s
    return [entry for *_, entry in sorted(marked)]


def _alternating(clicks: list[Entry], late: list[Entry], owed_s: float) -> list[Entry]:
    """Both, late ones whenever clicks have had as much time as those before."""
    ordered: list[Entry] = []
    clicks, late = clicks[::-1], late[::-1]
    while clicks and late:
        if owed_s > 0:
            ordered.append(clicks.pop())
            owed_s -= ordered[-1].cost_s or owed_s  # of what is not known yet, one is enough
        else:
            ordered.append(late.pop())
            owed_s = ordered[-1].cost_s
    return [*ordered, *clicks[::-1], *late[::-1]]


def _grouped(entries: Iterable[Entry], name: Callable[[Entry], str]) -> dict[str, list[Entry]]:
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[name(entry)].append(entry)
    return groups


def _age(entry: Entry) -> tuple[float, int]:
    return entry.arrived_s, entry.number


def _supersedes(newer: Work, older: Work) -> bool:
    """Whether one takes the other's place. On the way to a replica one may overtake the other."""
    if isinstance(newer, Everything) and isinstance(older, Everything):
        return newer.session_id == older.session_id and newer.seq >= older.seq
    if not (isinstance(newer, Decode) and isinstance(older, Decode)):
        return False
    covers = newer.object_ids >= older.object_ids and newer.seq >= older.seq
    return covers and _continues(newer, older)


def _continues(newer: Work, older: Work) -> bool:
    """Whether both answer prompts of one session about one image."""
    return (
        isinstance(newer, Decode)
        and isinstance(older, Decode)
        and newer.session_id == older.session_id
        and newer.image_key == older.image_key
        and newer.frame == older.frame
    )


def _seqs(entry: Entry) -> tuple[int, ...]:
    return (entry.work.seq,) if isinstance(entry.work, Decode) else ()


def _batch(ordered: Sequence[Entry], max_batch: int) -> tuple[Entry, ...]:
    """The first, and those of its kind and class that can go with it, in order."""
    head = ordered[0].work
    if isinstance(head, Follow):
        return (ordered[0],)
    batch: dict[str, Entry] = {}
    for entry in ordered:
        work = entry.work
        if len(batch) == max_batch:
            break
        if type(work) is type(head) and work.priority is head.priority:
            batch.setdefault(work.session_id, entry)
    return tuple(batch.values())
