"""What sessions ask of the engine, and what they get.

Work names images and earlier rounds by key and carries no tensors: the engine looks up, or makes
again, what the keys stand for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_wire.prompts import ObjectPrompt
    from seem_wire.rle import Rle
    from seem_wire.types import ObjectMask, SegmentKind, Timings


class Priority(IntEnum):
    """Classes of work, most urgent first."""

    CLICK = 0
    PROPAGATION = 1
    EVERYTHING = 2
    PREWARM = 3


@dataclass(frozen=True, slots=True)
class Round:
    """One prediction of one object: all that had been said of it by command `seq`.

    Attributes:
        choice: Which of its hypotheses command `seq` chose; None where the engine decides.
        wants_hypotheses: Its answer tells what else the prompt may have meant.
        n_offered: How many hypotheses were sent, of which one can be chosen.
        as_given: Its prompt's mask is the answer as it is, and not to be refined.
    """

    seq: int
    prompt: ObjectPrompt
    choice: int | None = None
    wants_hypotheses: bool = False
    n_offered: int = 0
    as_given: bool = False


@dataclass(frozen=True, slots=True)
class ObjectRounds:
    """An object's rounds, oldest first; the last is the one to answer.

    Each round takes the mask of the round before as its memory, and the first has `start`: what was
    known of the object in this image already, None where nothing was.
    """

    object_id: int
    rounds: tuple[Round, ...]
    start: Rle | None = None

    def without(self, *seqs: int) -> ObjectRounds:
        """The same without the rounds of commands `seqs`, except for the one to answer.

        What was chosen stays, too: no later prompt says it again.
        """
        dropped = frozenset(seqs)
        kept = tuple(r for r in self.rounds[:-1] if r.seq not in dropped or r.choice is not None)
        return replace(self, rounds=(*kept, self.rounds[-1]))

    def memory_keys(self, image_key: str) -> tuple[str, ...]:
        """Names the answers after 1, 2, ... rounds: equal keys, equal masks."""
        digest = hashlib.sha256(image_key.encode())
        if self.start is not None:
            digest.update(f"start {self.start.counts}".encode())
        keys = []
        for entry in self.rounds:
            digest.update(prompt_digest(entry.prompt))
            if entry.choice is not None:
                digest.update(f"choice {entry.choice}".encode())
            if entry.as_given:
                digest.update(b"as given")
            keys.append(digest.hexdigest())
        return tuple(keys)


@dataclass(frozen=True, slots=True)
class Encode:
    """Make an image's features ready before the first click."""

    session_id: str
    image_key: str
    priority: Priority = Priority.PREWARM


@dataclass(frozen=True, slots=True)
class Decode:
    """Answer the last round of each object.

    A newer Decode of the same session and frame whose objects include all of this one's supersedes
    it while it waits; the newer one then drops this one's rounds (`ObjectRounds.without`). What
    texts mean is remembered for its `owner` alone. `frame`: of a video, in which the same image may
    come twice.
    """

    session_id: str
    seq: int
    image_key: str
    objects: tuple[ObjectRounds, ...]
    priority: Priority = Priority.CLICK
    owner: str = ""
    frame: int = 0

    @property
    def object_ids(self) -> frozenset[int]:
        """The objects it answers for."""
        return frozenset(one.object_id for one in self.objects)

    @property
    def example_keys(self) -> frozenset[str]:
        """The other images that its prompts show examples in."""
        prompts = (entry.prompt for one in self.objects for entry in one.rounds)
        return frozenset(prompt.example.image for prompt in prompts if prompt.example)

    def without(self, *seqs: int) -> Decode:
        """The same without the rounds of commands that this one superseded."""
        return replace(self, objects=tuple(one.without(*seqs) for one in self.objects))


