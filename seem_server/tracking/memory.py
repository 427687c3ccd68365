"""What a video session knows of its objects, frame by frame, and what it makes of that.

An object is known where it was prompted or corrected (a mark), and where it was followed to. Marks
are what it is recognised by; where it was followed to tells where it went. So a corrected frame
counts for all frames that are followed to later, and what is forgotten first is where an object
was followed to longest ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seem_server.engine.work import Seen, Trail

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from seem_wire.types import ObjectMask

MAX_FOLLOWED = 1024
"""Masks that are known besides marks': a minute of eight objects, for corrections on the way."""

MAX_CHARACTERS = 4 * 1024**2
"""Of the run lengths of all that is known: a session's bound, whatever the masks look like."""

REFERENCES = 4
"""Marks of an object that a frame is compared with: the nearest ones."""


@dataclass(frozen=True, slots=True)
class Known:
    """A mask of an object in a frame.

    `mark`: the command whose round it answers; 0 where the object was followed there.
    """

    frame: int
    mask: ObjectMask
    mark: int = 0

    @property
    def object_id(self) -> int:
        """The object."""
        return self.mask.object_id

    @property
    def is_seen(self) -> bool:
        """Whether any of the object is to be seen there."""
        return self.mask.area > 0


Memory = tuple[Known, ...]
"""What is known, that longest known first."""


def learned(memory: Memory, news: Iterable[Known]) -> Memory:
    """The memory with `news` in the place of what they replace, and what is too much forgotten.

    A mark stays beside what the object was followed to, and beside other marks of its frame: which
    of them stands can change again.
    """
    fresh = tuple(news)
    replaced = {(one.frame, one.object_id, one.mark) for one in fresh}
    kept = [one for one in memory if (one.frame, one.object_id, one.mark) not in replaced]
    return _bounded((*kept, *fresh))


def without_objects(memory: Memory, object_ids: Iterable[int]) -> Memory:
    """The memory without where these were followed to; marks may be wanted back."""
    gone = frozenset(object_ids)
    return tuple(one for one in memory if one.mark or one.object_id not in gone)


def found(memory: Memory, frame: int, object_id: int, mark: int = 0) -> Known | None:
    """What is known of an object in a frame: by that mark, or for 0 where it was followed to."""
    wanted = frame, object_id, mark
    return next((one for one in memory if (one.frame, one.object_id, one.mark) == wanted), None)


def trail(known: Sequence[Known], frames: Sequence[str], *, to: int, source: int) -> Trail | None:
    """What to remember of an object on the way from frame `source` to frame `to`.

    `known`: what stands of this one object, one mask a frame at most. `frames`: their keys. None
    where it is seen on no mark.
    """
    marks = [one for one in known if one.mark and one.is_seen]
    if not marks:
        return None
    nearest = sorted(marks, key=lambda one: (abs(one.frame - to), one.frame))[:REFERENCES]
    there = [one for one in known if one.frame == source and one.is_seen and source != to]
    before = there[0] if there else None
    last = None if before is None else _seen(before, frames)
    references = tuple(_seen(one, frames) for one in nearest)
    return Trail(marks[0].object_id, references, last)


def _seen(known: Known, frames: Sequence[str]) -> Seen:
    return Seen(frames[known.frame], known.mask.rle)


def _bounded(memory: Memory) -> Memory:
    followed = sum(not one.mark for one in memory)
    characters = sum(len(one.mask.rle.counts) for one in memory)
    gone: set[int] = set()
    by_worth = sorted(range(len(memory)), key=lambda place: (memory[place].mark > 0, place))
    for place in by_worth:
        one = memory[place]
        too_many = followed > MAX_FOLLOWED and not one.mark
        if not too_many and characters <= MAX_CHARACTERS:
            break
        gone.add(place)
        followed -= not one.mark
        characters -= len(one.mask.rle.counts)
    return tuple(one for place, one in enumerate(memory) if place not in gone) if gone else memory
