"""COCO's average precision of instance masks, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_model.evaluate.coco import Dataset, Picture
    from seem_wire.segments import Instance

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl")


class InstanceScorer:
    """Gathers instances, and scores them when all are there."""

    def __init__(self, dataset: Dataset[Picture]) -> None:
        self._annotations = dataset.annotations
        self._dataset_ids = {one.label: one.dataset_id for one in dataset.categories}
        self._images: list[int] = []
        self._found: list[dict[str, Any]] = []

    def add(self, picture: Picture, predicted: Sequence[Instance]) -> None:
        """One picture's instances."""
        self._images.append(picture.id)
        self._found += [
            {
                "image_id": picture.id,
                "category_id": self._dataset_ids[one.label],
                "score": one.score,
                "segmentation": {"size": list(one.mask.size), "counts": one.mask.counts},
            }
            for one in predicted
        ]

    def results(self) -> dict[str, float]:
        """AP and its kin of the added pictures, in percent; NaN where there is nothing to find."""
        if not self._found:
            return dict.fromkeys(NAMES, 0.0)
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
            truth = COCO(str(self._annotations))
            scored = COCOeval(truth, truth.loadRes(self._found), "segm")
            scored.params.imgIds = sorted(self._images)
            scored.evaluate()
            scored.accumulate()
            scored.summarize()
        measured = scored.stats[: len(NAMES)]
        return {
            name: 100 * float(value) if value >= 0 else float("nan")
            for name, value in zip(NAMES, measured, strict=True)
        }
