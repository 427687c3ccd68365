"""Panoptic quality, as COCO counts it.

A true and a predicted segment of one label match where their IoU is over a half, of which there is
at most one pair. COCO adds two rules: pixels without a true segment are left out of a union, and an
unmatched prediction is forgiven that lies, by more than half, on such pixels or on a crowd of its
label; crowds themselves are never matched and never missed.

Of kept-up libraries, torchmetrics has the measure but neither knows crowds nor counts unlabelled
predictions as COCO does, and takes seconds a picture; the official code is on no package index. So
it is counted here, and tested against torchmetrics where the rules agree.

Source: Kirillov et al. 2019, Panoptic Segmentation, section 4.

T true segments · P predicted segments · K labels
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

    from seem_model.evaluate.coco import PanopticPicture, TruthSegment
    from seem_wire.segments import Panoptic

    Ints = npt.NDArray[np.int64]
    Int32 = npt.NDArray[np.int32]
    Floats = npt.NDArray[np.float64]

MATCH = 0.5


class PanopticScorer:
    """Sums up pictures; all labels are below `n_labels`, and `things` are among them."""

    def __init__(self, n_labels: int, things: Collection[int]) -> None:
        self._things = np.isin(np.arange(n_labels), sorted(things))
        self._iou = np.zeros(n_labels)
        self._true = np.zeros(n_labels, np.int64)
        self._false = np.zeros(n_labels, np.int64)
        self._missed = np.zeros(n_labels, np.int64)

    def add(self, picture: PanopticPicture, predicted: Panoptic) -> None:
        """One picture's truth and prediction."""
        self.count(picture.read_ids(), picture.segments, predicted)

    def count(self, true_ids: Int32, truth: Sequence[TruthSegment], predicted: Panoptic) -> None:
        """The same, of true segment ids (H, W)."""
        shared = _shared_pixels(
            _places(true_ids, [one.id for one in truth]),
            _places(predicted.ids, [one.id for one in predicted.segments]),
            (len(truth), len(predicted.segments)),
        )  # (T + 1, P + 1); the first row and column are pixels without a segment
        true_labels = np.array([one.label for one in truth], np.int64)
        labels = np.array([one.label for one in predicted.segments], np.int64)
        crowd = np.array([one.is_crowd for one in truth], np.bool_)
        same = true_labels[:, None] == labels  # (T, P)
        areas = shared.sum(axis=0)[1:]
        both, on_nothing = shared[1:, 1:], shared[0, 1:]
        union = shared.sum(axis=1)[1:, None] + areas - on_nothing - both
        iou = np.where(same & ~crowd[:, None], both / np.maximum(union, 1), 0.0)
        matched = iou > MATCH
        forgiven = on_nothing + (both * (same & crowd[:, None])).sum(axis=0) > MATCH * areas
        np.add.at(self._iou, labels, (iou * matched).sum(axis=0))
        np.add.at(self._true, labels, matched.sum(axis=0))
        np.add.at(self._false, labels, ~matched.any(axis=0) & ~forgiven)
        np.add.at(self._missed, true_labels, ~matched.any(axis=1) & ~crowd)

    def results(self) -> dict[str, float]:
        """PQ, SQ, RQ in percent: means over the labels that occur, then of things and of stuff."""
        every = np.ones_like(self._things)
        kinds = {"": every, "_th": self._things, "_st": ~self._things}
        return {
            f"{name}{kind}": value
            for kind, which in kinds.items()
            for name, value in self._means(which).items()
        }

    def _means(self, which: npt.NDArray[np.bool_]) -> dict[str, float]:
        weight = self._true + 0.5 * (self._false + self._missed)
        seen = which & (weight > 0)
        if not seen.any():
            return dict.fromkeys(("PQ", "SQ", "RQ"), 0.0)
        iou, true, weight = self._iou[seen], self._true[seen], weight[seen]
        return {
            "PQ": _percent(iou / weight),
            "SQ": _percent(iou / np.maximum(true, 1)),
            "RQ": _percent(true / weight),
        }


def _places(ids: Int32, listed: Sequence[int]) -> Ints:
    """Each pixel's place among the listed ids, from 1 on; 0 where it has none of them."""
    order = np.argsort(listed)
    ordered = np.asarray(listed, np.int64)[order]
    if not len(ordered):
        return np.zeros(ids.shape, np.int64)
    found = np.minimum(np.searchsorted(ordered, ids), len(ordered) - 1)
    return np.where(ordered[found] == ids, order[found] + 1, 0)


def _shared_pixels(true: Ints, predicted: Ints, counts: tuple[int, int]) -> Ints:
    n_true, n_predicted = counts
    pairs = true * (n_predicted + 1) + predicted
    table = np.bincount(pairs.ravel(), minlength=(n_true + 1) * (n_predicted + 1))
    return table.reshape(n_true + 1, n_predicted + 1)


def _percent(values: Floats) -> float:
    return 100 * float(values.mean())
