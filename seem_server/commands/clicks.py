"""The annotator of the interactive benchmark: where a person would click next.

The largest region that is wrong gets a click at its centre, the pixel farthest from the region's
edge (and from the image's edge); a missed part is clicked as positive, a false part as negative.
This is the usual protocol (Xu et al. 2016, Sofiiuk et al. 2022), with the largest region chosen by
the area of connected components, 8-connected, and a missed part before a false one of equal area.

A hand is not that exact: `jittered_click` clicks at another pixel of the same region.
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


JITTER = 0.15
"""Standard deviation of a hand's misplacement along x, and along y, as a share of the width, and of
the height, of the box around the region that is meant."""


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """A connected region: its pixels, bool, within the window that begins at (top, left)."""

    pixels: Mask
    top: int
    left: int
    area: int


@dataclass(frozen=True, slots=True, eq=False)
class WrongPart:
    """A region that is wrong, bool (H, W) of the image: missed, or marked though it is not it."""

    mask: Mask
    missed: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Worst:
    region: _Region
    missed: bool


def next_click(predicted: Mask, wanted: Mask, counted: Mask) -> Point | None:
    """The click that would help most, in pixels of the image; None where nothing is wrong.

    All are (H, W) of the image; only `counted` pixels are looked at.
    """
    worst = _worst_region(predicted, wanted, counted)
    if worst is None:
        return None
    x, y = _centre(worst.region)
    return Point(x, y, positive=worst.missed)


def jittered_click(
    predicted: Mask, wanted: Mask, counted: Mask, chance: np.random.Generator
) -> Point | None:
    """The same click, misplaced within its region: by a normal error of JITTER, cut off there.

    A pixel of the region is clicked with a probability in proportion to the normal density of its
    offset from where the exact click goes; one number is drawn from `chance`.
    """
    worst = _worst_region(predicted, wanted, counted)
    if worst is None:
        return None
    region = worst.region
    centre_x, centre_y = _centre(region)
    rows, columns = np.nonzero(region.pixels)
    height, width = region.pixels.shape
    xs, ys = region.left + columns + 0.5, region.top + rows + 0.5
    off = ((xs - centre_x) / (JITTER * width)) ** 2 + ((ys - centre_y) / (JITTER * height)) ** 2
    upto = np.cumsum(np.exp(-off / 2))
    hit = int(np.searchsorted(upto, chance.random() * upto[-1], side="right"))
    hit = min(hit, len(xs) - 1)
    return Point(float(xs[hit]), float(ys[hit]), positive=worst.missed)


def worst_part(predicted: Mask, wanted: Mask, counted: Mask) -> WrongPart | None:
    """The region that the next click is about; None where nothing is wrong."""
    worst = _worst_region(predicted, wanted, counted)
    if worst is None:
        return None
    region = worst.region
    height, width = region.pixels.shape
    mask = np.zeros_like(wanted)
    mask[region.top : region.top + height, region.left : region.left + width] = region.pixels
    return WrongPart(mask, missed=worst.missed)


def iou(predicted: Mask, wanted: Mask, counted: Mask) -> float:
    """Intersection over union of the `counted` pixels, 1 where both are empty."""
    union = int(np.count_nonzero((predicted | wanted) & counted))
    return int(np.count_nonzero(predicted & wanted & counted)) / union if union else 1.0


def _worst_region(predicted: Mask, wanted: Mask, counted: Mask) -> _Worst | None:
    missed = _largest_region(wanted & ~predicted & counted)
    false = _largest_region(predicted & ~wanted & counted)
    worst = missed if missed.area >= false.area else false
    return _Worst(worst, missed=worst is missed) if worst.area else None


def _largest_region(mask: Mask) -> _Region:
    from scipy import ndimage  # noqa: PLC0415 - half a second to import: only evaluating needs it

    marked = _window(mask)
    label, count = ndimage.label(mask[marked], _EIGHT_NEIGHBOURS)
    if not count:
        return _Region(mask[:0], 0, 0, 0)
    areas = np.bincount(label.ravel())[1:]
    winner = int(np.argmax(areas))
    pixels: Mask = label == winner + 1
    rows, columns = _window(pixels)
    top, left = marked[0].start + rows.start, marked[1].start + columns.start
    return _Region(pixels[rows, columns], top, left, int(areas[winner]))


def _window(mask: Mask) -> tuple[slice, slice]:
    """The rows and columns that hold all of it; none where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _centre(region: _Region) -> tuple[float, float]:
    """The centre of the pixel farthest from everything outside the region, the first of equals."""
    from scipy import ndimage  # noqa: PLC0415 - as above

    # A window's edge is a region's edge or the image's: a rim of zeros makes both count.
    distance = ndimage.distance_transform_edt(np.pad(region.pixels, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(distance)), distance.shape)
    return region.left + float(column) + 0.5, region.top + float(row) + 0.5
