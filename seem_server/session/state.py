"""All that a session remembers: keys and prompts, no tensors; frozen, printable, replayable."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from seem_server.session.history import History, Key
from seem_wire.types import ModelCard, Propagate, SessionCard

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_server.session.history import ObjectState
    from seem_server.tracking.memory import Memory
    from seem_wire.prompts import Box


NO_HISTORY = History()


@dataclass(frozen=True, slots=True)
class Image:
    """The session's image: the engine's key of it, and its upright (height, width)."""

    key: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Video:
    """What a session about a video has besides.

    Attributes:
        frames: The keys of its frames, in their order.
        known: Masks of its objects, see `tracking.memory`.
        waiting: What is to be followed to, in this order.
        running: What the engine follows to now.
        began: The newest command when it began: objects that were named later are others.
    """

    frames: tuple[str, ...] = field(default=(), repr=False)
    known: Memory = field(default=(), repr=False)
    waiting: tuple[Propagate, ...] = ()
    running: Propagate | None = None
    began: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """A command whose Decode is with the engine.

    Attributes:
        answers: The round to answer for each object, by its key and the round's number.
        removed: Objects that lost their mask by it.
        before: What it changed, to go back to should it fail.
        goes_back: It moved through the history: an undo or a redo.
        failed: The engine gave up, but newer changes rest on it.
    """

    seq: int
    answers: tuple[tuple[Key, int], ...]
    removed: tuple[Key, ...] = ()
    before: History = field(default=NO_HISTORY, repr=False)
    goes_back: bool = False
    failed: bool = False

    @property
    def frame(self) -> int:
        """The frame that its masks are of; those of one frame are answered together."""
        return next((key[0] for key, _ in self.answers), self.removed[0][0] if self.removed else 0)


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
        image: The image, of a video its newest frame.
        video: None where it is about an image.
    """

    session_id: str
    model: ModelCard = field(repr=False)
    phase: Phase = Phase.NEW
    last_seq: int = 0
    image: Image | None = None
    history: History = NO_HISTORY
    pending: tuple[Pending, ...] = ()
    asking: tuple[int, ...] = ()
    shown: tuple[tuple[Key, Box | None], ...] = ()
    video: Video | None = None

    @property
    def waiting(self) -> frozenset[int]:
        """Commands that the engine was not asked for yet."""
        return frozenset() if self.video is None else frozenset(c.seq for c in self.video.waiting)

    @property
    def card(self) -> SessionCard:
        """What the session tells of itself."""
        return SessionCard(
            session_id=self.session_id,
            model_id=self.model.model_id,
            content_hash=self.image.key if self.image else None,
            size=self.image.size if self.image else None,
            object_ids=tuple(dict.fromkeys(one.object_id for one in self.history.objects)),
            undo_depth=len(self.history.undo),
            redo_depth=self.history.redo_depth,
            last_seq=self.last_seq,
            n_frames=0 if self.video is None else len(self.video.frames),
        )

    def since(self, seq: int, rewrite: Callable[[ObjectState], ObjectState]) -> State:
        """The same with each object rewritten wherever it can know of command `seq`."""
        pending = tuple(replace(one, before=one.before.since(seq, rewrite)) for one in self.pending)
        return replace(self, history=self.history.since(seq, rewrite), pending=pending)
