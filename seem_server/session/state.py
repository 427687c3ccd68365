"""All that a session remembers: keys and prompts, no tensors; frozen, printable, replayable.

An object's rounds are the chain that its mask rests on, oldest first. Where a mask was shown, every
snapshot that ends with its round is settled: it holds the chain that the mask was made of, for
good, and so the mask comes back the same.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from seem_server.engine.work import ObjectRounds, Round
from seem_wire.prompts import ObjectPrompt
from seem_wire.types import ModelCard, SessionCard

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_wire.prompts import Box

MAX_UNDO = 1000
"""How many changes can be undone; older ones stand for good."""

NOTHING_SAID = ObjectPrompt()


@dataclass(frozen=True, slots=True)
class Image:
    """The session's image: the engine's key of it, and its upright (height, width)."""

    key: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ObjectState:
    """All that was said about an object, and the rounds that were predicted on the way.

    `queued`: something was said since the last round. `settled`: the last round was answered, and
    its mask rests on exactly these.
    """

    object_id: int
    said: ObjectPrompt = NOTHING_SAID
    rounds: tuple[Round, ...] = ()
    queued: bool = False
    settled: bool = False

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
        return ObjectRounds(self.object_id, self.rounds)


Objects = tuple[ObjectState, ...]
"""A session's objects, in the order in which they were first named."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a stack: command `seq` changed the objects, and these are those to return to."""

    seq: int
    objects: Objects = field(repr=False)
    n_mask_pixels: int = 0  # that the command brought


@dataclass(frozen=True, slots=True)
class History:
    """The objects, and those before and after; the stacks' top is their end.

    `seq` is the command that made them what they are.
    """

    objects: Objects = ()
    undo: tuple[Change, ...] = ()
    redo: tuple[Change, ...] = ()
    seq: int = 0

    def changed(
        self, seq: int, objects: Objects, *, n_mask_pixels: int, max_mask_pixels: int
    ) -> History:
        """The history after command `seq`; the oldest changes go where they weigh too much."""
        undo = (*self.undo, Change(seq, self.objects, n_mask_pixels))[-MAX_UNDO:]
        weight = sum(change.n_mask_pixels for change in undo)
        while weight > max_mask_pixels and len(undo) > 1:
            weight -= undo[0].n_mask_pixels
            undo = undo[1:]
        return History(objects, undo, (), seq)

    def undone(self, seq: int) -> History:
        """The history after command `seq` undid the last change."""
        last = self.undo[-1]
        redo = (*self.redo, replace(last, objects=self.objects))
        return History(last.objects, self.undo[:-1], redo, seq)

    def redone(self, seq: int) -> History:
        """The history after command `seq` redid what was undone last."""
        last = self.redo[-1]
        undo = (*self.undo, replace(last, objects=self.objects))
        return History(last.objects, undo, self.redo[:-1], seq)

    def since(self, seq: int, rewrite: Callable[[ObjectState], ObjectState]) -> History:
        """The same with each object rewritten, in every snapshot that can know of command `seq`."""

        def rewritten(objects: Objects) -> Objects:
            return tuple(map(rewrite, objects))

        def those(changes: tuple[Change, ...], first: int) -> tuple[Change, ...]:
            return tuple(
                replace(change, objects=rewritten(change.objects))
                if change.seq >= first
                else change
                for change in changes
            )

        # An entry to undo holds the objects before its command, one to redo those after it.
        return replace(
            self,
            objects=rewritten(self.objects),
            undo=those(self.undo, seq + 1),
            redo=those(self.redo, seq),
        )


class Move(StrEnum):
    """How a command moved the history."""

    CHANGE = "change"
    UNDO = "undo"
    REDO = "redo"


@dataclass(frozen=True, slots=True)
class Pending:
    """A command whose Decode is with the engine.

    Attributes:
        answers: The round to answer for each object, by object id and the round's number.
        removed: Objects that lost their mask by it.
        move: What it did to the history, `redo` the stack that it emptied by that.
        previous_seq: The history's `seq` before.
        failed: The engine gave up, but newer changes rest on it.
    """

    seq: int
    answers: tuple[tuple[int, int], ...]
    removed: tuple[int, ...] = ()
    move: Move = Move.CHANGE
    redo: tuple[Change, ...] = field(default=(), repr=False)
    previous_seq: int = 0
    failed: bool = False

    def undo_of(self, history: History) -> History:
        """`history`, whose newest change is this command's, as it was before the command."""
        match self.move:
            case Move.UNDO:
                return history.redone(self.previous_seq)
            case Move.REDO:
                return history.undone(self.previous_seq)
            case Move.CHANGE:
                return replace(history.undone(self.previous_seq), redo=self.redo)


class Phase(StrEnum):
    """Where a session stands in its life."""

    NEW = "new"
    OPEN = "open"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class State:
    """A session.

    Attributes:
        model: Says what may be asked of it.
        last_seq: The newest command that was not refused.
        pending: Commands that changed objects and wait for the engine, oldest first.
        asking: Questions that wait for the engine, by their command's number.
        shown: The box around each object's mask that was sent last.
    """

    session_id: str
    model: ModelCard = field(repr=False)
    phase: Phase = Phase.NEW
    last_seq: int = 0
    image: Image | None = None
    history: History = History()
    pending: tuple[Pending, ...] = ()
    asking: tuple[int, ...] = ()
    shown: tuple[tuple[int, Box | None], ...] = ()

    @property
    def card(self) -> SessionCard:
        """What the session tells of itself."""
        return SessionCard(
            session_id=self.session_id,
            model_id=self.model.model_id,
            content_hash=self.image.key if self.image else None,
            size=self.image.size if self.image else None,
            object_ids=tuple(one.object_id for one in self.history.objects),
            undo_depth=len(self.history.undo),
            redo_depth=len(self.history.redo),
            last_seq=self.last_seq,
        )
