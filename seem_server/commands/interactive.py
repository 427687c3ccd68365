"""The interactive benchmark: an annotator clicks until the mask is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_server.commands import scores
from seem_server.commands.clicks import iou, next_click
from seem_wire import rle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from seem_client import Client, Session
    from seem_server.commands.stills import Still

    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Play:
    """One object's course, and the server's time for each click on the cached image, in ms."""

    ious: tuple[float, ...]
    cached_click_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What the benchmark came to.

    Attributes:
        model_id: Which bundle answered.
        provider: Where it ran.
        images: How many images were opened.
        max_clicks: When an object was given up.
        overall: All objects, each counting the same.
        sources: The same for each source.
        click_ms: The server's time for a click on a cached image.
    """

    model_id: str
    provider: str
    images: int
    max_clicks: int
    overall: scores.Summary
    sources: dict[str, scores.Summary]
    click_ms: scores.Latency | None


def evaluate(
    client: Client,
    stills: Iterable[Still],
    *,
    max_clicks: int = 20,
    done: Callable[[], object] = lambda: None,
) -> Report:
    """Plays every target of every image; calls `done` after each.

    Raises:
        ValueError: There is nothing to play.
        SeemError: The server failed, or refused an image.
    """
    courses: list[scores.Course] = []
    times_ms: list[float] = []
    n_images = 0
    for still in stills:
        n_images += 1
        with client.open(still.path) as session:
            counted = _counted(still, session.size)
            for target in still.targets:
                played = play(session, rle.decode(target.rle), counted, max_clicks)
                times_ms += played.cached_click_ms
                if played.ious:  # else the target lies wholly in the ignored band
                    courses.append(scores.Course(still.source, played.ious))
                done()
    if not courses:
        raise ValueError("There is no object to evaluate.")
    model = client.model()
    return Report(
        model_id=model.model_id,
        provider=model.provider,
        images=n_images,
        max_clicks=max_clicks,
        overall=scores.summarise(courses, max_clicks),
        sources=scores.by_source(courses, max_clicks),
        click_ms=scores.latency(times_ms),
    )


def play(session: Session, wanted: Mask, counted: Mask, max_clicks: int) -> Play:
    """Clicks on one object, bool (H, W), until it is right or given up; forgets it after."""
    predicted = np.zeros_like(wanted)
    ious: list[float] = []
    times_ms: list[float] = []
    while len(ious) < max_clicks and (not ious or ious[-1] < scores.STOP_IOU):
        click = next_click(predicted, wanted, counted)
        if click is None:
            break
        prediction = session.click(click.x, click.y, positive=click.positive)
        if prediction.cache_hit:
            times_ms.append(prediction.timings.total_ms)
        predicted = prediction.mask
        ious.append(iou(predicted, wanted, counted))
    if ious:
        session.clear()
    return Play(tuple(ious), tuple(times_ms))


def _counted(still: Still, size: tuple[int, int]) -> Mask:
    if still.ignore is None:
        return np.ones(size, np.bool_)
    return ~rle.decode(still.ignore)
