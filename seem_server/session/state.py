"""All that a session remembers: keys and prompts, no tensors; frozen, printable, replayable."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from seem_server.session.history import History
from seem_wire.types import ModelCard, SessionCard

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_server.session.history import ObjectState
    from seem_wire.prompts import Box


NO_HISTORY = History()


@dataclass(frozen=True, slots=True)
class Image:
    """The session's image: the engine's key of it, and its upright (height, width)."""

    key: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pending:
    """A command whose Decode is with the engine.

    Attributes:
        answers: The round to answer for each object, by object id and the round's number.
        removed: Objects that lost their mask by it.
        before: What it changed, to go back to should it fail.
        goes_back: It moved through the history: an undo or a redo.
        failed: The engine gave up, but newer changes rest on it.
    """

    seq: int
    answers: tuple[tuple[int, int], ...]
    removed: tuple[int, ...] = ()
    before: History = field(default=NO_HISTORY, repr=False)
    goes_back: bool = False
    failed: bool = False


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
    history: History = NO_HISTORY
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
            redo_depth=self.history.redo_depth,
            last_seq=self.last_seq,
        )

    def since(self, seq: int, rewrite: Callable[[ObjectState], ObjectState]) -> State:
        """The same with each object rewritten wherever it can know of command `seq`."""
        pending = tuple(replace(one, before=one.before.since(seq, rewrite)) for one in self.pending)
        return replace(self, history=self.history.since(seq, rewrite), pending=pending)
