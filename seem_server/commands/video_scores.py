"""How well masks follow an object: J and F as the DAVIS benchmarks define them.

J is the intersection over union of the regions, 1 where both are empty. F is the harmonic mean of
the precision and recall of the boundary, where a boundary pixel counts as found if the other mask
has one within a disk of BOUNDARY_TOLERANCE of the image's diagonal, rounded up to whole pixels
(Perazzi et al. 2016, Pont-Tuset et al. 2017). A mask's boundary are the pixels that differ from the
pixel to the right, below, or below to the right; the last row knows no below and the last column
no right. A mask without boundary has nothing that is wrong (precision 1), and misses all of the
other's (recall 0).

An object's course is scored as the public evaluation of the semi-supervised task does it: neither
on the first frame, whose mask is given, nor on the last (`all_gt_masks[:, 1:-1]` there). Its mean
is over frames; its recall the share of them above 0.5; its decay how much less the last quarter of
them has than the first. Figures are means over objects, whatever sequence they are of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]

BOUNDARY_TOLERANCE = 0.008
RECALLED = 0.5
_QUARTERS = 4


@dataclass(frozen=True, slots=True)
class FrameScore:
    """J and F of one object in one frame."""

    region: float
    boundary: float

    @property
    def both(self) -> float:
        """The mean of both, J&F."""
        return (self.region + self.boundary) / 2


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean, recall and decay of a course of scores."""

    mean: float
    recall: float
    decay: float

    @classmethod
    def of(cls, scores: Sequence[float]) -> Statistics:
        """What at least one score comes to, frame by frame."""
        values = np.asarray(scores, np.float64)
        # Quarters share the frame where they meet.
        bounds = np.floor(np.linspace(0, len(values) - 1, _QUARTERS + 1) + 0.5 + 1e-10).astype(int)
        first, last = values[: bounds[1] + 1], values[bounds[-2] :]
        return cls(
            mean=float(values.mean()),
            recall=float((values > RECALLED).mean()),
            decay=float(first.mean() - last.mean()),
        )


@dataclass(frozen=True, slots=True)
class VideoScore:
    """J and F over the frames of an object, or the means of these over objects."""

    region: Statistics
    boundary: Statistics

    @classmethod
    def of(cls, frames: Sequence[FrameScore]) -> VideoScore:
        """What at least one scored frame comes to."""
        return cls(
            Statistics.of([one.region for one in frames]),
            Statistics.of([one.boundary for one in frames]),
        )

    @classmethod
    def mean_of(cls, objects: Sequence[VideoScore]) -> VideoScore:
        """The means over at least one object."""
        return cls(
            _mean([one.region for one in objects]),
            _mean([one.boundary for one in objects]),
        )

    @property
    def both(self) -> float:
        """The mean of J and F, J&F."""
        return (self.region.mean + self.boundary.mean) / 2


def scored(n_frames: int) -> range:
    """The frames that count of a sequence: all but the first and the last."""
    return range(1, n_frames - 1)


def frame_score(predicted: Mask, wanted: Mask, void: Mask | None = None) -> FrameScore:
    """J and F of a mask, bool (H, W), where `void` pixels count as neither."""
    return FrameScore(
        region_similarity(predicted, wanted, void), boundary_accuracy(predicted, wanted, void)
    )


def region_similarity(predicted: Mask, wanted: Mask, void: Mask | None = None) -> float:
    """J: intersection over union, 1 where both are empty."""
    counted = np.True_ if void is None else ~void
    union = int(np.count_nonzero((predicted | wanted) & counted))
    return int(np.count_nonzero(predicted & wanted & counted)) / union if union else 1.0


def boundary_accuracy(predicted: Mask, wanted: Mask, void: Mask | None = None) -> float:
    """F: how well the boundaries meet, 0 to 1."""
    if void is not None:
        predicted, wanted = predicted & ~void, wanted & ~void
    reach = math.ceil(BOUNDARY_TOLERANCE * math.hypot(*wanted.shape))
    found, true = boundary(predicted), boundary(wanted)
    n_found, n_true = int(np.count_nonzero(found)), int(np.count_nonzero(true))
    if not (n_found and n_true):
        return float(n_found == n_true)
    precision = _n_near(found, true, reach) / n_found
    recall = _n_near(true, found, reach) / n_true
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: Mask) -> Mask:
    """The pixels, bool (H, W), that differ from one to the right, below, or diagonally below."""
    edge = np.zeros_like(mask)
    right, below = mask[:, :-1] ^ mask[:, 1:], mask[:-1] ^ mask[1:]
    edge[:, :-1] |= right
    edge[:-1] |= below
    edge[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edge


def _n_near(these: Mask, others: Mask, reach: int) -> int:
    """How many of `these` pixels have one of the `others` within `reach`, as a disk.

    Looks at the disk's places from the middle outward, and at each only for the pixels that have
    found none so far: boundaries mostly run close together, and are few pixels.
    """
    padded = np.pad(others, reach)
    width = padded.shape[1]
    flat = padded.ravel()
    rows, columns = np.nonzero(these)
    left: Ints = (rows + reach) * width + columns + reach
    total = len(left)
    for step in _disk(reach, width):
        left = left[~flat[left + step]]
        if not len(left):
            break
    return total - len(left)


def _disk(reach: int, width: int) -> Ints:
    """The places of a disk as steps in a row-major image, from the middle outward."""
    along = np.arange(-reach, reach + 1)
    distance = along[:, None] ** 2 + along[None, :] ** 2
    steps = along[:, None] * width + along[None, :]
    within = distance <= reach**2
    return steps[within][np.argsort(distance[within], kind="stable")].astype(np.int64)


def _mean(some: Sequence[Statistics]) -> Statistics:
    mean, recall, decay = np.mean([(one.mean, one.recall, one.decay) for one in some], axis=0)
    return Statistics(float(mean), float(recall), float(decay))
