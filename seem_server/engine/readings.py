"""Which of a network's answers is taken for what somebody meant.

A click on a wheel may mean the wheel, the car, or all that is parked there. A network that has
several readings of a prompt says of each how well it would fit. Where the prompt leaves open which
is meant, the answer is the one to expect most of, whichever is meant; where more was said, the
network's main answer has taken that up.

h, w mask logits · K readings · C joint space
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from seem_server.engine.packing import same_mask, selector
from seem_server.runtime.backend import Selector
from seem_wire.errors import Internal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from seem_server.engine.zoom import Window
    from seem_server.runtime.backend import Decoded
    from seem_wire.prompts import ObjectPrompt

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

SAME = 0.95
"""IoU above which two readings are one."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One thing that a prompt may have meant.

    logits: (h, w) float32. score: the network's estimate of the mask's IoU if it is this. semantic:
    (C,) float32, what it is. window: the part of the image that the logits show; None for all.
    """

    logits: Float32
    score: float
    semantic: Float32
    window: Window | None = None


def of_decoded(decoded: Decoded, window: Window | None = None) -> list[Reading]:
    """All readings of a decode's only object, the network's main one first; arrays of their own.

    `window`: what was looked at.

    Raises:
        Internal: The network gave a score that is no number.
    """
    mask, score = decoded.mask_logits[0].copy(), _share(decoded.iou[0])
    main = Reading(mask, score, decoded.semantic[0], window)
    others = decoded.hypotheses
    if others is None:
        return [main]
    each = zip(others.mask_logits[0], others.iou[0], others.semantic[0], strict=True)
    return [main, *(Reading(one.copy(), _share(iou), what, window) for one, iou, what in each)]


def presence_of(decoded: Decoded) -> float | None:
    """How likely a decode's only object is in the image; None where the network does not say.

    Raises:
        Internal: The network gave a presence that is no number.
    """
    return None if decoded.presence is None else _share(decoded.presence[0])


def is_ambiguous(prompt: ObjectPrompt, *, is_first: bool) -> bool:
    """Whether a prompt leaves open what is meant: one click on it, nothing before or besides."""
    clicked = [point.positive for point in prompt.points] == [True]
    return is_first and clicked and replace(prompt, points=()).is_empty


def order(scores: Sequence[float], masks: Sequence[Mask], *, ambiguous: bool) -> list[int]:
    """Where the readings are, the chosen one first and then best first; 0 is the main one.

    Chosen is, where it is open what is meant, the one to expect most of. Of equally good ones the
    earlier goes first.
    """
    places = range(len(scores))
    chosen = 0
    if ambiguous:
        worth = expected(masks, scores)
        chosen = max(places, key=lambda place: (worth[place], scores[place]))
    rest = (place for place in places if place != chosen)
    return [chosen, *sorted(rest, key=lambda place: -scores[place])]


def expected(masks: Sequence[Mask], scores: Sequence[float]) -> list[float]:
    """The IoU to expect of each mask if one of them is meant, each as likely as its score is high.

    So a reading that most others nearly agree with goes before one that stands alone (minimum
    Bayes risk, Kumar & Byrne 2004, section 2).
    """
    total = sum(scores)
    if not total:
        return list(scores)
    overlaps = [[_iou(one, other) for other in masks] for one in masks]
    return [
        sum(score * overlap for score, overlap in zip(scores, row, strict=True)) / total
        for row in overlaps
    ]


def distinct(masks: Iterable[Mask]) -> list[int]:
    """Where the masks are that are neither empty nor nearly the same as one before; always 0."""
    kept: dict[int, Mask] = {}
    for place, mask in enumerate(masks):
        if place and (not mask.any() or any(_iou(mask, one) > SAME for one in kept.values())):
            continue
        kept[place] = mask
    return list(kept)


def ranked(
    readings: Sequence[Reading], shown: tuple[int, int], threshold: float, *, ambiguous: bool
) -> list[Reading]:
    """The readings that differ, the chosen one first and then best first.

    `shown`: (rows, columns) of the logits that show the image; only there can they differ.
    """
    rows, columns = shown
    masks = [one.logits[:rows, :columns] > threshold for one in readings]
    scores = [one.score for one in readings]
    places = order(scores, masks, ambiguous=ambiguous)
    return [readings[places[kept]] for kept in distinct(masks[place] for place in places)]


def holds(before: ObjectPrompt, now: ObjectPrompt) -> bool:
    """Whether anything that was said before, for the object, is still said now.

    Marks stay until they are undone, but a box, a mask, a text or an example takes the place of the
    one before: if that was all, the mask it led to is of something else.
    """
    marks = (before.points, before.scribbles, before.lassos)
    stay = any(one.positive for several in marks for one in several)
    told = (before.box is not None and before.box == now.box) or (
        before.text is not None and before.text == now.text
    )
    return stay or told or same_mask(before.mask, now.mask) or _shown_again(before, now)


def _shown_again(before: ObjectPrompt, now: ObjectPrompt) -> bool:
    one, other = before.example, now.example
    if one is None or other is None:
        return False
    return one.image == other.image and same_mask(one, other)


def is_absent(prompt: ObjectPrompt, presence: float | None, threshold: float | None) -> bool:
    """Whether an object is taken not to be in the image.

    Nobody's mark is doubted: only an object that was named, or shown in another image, can be
    absent.
    """
    if presence is None or threshold is None or selector(prompt) is Selector.MARKS:
        return False
    return presence < threshold


def _share(said: np.float32) -> float:
    share = float(said)
    if not math.isfinite(share):
        raise Internal("The network answered with a score that is no number.")
    return min(max(share, 0.0), 1.0)


def _iou(one: Mask, other: Mask) -> float:
    union = int(np.count_nonzero(one | other))
    return int(np.count_nonzero(one & other)) / union if union else 1.0
