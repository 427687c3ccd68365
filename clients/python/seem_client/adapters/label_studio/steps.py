"""How to get from what was said about a picture's objects to what is asked now.

Label Studio sends all that was said about an object with each click, and names no object. So the
object is the one of which most was said before: its later steps are undone, and the rest is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seem_client.adapters.label_studio.context import Said

    Steps = tuple[tuple[Said, ...], ...]


@dataclass(frozen=True, slots=True)
class Way:
    """Undo `n_undos` steps of the object, and say `rest`; `object_id` is None for a new one."""

    object_id: int | None
    n_undos: int
    rest: tuple[Said, ...]


def way_to(asked: tuple[Said, ...], objects: Mapping[int, Steps]) -> Way:
    """The way with the least to say; of those the one with the least to undo.

    `objects`: by object id, the steps in which it was spoken of.
    """
    ways = [_way(asked, object_id, steps) for object_id, steps in objects.items()]
    shared = [way for way in ways if len(way.rest) < len(asked)]
    new = Way(None, 0, asked)
    return min(shared, key=lambda way: (len(way.rest), way.n_undos), default=new)


def _way(asked: tuple[Said, ...], object_id: int, steps: Steps) -> Way:
    done = 0
    for kept, step in enumerate(steps):
        if asked[done : done + len(step)] != step:
            return Way(object_id, len(steps) - kept, asked[done:])
        done += len(step)
    return Way(object_id, 0, asked[done:])
