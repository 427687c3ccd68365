"""How objects are followed into a folder of results.

Frames that the folder has are not asked for again. Each direction is a session of its own that is
told what was said about the prompted frame and, where an earlier run was broken off, the masks of
the last frame that this run finished, from which it goes on. So the frames do not depend on which
directions are asked for together, nor, but for what a network remembers of older frames, on
interruptions. An object that is absent in the last finished frame is known from its prompt alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from seem_server.commands.asking import say
from seem_server.commands.indexed_png import IndexedFrame, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from seem_client import Client, TrackedFrame, Video
    from seem_server.commands.track_folder import TrackFolder
    from seem_wire.prompts import ObjectPrompt

    Mask = npt.NDArray[np.bool_]

Direction = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What is to be followed.

    Attributes:
        source: A folder of images or a video file.
        frame: Where the objects are said.
        objects: What is said of each, by its id.
        example: Another image with a mask in it, about the only object.
        directions: Where to go from there.
    """

    source: Path
    frame: int
    objects: Mapping[int, ObjectPrompt]
    example: tuple[Path, Mask] | None
    directions: tuple[Direction, ...]


def follow(
    client: Client,
    order: Order,
    folder: TrackFolder,
    *,
    done: Callable[[], object] = lambda: None,
) -> None:
    """Writes every frame that the folder lacks; calls `done` after each.

    Raises:
        SeemError: The server refused or failed, or the video is damaged; the frames before are
            written.
        OSError: A frame cannot be read or written.
    """
    for direction in order.directions:
        reached = folder.reached(order.frame, direction)
        if not folder.is_last(reached, direction):
            with client.track(order.source) as video:
                _follow(video, order, folder, direction, reached, done)


def _follow(
    video: Video,
    order: Order,
    folder: TrackFolder,
    direction: Direction,
    reached: int | None,
    done: Callable[[], object],
) -> None:
    for object_id, prompt in order.objects.items():
        say(video, object_id, prompt, order.example, frame=order.frame)
    start = order.frame if reached is None else reached
    if start != order.frame:
        for object_id, mask in folder.read(start).masks.items():
            video.mask(mask, frame=start, object_id=object_id)
    first, last = (start, None) if direction == "forward" else (0, start)
    begun = time.perf_counter()
    for tracked in video.propagate(first=first, last=last, direction=direction):
        took_ms = (time.perf_counter() - begun) * 1000
        if not folder.has(tracked.index):
            folder.write(tracked.index, _written(tracked, video.size, took_ms))
            done()
        begun = time.perf_counter()


def _written(tracked: TrackedFrame, size: tuple[int, int], took_ms: float) -> IndexedFrame:
    masks = {object_id: one.mask for object_id, one in tracked.predictions.items()}
    presence = {object_id: one.presence for object_id, one in tracked.predictions.items()}
    return IndexedFrame(stack(masks, size), presence, took_ms)
