"""The simulated annotators: what each says first about an object, and how it corrects.

All correct as `clicks` says, with the click that would help most. `mixed` opens each object in
another way and lets a stroke through the largest wrong region take every second correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from seem_server.commands import gestures
from seem_server.commands.clicks import jittered_click, next_click, worst_part
from seem_wire.prompts import Box, Lasso, MaskPrompt, Point, Scribble

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from seem_client import Prediction, Session

    Mask = npt.NDArray[np.bool_]

Gesture = Point | Box | Scribble | Lasso | MaskPrompt


class Way(StrEnum):
    """How an annotator begins, and goes on."""

    CLICKS = "clicks"
    BOX = "box"
    SCRIBBLE = "scribble"
    LASSO = "lasso"
    MASK = "mask"
    JITTERED = "jittered-clicks"
    MIXED = "mixed"


IN_TURN = (Way.CLICKS, Way.BOX, Way.SCRIBBLE, Way.LASSO, Way.MASK)
"""How `mixed` begins: the annotation's id, modulo how many these are, chooses."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One object to be cut out.

    Attributes:
        wanted: The object, bool (H, W) of the image.
        counted: The pixels that are scored, of the same shape.
        seed: What an annotator's chance begins from: the annotation's id.
    """

    wanted: Mask
    counted: Mask
    seed: int

    @property
    def visible(self) -> Mask:
        """The part of the object that is scored."""
        return self.wanted & self.counted


def annotator(way: Way, task: Task) -> Callable[[Mask, int], Gesture | None]:
    """What is said next, given the mask that stands, (H, W), and how often something was said.

    None where nothing is wrong any more. The object must have a pixel that counts.
    """
    chance = np.random.default_rng(task.seed)

    def says(predicted: Mask, said: int) -> Gesture | None:
        opening = IN_TURN[task.seed % len(IN_TURN)] if way is Way.MIXED else way
        if said == 0 and opening not in {Way.CLICKS, Way.JITTERED}:
            return _opening(opening, task)
        if way is Way.JITTERED:
            return jittered_click(predicted, task.wanted, task.counted, chance)
        if way is Way.MIXED and said % 2 == 0 and said > 0:
            return _stroke_through_worst(predicted, task)
        return next_click(predicted, task.wanted, task.counted)

    return says


def say(session: Session, gesture: Gesture) -> Prediction:
    """Tells the session, about its object 1."""
    match gesture:
        case Point():
            return session.click(gesture.x, gesture.y, positive=gesture.positive)
        case Box():
            return session.box(gesture.x0, gesture.y0, gesture.x1, gesture.y1)
        case Scribble():
            return session.scribble(gesture.points, positive=gesture.positive)
        case Lasso():
            return session.lasso(gesture.points, positive=gesture.positive)
        case MaskPrompt():
            return session.mask(gesture.mask)


def _opening(way: Way, task: Task) -> Gesture:
    match way:
        case Way.BOX:
            return gestures.tight_box(task.visible)
        case Way.SCRIBBLE:
            return gestures.stroke(task.visible, task.seed)
        case Way.LASSO:
            return gestures.lasso(task.visible)
        case Way.MASK:
            return gestures.rough_mask(task.visible, task.seed)
        case _:
            raise ValueError(f"{way} opens with a click.")


def _stroke_through_worst(predicted: Mask, task: Task) -> Scribble | None:
    worst = worst_part(predicted, task.wanted, task.counted)
    if worst is None:
        return None
    return gestures.stroke(worst.mask, task.seed, positive=worst.missed)
