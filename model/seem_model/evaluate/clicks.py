"""The click protocol: how many clicks an object needs until its mask is right.

All objects of a picture are clicked in the same rounds, each at most `MAX_CLICKS` times, until all
have an IoU over `ENOUGH` at the picture's own size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seem_model.evaluate.annotator import Annotator, iou
from seem_model.evaluate.datasets import DatasetInvalid, read_image
from seem_wire.pixels import shrink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from seem_model.evaluate.clicked_pictures import Clickable
    from seem_model.evaluate.predictor import Clicking, Predictor

    Mask = npt.NDArray[np.bool_]

MAX_CLICKS = 20
ENOUGH = 0.9
REPORTED_PERCENTS = (85, 90)


def evaluate(
    predictor: Predictor,
    pictures: Iterable[Clickable],
    *,
    max_clicks: int = MAX_CLICKS,
    done: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """How many clicks the objects need.

    NoC85 and so on: mean clicks until an IoU of 85 %; an object that never gets there counts
    `max_clicks`. failures85: how many don't. mIoU1: mean IoU after one click, in percent.

    Raises:
        DatasetInvalid: No picture has an object, or one can't be read.
    """
    courses: list[list[float]] = []
    for picture in pictures:
        wanted = picture.masks()
        if len(wanted):
            clicking = predictor.clicking(read_image(picture.path))
            courses += click_through(clicking, wanted, max_clicks)
        done()
    if not courses:
        raise DatasetInvalid("There is no object to click on.")
    results = {"objects": float(len(courses))}
    for percent in REPORTED_PERCENTS:
        counts = [clicks_until(course, percent / 100, max_clicks) for course in courses]
        reached = [max(course) >= percent / 100 for course in courses]
        results[f"NoC{percent}"] = float(np.mean(counts))
        results[f"failures{percent}"] = float(reached.count(False))
    results["mIoU1"] = 100 * float(np.mean([course[0] for course in courses]))
    return results


def click_through(clicking: Clicking, wanted: Mask, max_clicks: int) -> list[list[float]]:
    """The IoU of each of n objects (n, H, W) after each round."""
    frame = clicking.frame
    annotator = Annotator(np.stack([shrink(mask, frame) for mask in wanted]))
    courses: list[list[float]] = [[] for _ in wanted]
    for _ in range(max_clicks):
        answer = clicking.answer(annotator.positive, annotator.negative)
        for course, found, mask in zip(courses, answer.original, wanted, strict=True):
            course.append(iou(found, mask))
        if all(course[-1] > ENOUGH for course in courses):
            break
        annotator.correct(answer.network)
    return courses


def clicks_until(course: list[float], wanted_iou: float, max_clicks: int) -> int:
    """Rounds until an IoU is reached for the first time."""
    rounds = (number for number, reached in enumerate(course, 1) if reached >= wanted_iou)
    return next(rounds, max_clicks)
