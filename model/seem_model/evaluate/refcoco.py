"""The referring protocol: one mask for one sentence.

cIoU sums intersections and unions over all references before it divides, mIoU is the mean over
references, AP50 the share of them with an IoU of at least a half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seem_model.evaluate.datasets import DatasetInvalid, read_image, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from seem_model.evaluate.predictor import Predictor
    from seem_model.evaluate.referring import ReferredPicture

HALF = 0.5


def evaluate(
    predictor: Predictor,
    pictures: Iterable[ReferredPicture],
    *,
    done: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """cIoU, mIoU and AP50 in percent, and how many references there were.

    Raises:
        DatasetInvalid: There is none, or a picture can't be read.
    """
    shared: list[int] = []
    union: list[int] = []
    for picture in pictures:
        image = read_image(picture.path)
        found = predictor.refer(image, [one.sentence for one in picture.references])
        for one, mask in zip(picture.references, found, strict=True):
            with reading(picture.path):
                wanted = one.draw((image.shape[0], image.shape[1]))
            shared.append(int(np.count_nonzero(mask & wanted)))
            union.append(int(np.count_nonzero(mask | wanted)))
        done()
    if not shared:
        raise DatasetInvalid("Nothing is referred to.")
    iou = np.array(shared) / np.maximum(np.array(union), 1)
    return {
        "references": float(len(iou)),
        "cIoU": 100 * sum(shared) / max(sum(union), 1),
        "mIoU": 100 * float(iou.mean()),
        "AP50": 100 * float((iou >= HALF).mean()),
    }
