"""A session's objects, and the way back and forth between what they were.

An object's rounds are the chain that its mask rests on, oldest first. Where a mask was shown, every
state that ends with its round is settled: it holds the chain that the mask was made of, for good,
and so the mask comes back the same.

Objects do not depend on each other, so each has a way of its own, and the session's is theirs put
together: what a command changed is undone and redone for all of its objects, or for one of them.

    undo  [3: 1]  [4: 1, 2]  [5: 2]          command 4 changed objects 1 and 2
      undo object 1:   undo  [3: 1]  [4: 2]  [5: 2]     redo  [4: 1]
      undo, then:      undo  [3: 1]  [4: 2]             redo  [4: 1]  [5: 2]
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from seem_server.engine.work import ObjectRounds, Round
from seem_wire.prompts import ObjectPrompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from seem_wire.rle import Rle

MAX_UNDO = 1000
"""How many changes can be undone; older ones stand for good."""

NOTHING_SAID = ObjectPrompt()

Key = tuple[int, int]
"""A frame and an object's id."""


@dataclass(frozen=True, slots=True)
class ObjectState:
    """All that was said about an object in a frame, and the rounds that were predicted on the way.

    Attributes:
        since: The command that named it first, and its place there; objects stand in this order.
        frame: Of a video, the one that this is about; an image has frame 0 only.
        start: The mask that the object had there before anything was said; None where it had none.
        queued: Something was said since the last round.
        settled: The last round was answered, and its mask rests on exactly these.
    """

    object_id: int
    said: ObjectPrompt = NOTHING_SAID
    rounds: tuple[Round, ...] = ()
    queued: bool = False
    settled: bool = False
    since: tuple[int, int] = (0, 0)
    frame: int = 0
    start: Rle | None = None

    @property
    def key(self) -> Key:
        """Names it in its session."""
        return self.frame, self.object_id

    @property
    def is_positive(self) -> bool:
        """Whether anything tells where it is."""
        return self.said.has_positive or self.start is not None

    @property
    def standing(self) -> int | None:
        """The number of the command whose round is the object's mask; None where it has none."""
        return self.rounds[-1].seq if self.rounds else None

    def place_of(self, seq: int) -> int | None:
        """Where in the chain the round of command `seq` is."""
        place = bisect_left(self.rounds, seq, key=lambda entry: entry.seq)
        return place if place < len(self.rounds) and self.rounds[place].seq == seq else None

    def without(self, *seqs: int) -> ObjectState:
        """The same as it was before the rounds of commands `seqs`, if they are its last."""
        rounds = self.rounds
        while rounds and rounds[-1].seq in seqs:
            rounds = rounds[:-1]
        return replace(self, rounds=rounds)

    def to_answer(self) -> ObjectRounds:
        """The object as work for the engine."""
        return ObjectRounds(self.object_id, self.rounds, self.start)


Objects = tuple[ObjectState, ...]
"""A session's objects, in the order in which they were first named."""

Parts = tuple[tuple[Key, ObjectState | None], ...]
"""States of objects by their key, None where there is no such object; each once, in order."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a stack: what command `seq` changed, and what to return to.

    Attributes:
        parts: The state of each changed object there.
        n_mask_pixels: That the command brought.
        past: Something was said since it was undone; it is redone only for one object.
    """

    seq: int
    parts: Parts = field(repr=False)
    n_mask_pixels: int = 0
    past: bool = False

    def touches(self, object_id: int | None) -> bool:
        """Whether it changed that object; any change touches None."""
        return object_id is None or any(one == object_id for (_, one), _ in self.parts)

    def only(self, object_id: int | None) -> Change:
        """Its part for one object; all of it for None."""
        if object_id is None:
            return self
        return replace(self, parts=tuple(part for part in self.parts if part[0][1] == object_id))

    def without(self, keys: Iterable[Key]) -> Change | None:
        """What is left without these parts; None for nothing."""
        gone = frozenset(keys)
        left = tuple(part for part in self.parts if part[0] not in gone)
        return replace(self, parts=left) if left else None


