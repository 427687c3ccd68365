"""What a prompt means in pixels: one pure, deterministic function from geometry to arrays.

The model has no coordinates or box corners of its own (SEEM, section 3.2: every visual prompt is a
set of pixels). Training and serving call the same function, so that a click means the same to both.

Frames: prompts come in pixels of the original image. The network sees that image resized by
(scale_x, scale_y) and zero-padded right and below. The grid is the network frame divided by
`stride`; the centre of grid cell (row, column) lies at ((column + 0.5), (row + 0.5)) * stride.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_wire.prompts import Box, ObjectPrompt, Point, Scribble

    Float32 = npt.NDArray[np.float32]

MAP_NAMES = ("positive_clicks", "negative_clicks", "positive_strokes", "negative_strokes", "box")
"""The channels of `PromptPixels.maps`, in order."""

NEGATIVE, POSITIVE, LATTICE, PADDING = 0.0, 1.0, 2.0, -1.0
"""Point labels: not on the object, on the object, somewhere in its box, no point at all."""

CLICK_RADIUS = 1.5
"""Radius of the disk that stands for a click, in grid cells (a soft rim of one cell is added)."""

STROKE_RADIUS = 0.5
"""Half width of a scribble's line, in grid cells (a soft rim of one cell is added)."""

MAX_STROKE_POINTS = 24
"""Points sampled along all scribbles, or inside a mask, of one sign: evenly, never at random."""

_DISKS_AT_ONCE = 16_384

LATTICE_SIDE = 4
"""A box is sampled on a LATTICE_SIDE x LATTICE_SIDE lattice of points."""

