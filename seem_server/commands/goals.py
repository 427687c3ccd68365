"""The goals that the figures are held against, and the holding."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from seem_server.commands.scores import Mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Bound(StrEnum):
    """On which side of its goal a figure has to be."""

    LEAST = "≥"
    MOST = "≤"
    ABOVE = ">"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and what it has to reach; `limit` is None where it is only told.

    key: names it in JSON. digits: how many are shown behind the point.
    """

    key: str
    meaning: str
    bound: Bound = Bound.LEAST
    limit: float | None = None
    unit: str = ""
    digits: int = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its standard error, where it has one, and what is to be seen beside it."""

    value: float
    standard_error: float | None = None
    beside: str = ""

    @classmethod
    def of(cls, mean: Mean, beside: str = "") -> Measured:
        """A mean of the benchmarks."""
        return cls(mean.mean, mean.standard_error, beside)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was measured; `met` is None where nothing was, or nothing is asked."""

    goal: Goal
    measured: Measured | None
    met: bool | None


GOALS = (
    Goal("iou_1", "IoU after 1 click", limit=0.75),
    Goal("iou_3", "IoU after 3 clicks", limit=0.85),
    Goal("iou_5", "IoU after 5 clicks"),
    Goal("noc_85", "clicks to IoU 0.85 (NoC@85)", Bound.MOST, 4.0, digits=2),
    Goal("noc_90", "clicks to IoU 0.90 (NoC@90)", Bound.MOST, 6.5, digits=2),
    Goal("failures_85", "never at IoU 0.85 in 20 clicks", Bound.MOST, 8.0, "%", 1),
    Goal("jitter_loss", "IoU lost by jittered clicks, most of 1/3/5", Bound.MOST, 0.03),
    Goal("box", "IoU after a box", limit=0.82),
    Goal("scribble", "IoU after a scribble", limit=0.80),
    Goal("lasso", "IoU after a lasso"),
    Goal("mask", "IoU after a rough mask"),
    Goal("mixed", "IoU after 3 mixed prompts"),
    Goal("best_hypothesis", "IoU of the best hypothesis of 1 click"),
    Goal("best_chosen", "best hypothesis chosen", unit="%", digits=1),
    Goal("example", "IoU by an example", limit=0.50),
    Goal("text", "IoU by words", limit=0.40),
    Goal("synonym_cost", "IoU lost by a word never seen", Bound.MOST, 0.05),
    Goal("absent_answered", "absent things called absent", Bound.LEAST, 80.0, "%", 1),
    Goal("false_absence", "present things called absent", Bound.MOST, 10.0, "%", 1),
    Goal("presence_auc", "ROC AUC of presence"),
    Goal("gain_over_words", "IoU of words and click over words", Bound.ABOVE, 0.0),
    Goal("gain_over_click", "IoU of words and click over click", Bound.ABOVE, 0.0),
    Goal("score_calibration", "calibration error of the score, prompts", Bound.MOST),
    Goal("presence_calibration", "calibration error of presence", Bound.MOST),
    Goal("bundle_mb", "size of the bundle", Bound.MOST, 60.0, "MB", 1),
    Goal("encode_ms", "encoding a new image, p50", Bound.MOST, 250.0, "ms", 1),
    Goal("click_ms", "click on a cached image, p50", Bound.MOST, 15.0, "ms", 1),
)
"""What the default bundle has to reach on dev/, from the design: speed and click times are its
section 9 (two CPU cores, one megapixel), the rest are what this version set out to reach."""


def judge(measured: Mapping[str, Measured]) -> tuple[Verdict, ...]:
    """Holds figures, by their goals' keys, against GOALS; means count without their errors.

    Raises:
        KeyError: A figure belongs to no goal.
    """
    unknown = set(measured) - {goal.key for goal in GOALS}
    if unknown:
        raise KeyError(f"No goal is called {sorted(unknown)}.")
    return tuple(judged(goal, measured.get(goal.key)) for goal in GOALS)


def as_lines(verdicts: Iterable[Verdict]) -> list[str]:
    """A table in Markdown, which reads as one in a terminal too."""
    lines = [_line("figure", "measured", "goal", "met", "beside"), _line(*["---"] * 5)]
    for one in verdicts:
        goal = one.goal
        wanted = "" if goal.limit is None else f"{goal.bound} {goal.limit:g} {goal.unit}".rstrip()
        met = {True: "met", False: "not met", None: ""}[one.met]
        if one.measured is None:
            lines.append(_line(goal.meaning, "not measured", wanted, met, ""))
        else:
            shown = Mean(one.measured.value, one.measured.standard_error).shown(goal.digits)
            lines.append(
                _line(goal.meaning, f"{shown} {goal.unit}", wanted, met, one.measured.beside)
            )
    return lines


def judged(goal: Goal, measured: Measured | None) -> Verdict:
    """Holds a figure against its goal."""
    if measured is None or goal.limit is None:
        return Verdict(goal, measured, None)
    met = {
        Bound.LEAST: measured.value >= goal.limit,
        Bound.MOST: measured.value <= goal.limit,
        Bound.ABOVE: measured.value > goal.limit,
    }
    return Verdict(goal, measured, met[goal.bound])


def _line(figure: str, measured: str, goal: str, met: str, beside: str) -> str:
    return f"| {figure:<42} | {measured:<17} | {goal:<9} | {met:<7} | {beside} |"
