"""Mean IoU of a semantic map, over all pictures at once.

H, W the picture · K labels
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torchmetrics.classification import MulticlassConfusionMatrix

from seem_model.evaluate.coco import IGNORED

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_model.evaluate.coco import PanopticPicture

    Int32 = npt.NDArray[np.int32]


class SemanticScorer:
    """Sums up pictures; pixels of the label IGNORED don't count."""

    def __init__(self, n_labels: int) -> None:
        self._table = MulticlassConfusionMatrix(n_labels, ignore_index=IGNORED)

    def add(self, picture: PanopticPicture, predicted: Int32) -> None:
        """One picture's truth and predicted labels (H, W)."""
        self.count(picture.read_labels(), predicted)

    def count(self, true: Int32, predicted: Int32) -> None:
        """The same, of true labels (H, W)."""
        self._table.update(torch.from_numpy(predicted).long(), torch.from_numpy(true).long())

    def results(self) -> dict[str, float]:
        """In percent: mIoU and mACC over the labels that occur; pACC, the share of right pixels."""
        table = self._table.compute().double().numpy()  # (K, K): true by predicted
        right, true, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
        seen = true > 0
        if not seen.any():
            return dict.fromkeys(("mIoU", "mACC", "pACC"), 0.0)
        union = (true + predicted - right)[seen]
        return {
            "mIoU": 100 * float((right[seen] / union).mean()),
            "mACC": 100 * float((right[seen] / true[seen]).mean()),
            "pACC": 100 * float(right.sum() / true.sum()),
        }