MASK_LOGIT = 4.0
"""A mask prompt becomes a previous mask of +-MASK_LOGIT, as if the model had drawn it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How the original image lies in the network's input.

    `scale_x`, `scale_y`: network pixels for each original pixel; `height`, `width`: the padded
    network input, multiples of `stride`.
    """

    scale_x: float
    scale_y: float
    height: int
    width: int
    stride: int = 4

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the stride grid."""
        return self.height // self.stride, self.width // self.stride


@dataclass(frozen=True, slots=True, eq=False)
class PromptPixels:
    """One object's prompt as arrays.

    points: (P, 2) float32, (x, y) in network pixels. labels: (P,) float32, see POSITIVE and its
    kin. maps: (5, rows, columns) float32 in [0, 1], channels MAP_NAMES, on the stride grid.
    mask_logits: (rows, columns) float32 of +-MASK_LOGIT, or None where no mask was given.
    """

    points: Float32
    labels: Float32
    maps: Float32
    mask_logits: Float32 | None


def rasterise(prompt: ObjectPrompt, frame: Frame) -> PromptPixels:
    """The arrays that stand for `prompt` in `frame`; equal prompts give equal arrays."""
    scale = np.array([frame.scale_x, frame.scale_y], np.float32)
    maps = np.zeros((len(MAP_NAMES), *frame.grid), np.float32)
    points: list[Float32] = []
    labels: list[Float32] = []

    def sample(xy: Float32, label: float) -> None:
        points.append(xy)
        labels.append(np.full(len(xy), label, np.float32))

    for channel, positive in enumerate((True, False)):
        clicks = _click_array(prompt.points, positive=positive) * scale
        _draw_disks(maps[channel], clicks / np.float32(frame.stride), CLICK_RADIUS)
        sample(clicks, POSITIVE if positive else NEGATIVE)
        strokes = [s for s in prompt.scribbles if s.positive is positive]
        path = _stroke_path(strokes, scale, frame.stride)
        _draw_disks(maps[2 + channel], path / np.float32(frame.stride), STROKE_RADIUS)
        sample(_evenly(path, MAX_STROKE_POINTS), POSITIVE if positive else NEGATIVE)
    if prompt.box is not None:
        maps[4] = _box_coverage(prompt.box, frame)
        sample(_lattice(prompt.box) * scale, LATTICE)
    mask_logits = None
    if prompt.mask is not None:
        inside = _resample_mask(prompt.mask.mask, frame)
        mask_logits = np.where(inside, np.float32(MASK_LOGIT), np.float32(-MASK_LOGIT))
        rows, columns = np.nonzero(inside)
        cells = np.stack([columns, rows], axis=1).astype(np.float32) + np.float32(0.5)
        sample(_evenly(cells, MAX_STROKE_POINTS) * np.float32(frame.stride), POSITIVE)
    return PromptPixels(np.concatenate(points), np.concatenate(labels), maps, mask_logits)


def _click_array(points: tuple[Point, ...], *, positive: bool) -> Float32:
    chosen = [(point.x, point.y) for point in points if point.positive is positive]
    return np.array(chosen, np.float32).reshape(-1, 2)


def _draw_disks(channel: Float32, xy: Float32, radius: float) -> None:
    """Raises `channel` to disks around grid positions `xy` (N, 2): 1 inside, a rim of one cell."""
    for first in range(0, len(xy), _DISKS_AT_ONCE):
        _draw_some_disks(channel, xy[first : first + _DISKS_AT_ONCE], radius)


def _draw_some_disks(channel: Float32, xy: Float32, radius: float) -> None:
    reach = radius + 1.0
    x, y = xy[:, 0], xy[:, 1]
    top = np.maximum((y - np.float32(reach)).astype(np.intp), 0)
    left = np.maximum((x - np.float32(reach)).astype(np.intp), 0)
    cells = np.arange(int(2 * reach) + 2)
    rows = cells.astype(np.float32) + (top + np.float32(0.5) - y).astype(np.float32)[:, None]
    columns = cells.astype(np.float32) + (left + np.float32(0.5) - x).astype(np.float32)[:, None]
    distance = np.sqrt(rows[:, :, None] ** 2 + columns[:, None, :] ** 2)
    row, column = top[:, None] + cells, left[:, None] + cells
    fits = (row < channel.shape[0])[:, :, None] & (column < channel.shape[1])[:, None, :]
    place = row[:, :, None] * channel.shape[1] + column[:, None, :]
    values = np.clip(np.float32(reach) - distance, 0.0, 1.0)
    np.maximum.at(channel.reshape(-1), place[fits], values[fits])


def _stroke_path(scribbles: list[Scribble], scale: Float32, stride: int) -> Float32:
    """Positions along the scribbles, at most one grid cell apart, in network pixels."""
    pieces = [np.zeros((0, 2), np.float32)]
    for scribble in scribbles:
        vertices = np.array(scribble.points, np.float32).reshape(-1, 2) * scale
        pieces.append(vertices[:1])
        for start, end in pairwise(vertices):
            steps = max(int(np.ceil(np.hypot(*(end - start)) / stride)), 1)
            fractions = np.arange(1, steps + 1, dtype=np.float32)[:, None] / np.float32(steps)
            pieces.append((start + fractions * (end - start)).astype(np.float32))
    return np.concatenate(pieces)


def _evenly(xy: Float32, limit: int) -> Float32:
    """At most `limit` rows of `xy`, evenly spread over their order."""
    if len(xy) <= limit:
        return xy
    return xy[(np.arange(limit) * len(xy)) // limit]


def _box_coverage(box: Box, frame: Frame) -> Float32:
    """How much of each grid cell the box covers, 0 to 1."""
    rows, columns = frame.grid
    across = _interval_coverage(box.x0 * frame.scale_x, box.x1 * frame.scale_x, columns, frame)
    down = _interval_coverage(box.y0 * frame.scale_y, box.y1 * frame.scale_y, rows, frame)
    return down[:, None] * across[None, :]


def _interval_coverage(low: float, high: float, cells: int, frame: Frame) -> Float32:
    edges = np.arange(cells + 1, dtype=np.float32) * np.float32(frame.stride)
    overlap = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    share: Float32 = np.clip(overlap / frame.stride, 0.0, 1.0).astype(np.float32)
    return share


def _lattice(box: Box) -> Float32:
    fractions = (np.arange(LATTICE_SIDE, dtype=np.float32) + np.float32(0.5)) / LATTICE_SIDE
    x = box.x0 + fractions * (box.x1 - box.x0)
    y = box.y0 + fractions * (box.y1 - box.y0)
    grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
    return np.stack([grid_x.ravel(), grid_y.ravel()], axis=1).astype(np.float32)


def _resample_mask(mask: npt.NDArray[np.bool_], frame: Frame) -> npt.NDArray[np.bool_]:
    """The mask's value at the centre of each grid cell; False in the padding."""
    rows, columns = frame.grid
    y = ((np.arange(rows) + 0.5) * frame.stride / frame.scale_y).astype(np.intp)
    x = ((np.arange(columns) + 0.5) * frame.stride / frame.scale_x).astype(np.intp)
    height, width = mask.shape
    nearest = mask[np.minimum(y, height - 1)[:, None], np.minimum(x, width - 1)[None, :]]
    inside: npt.NDArray[np.bool_] = nearest & (y < height)[:, None] & (x < width)[None, :]
    return inside
