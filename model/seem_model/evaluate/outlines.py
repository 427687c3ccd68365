"""COCO's ways to write a mask down: polygons, run lengths compressed or listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_masks

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]


def draw(segmentation: Any, size: tuple[int, int]) -> Mask:
    """The mask (H, W) of a COCO `segmentation`.

    Raises:
        TypeError: It is neither polygons nor run lengths.
        ValueError: It is of another size, or no polygon.
    """
    height, width = size
    if isinstance(segmentation, list):
        if not segmentation:
            return np.zeros(size, np.bool_)
        runs = coco_masks.merge(coco_masks.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), list):
        runs = coco_masks.frPyObjects(segmentation, height, width)
    elif isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), str):
        runs = segmentation
    else:
        raise TypeError("a segmentation is neither polygons nor run lengths")
    mask: Mask = coco_masks.decode(runs).astype(np.bool_)
    if mask.shape != size:
        raise ValueError(f"a mask of {mask.shape} lies on an image of {size} pixels")
    return mask
