"""A video session as commands use it, and how objects are followed into a folder of results.

Frames that the folder has are not asked for again. Each direction is a session of its own that is
told what was said about the prompted frame and, where an earlier run was broken off, the masks of
the last frame that this run finished, from which it goes on. So the frames do not depend on which
directions are asked for together, nor, but for what a network remembers of older frames, on
interruptions. An object that is absent in the last finished frame is known from its prompt alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

from seem_server.commands.indexed_png import IndexedFrame, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from seem_client import Box, Client, Lasso, ModelCard, Point, Prediction, Scribble
    from seem_client.image import ImageLike
    from seem_server.commands.track_folder import TrackFolder
    from seem_wire.prompts import ObjectPrompt

    Mask = npt.NDArray[np.bool_]

Direction = Literal["forward", "backward"]
Memory = Literal["full", "previous"]


class Tracked(Protocol):
    """One frame of a propagation."""

    @property
    def index(self) -> int:
        """Its number, from 0."""

    @property
    def predictions(self) -> Mapping[int, Prediction]:
        """Every object, by its id; one that is absent has an empty mask."""


class Video(Protocol):
    """What is used of a session about a video."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""

    def click(
        self, x: float, y: float, *, frame: int, positive: bool = True, object_id: int = 1
    ) -> Prediction:
        """Points at an object in a frame, or where it is not."""

    def mask(self, mask: Mask, *, frame: int, object_id: int = 1) -> Prediction:
        """Gives an object's mask in a frame."""

    def prompt(
        self,
        *,
        frame: int,
        object_id: int = 1,
        points: Iterable[Point] = (),
        box: Box | None = None,
        scribbles: Iterable[Scribble] = (),
        mask: Mask | None = None,
        text: str | None = None,
        example: tuple[ImageLike, Mask] | None = None,
        negative_boxes: Iterable[Box] = (),
        lassos: Iterable[Lasso] = (),
    ) -> Prediction:
        """Says several things about an object in a frame at once."""

    def propagate(
        self, *, first: int = 0, last: int | None = None, direction: Direction = "forward"
    ) -> Iterator[Tracked]:
        """The frames `first` to `last`, up or down, with every object in each."""


class Tracker(Protocol):
    """What is used of a client."""

    def track(
        self, frames: Path | Sequence[ImageLike], *, memory: Memory = "full"
    ) -> AbstractContextManager[Video]:
        """Opens a session about a video."""

    def model(self) -> ModelCard:
        """What answers."""


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


def tracker(client: Client) -> Tracker:
    """The client, as what it is used for here."""
    return cast("Tracker", client)


def say(
    video: Video,
    frame: int,
    object_id: int,
    prompt: ObjectPrompt,
    example: tuple[ImageLike, Mask] | None = None,
) -> Prediction:
    """Tells the session something about an object in a frame."""
    return video.prompt(
        frame=frame,
        object_id=object_id,
        points=prompt.points,
        box=prompt.box,
        scribbles=prompt.scribbles,
        mask=prompt.mask.mask if prompt.mask else None,
        text=prompt.text,
        example=example,
        negative_boxes=prompt.negative_boxes,
        lassos=prompt.lassos,
    )


def follow(
    client: Tracker,
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
        say(video, order.frame, object_id, prompt, order.example)
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


def _written(tracked: Tracked, size: tuple[int, int], took_ms: float) -> IndexedFrame:
    masks = {object_id: one.mask for object_id, one in tracked.predictions.items()}
    presence = {object_id: one.presence for object_id, one in tracked.predictions.items()}
    return IndexedFrame(stack(masks, size), presence, took_ms)
