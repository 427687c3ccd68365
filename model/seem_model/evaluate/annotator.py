"""The simulated annotator of the published click protocol.

It works on maps of the network's input, not of the picture. The first click is the middle of the
object. Every later one is the middle of what is missed or of what is false, whichever has more
pixels (of equals: false); what was clicked before counts as neither. A click is a dot of 3 x 3
pixels, and all dots of a sign stay. An object that is nearly right gets no further click.

The middle is the pixel that is farthest from everything else, and from the input's edge, by SciPy's
Euclidean distance; the published program took an approximate one, so it may click other pixels.

n objects · H, W the network's input
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

CONTENT_IOU = 0.925
"""From this IoU on, as the network sees it, an object gets no further click."""

REACH = 1  # pixels of a dot beyond its middle


class Annotator:
    """Clicks on n objects, whose masks `wanted` (n, H, W) each have a pixel."""

    def __init__(self, wanted: Mask) -> None:
        self.wanted = wanted
        self.positive = np.zeros_like(wanted)
        self.negative = np.zeros_like(wanted)
        for of_object, mask in zip(self.positive, wanted, strict=True):
            _click(of_object, mask)

    def correct(self, predicted: Mask) -> None:
        """One more click for each object that needs it, given its mask (n, H, W)."""
        for i, (wanted, found) in enumerate(zip(self.wanted, predicted, strict=True)):
            if iou(found, wanted) >= CONTENT_IOU:
                continue
            fresh = ~(self.positive[i] | self.negative[i])
            missed, false = wanted & ~found & fresh, found & ~wanted & fresh
            if np.count_nonzero(missed) > np.count_nonzero(false):
                _click(self.positive[i], missed)
            elif false.any():
                _click(self.negative[i], false)


def iou(found: Mask, wanted: Mask) -> float:
    """Intersection over union; 1 where both are empty."""
    union = np.count_nonzero(found | wanted)
    return np.count_nonzero(found & wanted) / union if union else 1.0


def middle(region: Mask) -> tuple[int, int]:
    """(row, column) of the region's pixel farthest from its edge, the first of equals."""
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    top, left = int(rows[0]), int(columns[0])
    window = region[top : rows[-1] + 1, left : columns[-1] + 1]
    distance = ndimage.distance_transform_edt(np.pad(window, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(distance)), distance.shape)
    return top + int(row), left + int(column)


def _click(clicked: Mask, region: Mask) -> None:
    row, column = middle(region)
    top, left = max(0, row - REACH), max(0, column - REACH)
    clicked[top : row + REACH + 1, left : column + REACH + 1] = True