@dataclass(frozen=True, slots=True)
class Everything:
    """Find all that is in an image; no object is changed by it.

    `vocabulary` names what to look for, None for the bundle's own names; `threshold` is the least
    score of a segment, None for the bundle's. A newer Everything of the same session supersedes
    this one while it waits. `n_clicks`: how many clicks its image had cost when it last gave way;
    what they found may be lost since. What names mean is remembered for its `owner` alone.
    """

    session_id: str
    seq: int
    image_key: str
    kind: SegmentKind
    vocabulary: tuple[str, ...] | None = None
    threshold: float | None = None
    n_clicks: int = 0
    priority: Priority = Priority.EVERYTHING
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """An object in another frame of a video: the frame's key, and its mask there."""

    image_key: str
    mask: Rle


@dataclass(frozen=True, slots=True)
class Trail:
    """What is remembered of an object that is followed to a frame.

    Attributes:
        references: Where it was prompted or corrected, the most telling first; one at least.
        last: Where it was seen in the frame before on the way; None where it was lost there.
    """

    object_id: int
    references: tuple[Seen, ...]
    last: Seen | None = None

    @property
    def seen(self) -> tuple[Seen, ...]:
        """All of these."""
        return self.references if self.last is None else (*self.references, self.last)


@dataclass(frozen=True, slots=True)
class Follow:
    """Find objects again in a frame of a video; their masks do not overlap."""

    session_id: str
    seq: int
    image_key: str
    objects: tuple[Trail, ...]
    priority: Priority = Priority.PROPAGATION
    owner: str = ""

    @property
    def seen_keys(self) -> frozenset[str]:
        """The other frames that are looked at."""
        return frozenset(seen.image_key for one in self.objects for seen in one.seen)


Work = Encode | Decode | Everything | Follow


def image_keys(work: Work) -> frozenset[str]:
    """The images that work looks at: its own, and those that others of its objects are seen in."""
    match work:
        case Decode():
            return work.example_keys | {work.image_key}
        case Follow():
            return work.seen_keys | {work.image_key}
        case _:
            return frozenset({work.image_key})


@dataclass(frozen=True, slots=True)
class Encoded:
    """The features are ready. `cache_hit`: they were already."""

    cache_hit: bool
    timings: Timings


@dataclass(frozen=True, slots=True)
class MasksReady:
    """A Decode's answer: a mask an object, and the rounds that it really rests on.

    `objects` of the answer may lack rounds that the work had: those of superseded commands.
    """

    work: Decode
    masks: tuple[ObjectMask, ...]
    cache_hit: bool
    timings: Timings
    superseded: tuple[int, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class SegmentsReady:
    """An Everything's answer: segments with `object_id` 1, 2, ..., each with its label.

    Panoptic segments do not overlap; instances may, best score first; semantic ones are one for
    each name that was found.
    """

    work: Everything
    segments: tuple[ObjectMask, ...]
    cache_hit: bool
    timings: Timings


@dataclass(frozen=True, slots=True)
class Followed:
    """A Follow's answer: a mask an object, empty where it is not to be seen."""

    work: Follow
    masks: tuple[ObjectMask, ...]
    cache_hit: bool
    timings: Timings


Result = Encoded | MasksReady | SegmentsReady | Followed

# A round's prompt holds all that was said before it, so hashing every round of a long chain for
# every click would cost the square of its length. Prompts never change; entries go with them.
_DIGESTS: WeakKeyDictionary[ObjectPrompt, bytes] = WeakKeyDictionary()


def prompt_digest(prompt: ObjectPrompt) -> bytes:
    """A hash of all that `prompt` says; equal prompts have equal digests."""
    known = _DIGESTS.get(prompt)
    if known is not None:
        return known
    parts = (prompt.points, prompt.box, prompt.scribbles, prompt.text)
    regions = (prompt.negative_boxes, prompt.lassos)
    digest = hashlib.sha256(repr((*parts, *regions)).encode())
    if prompt.mask is not None:
        digest.update(_mask_bytes(prompt.mask.mask))
    if prompt.example is not None:
        digest.update(f"example {prompt.example.image}".encode())
        digest.update(_mask_bytes(prompt.example.mask))
    return _DIGESTS.setdefault(prompt, digest.digest())


def _mask_bytes(mask: npt.NDArray[np.bool_]) -> bytes:
    return repr(mask.shape).encode() + np.packbits(np.ascontiguousarray(mask)).tobytes()
