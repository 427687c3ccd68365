"""The video benchmark: objects are said in the first frame, followed, and corrected.

Beside what the whole memory gives stand two that are simpler: the first frame's masks standing
still, and the mask of the frame before as the only memory. Corrections are one click in each run of
so many frames: on the object and frame of the run with the lowest IoU, at the centre of its largest
wrong region; from there the objects are followed to the end, and back to the run's beginning.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from seem_server.commands.clicks import iou, next_click
from seem_server.commands.indexed_png import stack
from seem_server.commands.scores import STOP_IOU
from seem_server.commands.video_scores import VideoScore, frame_score, scored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from seem_client import Client, Video
    from seem_server.commands.clips import Clip
    from seem_server.commands.tracking import Direction

    Mask = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.uint8]
    Shown = list[Indices]

FIRST_CLICKS = 3
"""How many clicks say an object in the first frame, at most."""


class FirstSaid(StrEnum):
    """How the objects are said in the first frame."""

    MASK = "mask"
    CLICKS = "clicks"


@dataclass(frozen=True, slots=True)
class Correction:
    """One click on an object: its IoU in that frame before, as answered, and in the end."""

    frame: int
    object_id: int
    before: float
    answered: float
    after: float

    @property
    def fell(self) -> bool:
        """Whether the frame that was corrected is worse in the end."""
        return self.after < self.before


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of a sequence: scores object by object.

    Attributes:
        scores: With the whole memory.
        still: The first frame's masks in every frame.
        previous: With the mask of the frame before as the only prompt in each.
        corrected: After the corrections; None where none were asked for.
        frame_ms: How long the program waited for each frame.
    """

    name: str
    n_frames: int
    scores: tuple[VideoScore, ...]
    still: tuple[VideoScore, ...]
    previous: tuple[VideoScore, ...]
    corrected: tuple[VideoScore, ...] | None
    corrections: tuple[Correction, ...]
    frame_ms: tuple[float, ...]


def evaluate(
    client: Client,
    clips: Iterable[Clip],
    *,
    way: FirstSaid = FirstSaid.MASK,
    corrections: int | None = None,
    done: Callable[[], object] = lambda: None,
) -> tuple[Followed, ...]:
    """Follows the objects of every clip; calls `done` after each.

    corrections: one click in each run of so many frames, None for none.

    Raises:
        SeemError: The server failed, or follows no objects.
        OSError: An image cannot be read.
    """
    found = []
    for clip in clips:
        found.append(_evaluated(client, clip, way, corrections))
        done()
    return tuple(found)


def score(clip: Clip, shown: Shown) -> tuple[VideoScore, ...]:
    """J and F of each object; `shown` has the object ids of each frame's pixels."""
    return tuple(
        VideoScore.of(
            [
                frame_score(shown[n] == object_id, clip.wanted(object_id, n), clip.void(n))
                for n in scored(len(clip.frames))
            ]
        )
        for object_id in clip.objects
    )


def say_first(video: Video, clip: Clip, way: FirstSaid) -> None:
    """Says every object in the first frame: its mask, or clicks until it is right."""
    counted = _counted(clip, 0)
    for object_id in clip.objects:
        wanted = clip.wanted(object_id, 0)
        if way is FirstSaid.MASK:
            video.mask(wanted, frame=0, object_id=object_id)
            continue
        predicted = np.zeros_like(wanted)
        for _ in range(FIRST_CLICKS):
            click = next_click(predicted, wanted, counted)
            if click is None or iou(predicted, wanted, counted) >= STOP_IOU:
                break
            predicted = video.click(
                click.x, click.y, positive=click.positive, frame=0, object_id=object_id
            ).mask


def correct(video: Video, clip: Clip, shown: Shown, every: int) -> tuple[Correction, ...]:
    """Clicks once in each run of `every` frames, and follows again; changes `shown`."""
    told: list[tuple[int, int, float, float]] = []
    for start in range(1, len(clip.frames), every):
        run = range(start, min(start + every, len(clip.frames)))
        before, frame, object_id = min(
            (_iou(clip, shown, n, one), n, one) for n in run for one in clip.objects
        )
        wanted, counted = clip.wanted(object_id, frame), _counted(clip, frame)
        click = next_click(shown[frame] == object_id, wanted, counted)
        if click is None:
            continue
        answer = video.click(
            click.x, click.y, positive=click.positive, frame=frame, object_id=object_id
        )
        told.append((frame, object_id, before, iou(answer.mask, wanted, counted)))
        _follow(video, shown, first=frame)
        _follow(video, shown, first=start, last=frame, direction="backward")
    return tuple(Correction(*one, _iou(clip, shown, one[0], one[1])) for one in told)


def by_last_mask(client: Client, clip: Clip, first: Indices) -> Shown:
    """Each frame an image of its own, in which the mask of the frame before is all that is said."""
    shown = [first]
    for path in clip.frames[1:]:
        masks = {}
        with client.open(path) as session:
            for object_id in clip.objects:
                last = shown[-1] == object_id
                if last.any():  # what is lost stays lost
                    masks[object_id] = session.mask(last, object_id=object_id).mask
        shown.append(stack(masks, clip.size))
    return shown


def _evaluated(client: Client, clip: Clip, way: FirstSaid, every: int | None) -> Followed:
    corrected: tuple[VideoScore, ...] | None = None
    corrections: tuple[Correction, ...] = ()
    with client.track(clip.frames) as video:
        say_first(video, clip, way)
        shown: Shown = [np.zeros(clip.size, np.uint8) for _ in clip.frames]
        times_ms = _follow(video, shown)
        scores = score(clip, shown)
        first = shown[0]
        if every is not None:
            corrections = correct(video, clip, shown, every)
            corrected = score(clip, shown)
    return Followed(
        name=clip.name,
        n_frames=len(clip.frames),
        scores=scores,
        still=score(clip, [first] * len(clip.frames)),
        previous=score(clip, by_last_mask(client, clip, first)),
        corrected=corrected,
        corrections=corrections,
        frame_ms=times_ms,
    )


def _follow(
    video: Video,
    shown: Shown,
    *,
    first: int = 0,
    last: int | None = None,
    direction: Direction = "forward",
) -> tuple[float, ...]:
    """Puts what is found into `shown`; gives how long the program waited for each frame, in ms."""
    times_ms = []
    begun = time.perf_counter()
    for tracked in video.propagate(first=first, last=last, direction=direction):
        times_ms.append((time.perf_counter() - begun) * 1000)
        masks = {object_id: one.mask for object_id, one in tracked.predictions.items()}
        shown[tracked.index] = stack(masks, shown[tracked.index].shape)
        begun = time.perf_counter()
    return tuple(times_ms)


def _iou(clip: Clip, shown: Shown, index: int, object_id: int) -> float:
    wanted = clip.wanted(object_id, index)
    return iou(shown[index] == object_id, wanted, _counted(clip, index))


def _counted(clip: Clip, index: int) -> Mask:
    void = clip.void(index)
    return np.ones(clip.size, np.bool_) if void is None else ~void
