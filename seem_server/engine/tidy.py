"""Crumbs swept from a mask: islands and holes too small to be meant, unless somebody points there.

A person who clicks means one body; specks beside it and pinholes in it cost corrections. What is
clicked is evidence and always stays. The memory of the next round keeps the logits as they were.

h, w mask logits without their padding
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_wire.pixels import Frame
    from seem_wire.prompts import ObjectPrompt

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]
    Cells = npt.NDArray[np.intp]

_EIGHT_NEIGHBOURS = np.ones((3, 3))


@dataclass(frozen=True, slots=True)
class _Broom:
    """Parts below `island`, holes below `hole`, as shares of the largest part's area, go."""

    island: float
    hole: float


_POINTED = _Broom(island=0.10, hole=0.03)
"""One body is meant. Chosen on training images kept apart, not on a benchmark."""

_NAMED = _Broom(island=0.01, hole=0.01)
"""Words and boxes may mean many things at once."""


def tidy(logits: Float32, prompt: ObjectPrompt, frame: Frame, threshold: float) -> Float32:
    """Logits (h, w) with the crumbs turned over the threshold; the same array if there are none."""
    over = logits > threshold
    if not over.any():
        return logits
    parts = _label(over, _EIGHT_NEIGHBOURS)
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    largest = areas.max()
    wanted, unwanted = (_cells(prompt, frame, over.shape, positive=p) for p in (True, False))
    broom = _POINTED if len(wanted[0]) else _NAMED
    turned = _small(parts, areas, broom.island * largest, kept=parts[wanted])
    holes = _label(~over | turned)
    areas = np.bincount(holes.ravel())
    areas[0] = largest
    turned |= _small(holes, areas, broom.hole * largest, kept=holes[unwanted]) & ~over
    if not turned.any():
        return logits
    return np.where(turned, np.float32(2 * threshold) - logits, logits)


def _label(mask: Mask, neighbours: npt.NDArray[np.float64] | None = None) -> Cells:
    """Connected regions numbered from 1, 0 elsewhere; four neighbours unless told."""
    return np.asarray(ndimage.label(mask, neighbours)[0], np.intp)


def _small(labels: Cells, areas: Cells, limit: float, *, kept: Cells) -> Mask:
    """Where a labelled region has less than `limit` cells and is none of `kept`."""
    small = areas < limit
    small[0] = False
    small[kept] = False
    swept: Mask = small[labels]
    return swept


def _cells(
    prompt: ObjectPrompt, frame: Frame, shape: tuple[int, ...], *, positive: bool
) -> tuple[Cells, Cells]:
    """Rows and columns of the cells that clicks and scribbles of one sign touch."""
    xy = [(p.x, p.y) for p in prompt.points if p.positive is positive]
    xy += [v for s in prompt.scribbles if s.positive is positive for v in s.points]
    places = np.array(xy, np.float64).reshape(-1, 2)
    columns = (places[:, 0] * frame.scale_x / frame.stride).astype(np.intp)
    rows = (places[:, 1] * frame.scale_y / frame.stride).astype(np.intp)
    return np.clip(rows, 0, shape[0] - 1), np.clip(columns, 0, shape[1] - 1)