@dataclass(frozen=True, slots=True)
class History:
    """The objects, and what they were before and after; the stacks' top is their end.

    `seq` is the command that made them what they are. `undo` is in the order of its commands,
    `redo` in the order in which they were undone.
    """

    objects: Objects = ()
    undo: tuple[Change, ...] = ()
    redo: tuple[Change, ...] = ()
    seq: int = 0

    def changed(
        self, seq: int, objects: Objects, *, n_mask_pixels: int, max_mask_pixels: int
    ) -> History:
        """The history after command `seq`; the oldest changes go where they weigh too much.

        What was undone can still be redone for each object that the command let be.
        """
        parts = _difference(self.objects, objects)
        touched = [key for key, _ in parts]
        left = (change.without(touched) for change in self.redo)
        redo = tuple(replace(change, past=True) for change in left if change is not None)
        undo = (*self.undo, Change(seq, parts, n_mask_pixels))
        limit = max_mask_pixels
        return History(objects, _bounded(undo, limit, keep=1), _bounded(redo, limit), seq)

    def can_undo(self, object_id: int | None = None) -> bool:
        """Whether there is something to undo, of that object or at all."""
        return any(change.touches(object_id) for change in self.undo)

    def can_redo(self, object_id: int | None = None) -> bool:
        """Whether there is something to redo, of that object or at all."""
        if object_id is None:
            return bool(self.redo) and not self.redo[-1].past
        return any(change.touches(object_id) for change in self.redo)

    @property
    def redo_depth(self) -> int:
        """How many changes can be redone one after the other."""
        place = next((n for n, change in enumerate(reversed(self.redo)) if change.past), None)
        return len(self.redo) if place is None else place

    def undone(self, seq: int, object_id: int | None = None) -> History:
        """The history after command `seq` undid the last change, of that object or at all."""
        undo, taken = _take(self.undo, object_id)
        objects, back = _exchange(self.objects, taken)
        return History(objects, undo, (*self.redo, replace(back, past=False)), seq)

    def redone(self, seq: int, object_id: int | None = None) -> History:
        """The history after command `seq` redid what was undone last, of that object or at all."""
        redo, taken = _take(self.redo, object_id)
        objects, back = _exchange(self.objects, replace(taken, past=False))
        return History(objects, _put_in(self.undo, back), redo, seq)

    def since(self, seq: int, rewrite: Callable[[ObjectState], ObjectState]) -> History:
        """The same with each object rewritten, in every state that can know of command `seq`."""

        def rewritten(change: Change) -> Change:
            parts = ((key, state and rewrite(state)) for key, state in change.parts)
            return replace(change, parts=tuple(parts))

        # A part to undo is as it was before its command, one to redo as it was after it.
        first = bisect_right(self.undo, seq, key=lambda change: change.seq)
        return replace(
            self,
            objects=tuple(map(rewrite, self.objects)),
            undo=(*self.undo[:first], *map(rewritten, self.undo[first:])),
            redo=tuple(rewritten(one) if one.seq >= seq else one for one in self.redo),
        )


def _difference(before: Objects, after: Objects) -> Parts:
    """What each object was that is another now, or there no more, or new."""
    were = {one.key: one for one in before}
    now = {one.key: one for one in after}
    either = sorted(were.keys() | now.keys())
    return tuple((one, were.get(one)) for one in either if were.get(one) is not now.get(one))


def _take(changes: tuple[Change, ...], object_id: int | None) -> tuple[tuple[Change, ...], Change]:
    """The stack without its last change of that object, or any, and what was taken."""
    place = max(n for n, change in enumerate(changes) if change.touches(object_id))
    taken = changes[place].only(object_id)
    left = changes[place].without(key for key, _ in taken.parts)
    rest = () if left is None else (left,)
    return (*changes[:place], *rest, *changes[place + 1 :]), taken


def _exchange(objects: Objects, change: Change) -> tuple[Objects, Change]:
    """The objects with those of the change in their places, and the change that reverts this."""
    before = {one.key: one for one in objects}
    after: dict[Key, ObjectState | None] = {**before, **dict(change.parts)}
    standing = (one for one in after.values() if one is not None)
    back = tuple((key, before.get(key)) for key, _ in change.parts)
    return tuple(sorted(standing, key=lambda one: one.since)), replace(change, parts=back)


def _put_in(changes: tuple[Change, ...], change: Change) -> tuple[Change, ...]:
    """The stack with the change at its command's place, with the parts that are there already."""
    place = bisect_left(changes, change.seq, key=lambda one: one.seq)
    there = changes[place : place + 1]
    if there and there[0].seq == change.seq:
        parts = sorted((*there[0].parts, *change.parts), key=itemgetter(0))
        together = replace(change, parts=tuple(parts))
        return (*changes[:place], together, *changes[place + 1 :])
    return (*changes[:place], change, *changes[place:])


_N_MASK_PIXELS = attrgetter("n_mask_pixels")


def _bounded(
    changes: tuple[Change, ...], max_mask_pixels: int, *, keep: int = 0
) -> tuple[Change, ...]:
    """The last of them: MAX_UNDO at most, and no more mask pixels, but at least `keep`."""
    changes = changes[-MAX_UNDO:]
    weight = sum(map(_N_MASK_PIXELS, changes))
    while weight > max_mask_pixels and len(changes) > keep:
        weight -= changes[0].n_mask_pixels
        changes = changes[1:]
    return changes
