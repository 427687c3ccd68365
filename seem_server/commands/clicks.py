"""The annotator of the interactive benchmark: where a person would click next.

The largest region that is wrong gets a click at its centre, the pixel farthest from the region's
edge (and from the image's edge); a missed part is clicked as positive, a false part as negative.
This is the usual protocol (Xu et al. 2016, Sofiiuk et al. 2022), with the largest region chosen by
the area of connected components, 8-connected, and a missed part before a false one of equal area.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_wire.prompts import Point

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

_EIGHT_NEIGHBOURS = np.ones((3, 3), np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """A connected region: its pixels, bool, within the window that begins at (top, left)."""

    pixels: Mask
    top: int
    left: int
    area: int


def next_click(predicted: Mask, wanted: Mask, counted: Mask) -> Point | None:
    """The click that would help most, in pixels of the image; None where nothing is wrong.

    All are (H, W) of the image; only `counted` pixels are looked at.
    """
    missed = _largest_region(wanted & ~predicted & counted)
    false = _largest_region(predicted & ~wanted & counted)
    worst = missed if missed.area >= false.area else false
    if not worst.area:
        return None
    x, y = _centre(worst)
    return Point(x, y, positive=worst is missed)


def iou(predicted: Mask, wanted: Mask, counted: Mask) -> float:
    """Intersection over union of the `counted` pixels, 1 where both are empty."""
    union = int(np.count_nonzero((predicted | wanted) & counted))
    return int(np.count_nonzero(predicted & wanted & counted)) / union if union else 1.0


def _largest_region(mask: Mask) -> _Region:
    from scipy import ndimage  # noqa: PLC0415 - half a second to import: only evaluating needs it

    label, count = ndimage.label(mask, _EIGHT_NEIGHBOURS)
    if not count:
        return _Region(mask[:0], 0, 0, 0)
    areas = np.bincount(label.ravel())[1:]
    winner = int(np.argmax(areas))
    window = ndimage.find_objects(label)[winner]
    rows, columns = window
    return _Region(label[window] == winner + 1, rows.start, columns.start, int(areas[winner]))


def _centre(region: _Region) -> tuple[float, float]:
    """The centre of the pixel farthest from everything outside the region, the first of equals."""
    from scipy import ndimage  # noqa: PLC0415 - as above

    # A window's edge is a region's edge or the image's: a rim of zeros makes both count.
    distance = ndimage.distance_transform_edt(np.pad(region.pixels, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(distance)), distance.shape)
    return region.left + float(column) + 0.5, region.top + float(row) + 0.5
