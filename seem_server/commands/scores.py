"""The numbers of the interactive benchmark: what a course of clicks comes to, and many courses.

An object's course ends early once its IoU reaches STOP_IOU or nothing is wrong any more; its last
IoU then stands for the clicks that were not needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STOP_IOU = 0.95
REPORTED_CLICKS = (1, 3, 5, 10)
REPORTED_PERCENTS = (80, 85, 90)
CORRECTED_PROMPTS = (1, 3, 5)
"""After how many prompts a course that begins with another prompt than a click is looked at."""


@dataclass(frozen=True, slots=True)
class Course:
    """One object's IoU after each click or other prompt, 1 first.

    `scores` is what the model itself thought its IoU to be, each time; `annotation_id` names the
    object.
    """

    source: str
    ious: tuple[float, ...]
    scores: tuple[float, ...] = ()
    annotation_id: int = 0

    def iou_after(self, clicks: int) -> float:
        """The IoU after so many clicks."""
        return self.ious[min(clicks, len(self.ious)) - 1]

    def clicks_to(self, percent: int) -> int | None:
        """How many clicks it took to an IoU of `percent` %; None where it never got there."""
        reached = (n for n, iou in enumerate(self.ious, 1) if iou >= percent / 100)
        return next(reached, None)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its standard error (objects taken as independent), None for fewer than two."""

    mean: float
    standard_error: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """The mean of at least one value."""
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
        return cls(float(np.mean(values)), error)

    def shown(self, digits: int) -> str:
        """For a table: the mean and, where there is one, its error."""
        if self.standard_error is None:
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} ± {self.standard_error:.{digits}f}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over `count` values, and over those of each source, in alphabetical order."""

    count: int
    overall: Mean
    sources: dict[str, Mean]

    @classmethod
    def of(cls, values: Sequence[tuple[str, float]]) -> Figure | None:
        """What some (source, value) come to; None where there are none."""
        if not values:
            return None
        groups: dict[str, list[float]] = {}
        for source, value in values:
            groups.setdefault(source, []).append(value)
        sources = {source: Mean.of(groups[source]) for source in sorted(groups)}
        return cls(len(values), Mean.of([value for _, value in values]), sources)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a set of courses comes to.

    Attributes:
        objects: How many courses.
        iou: Mean IoU after each of REPORTED_CLICKS.
        noc: Mean number of clicks to each of REPORTED_PERCENTS; `max_clicks` for a failure.
        failures: How many objects never got to each of REPORTED_PERCENTS.
    """

    objects: int
    iou: dict[int, Mean]
    noc: dict[int, Mean]
    failures: dict[int, int]


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the server took for `count` clicks, in milliseconds."""

    count: int
    p50: float
    p95: float


def summarise(courses: Sequence[Course], max_clicks: int) -> Summary:
    """What at least one course comes to."""
    clicks = {percent: [c.clicks_to(percent) for c in courses] for percent in REPORTED_PERCENTS}
    return Summary(
        objects=len(courses),
        iou={n: Mean.of([c.iou_after(n) for c in courses]) for n in REPORTED_CLICKS},
        noc={
            percent: Mean.of([max_clicks if n is None else n for n in counts])
            for percent, counts in clicks.items()
        },
        failures={percent: counts.count(None) for percent, counts in clicks.items()},
    )


def iou_after(courses: Sequence[Course]) -> dict[int, Figure]:
    """Mean IoU after each of CORRECTED_PROMPTS, of at least one course."""
    figures = {
        n: Figure.of([(course.source, course.iou_after(n)) for course in courses])
        for n in CORRECTED_PROMPTS
    }
    return {n: figure for n, figure in figures.items() if figure is not None}


def lost_iou(exact: Sequence[Course], other: Sequence[Course]) -> dict[int, Figure]:
    """How much IoU the `other` courses lose, object by object, after each of CORRECTED_PROMPTS."""
    best = {course.annotation_id: course for course in exact}
    pairs = [(best[one.annotation_id], one) for one in other if one.annotation_id in best]
    figures = {
        n: Figure.of([(one.source, first.iou_after(n) - one.iou_after(n)) for first, one in pairs])
        for n in CORRECTED_PROMPTS
    }
    return {n: figure for n, figure in figures.items() if figure is not None}


def beliefs(courses: Iterable[Course]) -> list[tuple[float, float]]:
    """(what the model thought its IoU to be, what it was) after each of CORRECTED_PROMPTS said."""
    return [
        (course.scores[n - 1], course.ious[n - 1])
        for course in courses
        for n in CORRECTED_PROMPTS
        if n <= min(len(course.ious), len(course.scores))
    ]


def by_source(courses: Iterable[Course], max_clicks: int) -> dict[str, Summary]:
    """A summary for each source, in alphabetical order."""
    groups: dict[str, list[Course]] = {}
    for course in courses:
        groups.setdefault(course.source, []).append(course)
    return {source: summarise(groups[source], max_clicks) for source in sorted(groups)}


def latency(times_ms: Sequence[float]) -> Latency | None:
    """Percentiles of some times; None where there are none."""
    if not times_ms:
        return None
    p50, p95 = np.percentile(times_ms, [50, 95])
    return Latency(len(times_ms), float(p50), float(p95))
