"""What a prompt means in pixels: pure, deterministic functions from geometry to arrays.

The models have no coordinates or box corners of their own (SEEM, section 3.2: every visual prompt
is a set of pixels). Training and serving call the same function, so that a click means the same to
both: `rasterise` for our own models, `rasterise_pixels` for the published ones.

Frames: prompts come in pixels of the original image. The network sees that image resized by
(scale_x, scale_y) and zero-padded right and below. The grid is the network frame divided by
`stride`; the centre of grid cell (row, column) lies at ((column + 0.5), (row + 0.5)) * stride.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from seem_wire.prompts import Box, Lasso, ObjectPrompt, Point, Scribble

    Float32 = npt.NDArray[np.float32]
    _Places = npt.NDArray[np.floating[Any]]
    Mask = npt.NDArray[np.bool_]

MAP_NAMES = (
    "positive_clicks",
    "negative_clicks",
    "positive_strokes",
    "negative_strokes",
    "region",
    "negative_region",
)
"""The channels of `PromptPixels.maps`, in order. A region is a box or the inside of a lasso."""

NEGATIVE, POSITIVE, LATTICE, PADDING = 0.0, 1.0, 2.0, -1.0
"""Point labels: not on the object, on the object, somewhere in its region, no point at all."""

CLICK_RADIUS = 1.5
"""Radius of the disk that stands for a click, in grid cells (a soft rim of one cell is added)."""

STROKE_RADIUS = 0.5
"""Half width of a scribble's line, in grid cells (a soft rim of one cell is added)."""

MAX_STROKE_POINTS = 24
"""Points sampled along all scribbles, or inside a mask, of one sign: evenly, never at random."""

_DISKS_AT_ONCE = 16_384
_LINES_AT_ONCE = 64
_HALF = 0.5
_ONE = 1 << 16
_GOLDEN = 40_503  # the golden ratio's fraction of _ONE

LATTICE_SIDE = 4
"""A box is sampled on a lattice of LATTICE_SIDE x LATTICE_SIDE, a lasso at as many places."""

LASSO_SAMPLES = 4
"""How finely a lasso's inside is drawn: this many samples along each side of a grid cell."""

MAX_PIXELS = 512
"""Pixels of one sign that a published model takes for one object."""

MASK_LOGIT = 4.0
"""A mask prompt becomes a previous mask of +-MASK_LOGIT, as if the model had drawn it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How the original image lies in the network's input.

    `scale_x`, `scale_y`: network pixels for each original pixel; `height`, `width`: the padded
    network input, multiples of `stride`. `resized`: (rows, columns) of it that the image covers;
    None where nothing is padding.
    """

    scale_x: float
    scale_y: float
    height: int
    width: int
    stride: int = 4
    resized: tuple[int, int] | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the stride grid."""
        return self.height // self.stride, self.width // self.stride

    @property
    def shown(self) -> tuple[int, int]:
        """(rows, columns) of network pixels that the image covers."""
        return self.resized or (self.height, self.width)


@dataclass(frozen=True, slots=True, eq=False)
class PromptPixels:
    """One object's prompt as arrays.

    points: (P, 2) float32, (x, y) in network pixels. labels: (P,) float32, see POSITIVE and its
    kin. maps: (6, rows, columns) float32 in [0, 1], channels MAP_NAMES, on the stride grid.
    mask_logits: (rows, columns) float32 of +-MASK_LOGIT, or None where no mask was given.
    """

    points: Float32
    labels: Float32
    maps: Float32
    mask_logits: Float32 | None


@dataclass(frozen=True, slots=True, eq=False)
class PixelSets:
    """One object's visual prompt as pixels of the network's input.

    positive, negative: (P, 2) int32, (x, y) of columns and rows, in raster order, each once.
    """

    positive: npt.NDArray[np.int32]
    negative: npt.NDArray[np.int32]


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
        draw_disks(maps[channel], clicks / np.float32(frame.stride), CLICK_RADIUS)
        sample(clicks, POSITIVE if positive else NEGATIVE)
        strokes = [s for s in prompt.scribbles if s.positive is positive]
        path = stroke_path(strokes, scale, frame.stride)
        draw_disks(maps[2 + channel], path / np.float32(frame.stride), STROKE_RADIUS)
        sample(_evenly(path, MAX_STROKE_POINTS), POSITIVE if positive else NEGATIVE)
    if prompt.box is not None:
        maps[4] = box_coverage(prompt.box, frame)
        sample(_lattice(prompt.box) * scale, LATTICE)
    for box in prompt.negative_boxes:
        np.maximum(maps[5], box_coverage(box, frame), out=maps[5])
        sample(_lattice(box) * scale, NEGATIVE)
    for lasso in prompt.lassos:
        covered = _lasso_coverage(lasso, frame)
        channel = maps[4 if lasso.positive else 5]
        np.maximum(channel, covered, out=channel)
        cells = _cell_centres(covered > _HALF, frame.stride)
        sample(_evenly(cells, LATTICE_SIDE**2), LATTICE if lasso.positive else NEGATIVE)
    mask_logits = None
    if prompt.mask is not None:
        inside = _resample_mask(prompt.mask.mask, frame)
        mask_logits = np.where(inside, np.float32(MASK_LOGIT), np.float32(-MASK_LOGIT))
        sample(_evenly(_cell_centres(inside, frame.stride), MAX_STROKE_POINTS), POSITIVE)
    return PromptPixels(np.concatenate(points), np.concatenate(labels), maps, mask_logits)


def rasterise_pixels(prompt: ObjectPrompt, frame: Frame, max_points: int = MAX_PIXELS) -> PixelSets:
    """The pixels that stand for `prompt`, as the published models saw them in training.

    A click is the pixel under it and its eight neighbours, a scribble the pixels under its lines, a
    box or lasso all pixels whose centre it holds, a mask its own pixels. Nothing lies in the
    padding. Of more than `max_points` pixels of a sign, `spread` says which are taken.
    """
    positive, negative = (_marked(prompt, frame, positive=sign) for sign in (True, False))
    if prompt.box is not None:
        _fill(positive, prompt.box, frame)
    for box in prompt.negative_boxes:
        _fill(negative, box, frame)
    for lasso in prompt.lassos:
        _fill_lasso(positive if lasso.positive else negative, lasso, frame)
    if prompt.mask is not None:
        positive |= shrink(prompt.mask.mask, frame)
    return PixelSets(_listed(positive, max_points), _listed(negative, max_points))


def mask_pixels(mask: Mask, frame: Frame, max_points: int = MAX_PIXELS) -> PixelSets:
    """As `rasterise_pixels`, for a mask (H, W) of the image alone."""
    none = np.zeros((0, 2), np.int32)
    return PixelSets(_listed(shrink(mask, frame), max_points), none)


def spread(n_pixels: int, limit: int) -> npt.NDArray[np.intp]:
    """Which `limit` of `n_pixels` pixels in raster order are taken: evenly, never at random.

    The order is cut into `limit` stretches of equal length, and one pixel is taken of each. Were it
    always the first, a stretch as long as the shape is wide would take one column only; so the
    place within a stretch goes on by the golden ratio, which spreads it over both axes.
    """
    if n_pixels <= limit:
        return np.arange(n_pixels)
    starts = np.arange(limit + 1) * n_pixels // limit
    golden = np.arange(limit) * _GOLDEN % _ONE
    chosen: npt.NDArray[np.intp] = starts[:-1] + golden * np.diff(starts) // _ONE
    return chosen


def shrink(mask: Mask, frame: Frame) -> Mask:
    """A mask (H, W) of the image at the size of the network's input.

    Each pixel of the image's part takes the value at its centre. What is too thin to be met by any
    centre would vanish: a mask of which nothing is left marks the pixels that it touches instead.
    """
    rows, columns = frame.shown
    shown = _nearest(
        mask,
        (np.arange(rows) + 0.5) / frame.scale_y,
        (np.arange(columns) + 0.5) / frame.scale_x,
    )
    small = np.zeros((frame.height, frame.width), np.bool_)
    small[:rows, :columns] = shown
    if not shown.any():
        y, x = np.nonzero(mask)
        _mark(small, np.stack([x + 0.5, y + 0.5], axis=1), frame)
    return small


def _marked(prompt: ObjectPrompt, frame: Frame, *, positive: bool) -> Mask:
    """Where clicks and scribbles of one sign are, bool (height, width)."""
    marked = np.zeros((frame.height, frame.width), np.bool_)
    clicks = [(point.x, point.y) for point in prompt.points if point.positive is positive]
    rows, columns = frame.shown
    for x, y in pixels_under(np.array(clicks, np.float64).reshape(-1, 2), frame):
        top, left = max(y - 1, 0), max(x - 1, 0)
        marked[top : min(y + 2, rows), left : min(x + 2, columns)] = True
    for scribble in prompt.scribbles:
        if scribble.positive is positive:
            for under in line_pixels(scribble, frame):
                marked[under[:, 1], under[:, 0]] = True
    return marked


def line_pixels(scribble: Scribble, frame: Frame) -> Iterator[npt.NDArray[np.intp]]:
    """Columns and rows (N, 2) of the pixels along a scribble, a part of it at a time.

    No two neighbours are more than a pixel apart.
    """
    vertices = np.array(scribble.points, np.float64).reshape(-1, 2)
    yield pixels_under(vertices, frame)
    ways = np.diff(vertices, axis=0)
    n_steps = np.ceil(np.abs(ways * (frame.scale_x, frame.scale_y)).max(axis=1)).astype(np.intp)
    for first in range(0, len(ways), _LINES_AT_ONCE):
        some = slice(first, first + _LINES_AT_ONCE)
        line = np.repeat(np.arange(len(n_steps[some])), n_steps[some])
        step = np.arange(len(line)) - (np.cumsum(n_steps[some]) - n_steps[some])[line]
        fraction = (step / n_steps[some][line])[:, None]
        yield pixels_under(vertices[some][line] + fraction * ways[some][line], frame)


def _fill(marked: Mask, box: Box, frame: Frame) -> None:
    """Marks the pixels whose centre a box holds; the one at its middle where it holds none."""
    rows, columns = frame.shown
    x = (np.arange(columns) + 0.5) / frame.scale_x
    y = (np.arange(rows) + 0.5) / frame.scale_y
    across, down = (x >= box.x0) & (x < box.x1), (y >= box.y0) & (y < box.y1)
    if across.any() and down.any():
        marked[:rows, :columns] |= down[:, None] & across[None, :]
    else:
        _mark(marked, np.array([[(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2]]), frame)


def _mark(marked: Mask, xy: npt.NDArray[np.float64], frame: Frame) -> None:
    """Marks the pixels under positions (N, 2) of the image."""
    under = pixels_under(xy, frame)
    marked[under[:, 1], under[:, 0]] = True


def pixels_under(xy: npt.NDArray[np.float64], frame: Frame) -> npt.NDArray[np.intp]:
    """Columns and rows (N, 2) of the network pixels under positions (N, 2) of the image."""
    rows, columns = frame.shown
    places = np.floor(xy * (frame.scale_x, frame.scale_y))
    last = (columns - 1, rows - 1)
    return np.clip(places, 0, last).astype(np.intp)


def _listed(marked: Mask, limit: int) -> npt.NDArray[np.int32]:
    """The (x, y) of at most `limit` marked pixels, (P, 2), in raster order."""
    places = np.flatnonzero(marked)
    places = places[spread(len(places), limit)]
    rows, columns = np.divmod(places, marked.shape[1])
    return np.stack([columns, rows], axis=1).astype(np.int32)


def _click_array(points: tuple[Point, ...], *, positive: bool) -> Float32:
    chosen = [(point.x, point.y) for point in points if point.positive is positive]
    return np.array(chosen, np.float32).reshape(-1, 2)


def draw_disks(channel: Float32, xy: Float32, radius: float, *, rim: float = 1.0) -> None:
    """Raises `channel` to disks around grid positions `xy` (N, 2): 1 inside, 0 beyond their rim.

    `radius`, `rim`: in grid cells; across the rim it falls evenly.
    """
    for first in range(0, len(xy), _DISKS_AT_ONCE):
        _draw_some_disks(channel, xy[first : first + _DISKS_AT_ONCE], radius, rim)


def _draw_some_disks(channel: Float32, xy: Float32, radius: float, rim: float) -> None:
    reach = radius + rim
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
    values = np.clip((np.float32(reach) - distance) / np.float32(rim), 0.0, 1.0)
    np.maximum.at(channel.reshape(-1), place[fits], values[fits])


def stroke_path(scribbles: Iterable[Scribble], scale: Float32, stride: int) -> Float32:
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


def box_coverage(box: Box, frame: Frame) -> Float32:
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


def inside_lasso(lasso: Lasso, x: _Places, y: _Places) -> Mask:
    """Which of the places at columns `x` (W,), rising, and rows `y` (H,) it holds: bool (H, W).

    Even-odd: a place is inside where a ray to its left crosses the outline an odd number of times.
    """
    corners = np.array(lasso.points, np.float64).reshape(-1, 2)
    crossings = np.zeros((len(y), len(x) + 1), np.uint8)  # may wrap: odd stays odd
    rows = np.arange(len(y))
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        met = (np.minimum(y0, y1) <= y) & (y < np.maximum(y0, y1))
        if met.any():
            at = x0 + (y[met] - y0) * ((x1 - x0) / (y1 - y0))
            np.add.at(crossings, (rows[met], np.searchsorted(x, at)), 1)
    inside: Mask = (crossings.cumsum(axis=1, dtype=np.uint8)[:, :-1] & 1).astype(np.bool_)
    return inside


def _lasso_coverage(lasso: Lasso, frame: Frame) -> Float32:
    """How much of each grid cell a lasso holds, 0 to 1; a sliver counts as the cells it touches."""
    rows, columns = frame.grid
    step = frame.stride / LASSO_SAMPLES
    inside = inside_lasso(
        lasso,
        (np.arange(columns * LASSO_SAMPLES) + 0.5) * step / frame.scale_x,
        (np.arange(rows * LASSO_SAMPLES) + 0.5) * step / frame.scale_y,
    )
    shares = inside.reshape(rows, LASSO_SAMPLES, columns, LASSO_SAMPLES).mean((1, 3))
    covered: Float32 = shares.astype(np.float32)
    if not (covered > _HALF).any():
        outline = np.array(lasso.points, np.float64) * (frame.scale_x, frame.scale_y)
        x, y = (outline / frame.stride).astype(np.intp).T
        covered[np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)] = 1.0
    return covered


def _fill_lasso(marked: Mask, lasso: Lasso, frame: Frame) -> None:
    """Marks the pixels whose centre a lasso holds; those under its corners where it holds none."""
    rows, columns = frame.shown
    x = (np.arange(columns) + 0.5) / frame.scale_x
    y = (np.arange(rows) + 0.5) / frame.scale_y
    inside = inside_lasso(lasso, x, y)
    marked[:rows, :columns] |= inside
    if not inside.any():
        _mark(marked, np.array(lasso.points, np.float64), frame)


def _cell_centres(marked: Mask, stride: int) -> Float32:
    """The centres (P, 2) of marked grid cells, in network pixels."""
    rows, columns = np.nonzero(marked)
    cells = np.stack([columns, rows], axis=1).astype(np.float32) + np.float32(0.5)
    centres: Float32 = cells * np.float32(stride)
    return centres


def _lattice(box: Box) -> Float32:
    fractions = (np.arange(LATTICE_SIDE, dtype=np.float32) + np.float32(0.5)) / LATTICE_SIDE
    x = box.x0 + fractions * (box.x1 - box.x0)
    y = box.y0 + fractions * (box.y1 - box.y0)
    grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
    return np.stack([grid_x.ravel(), grid_y.ravel()], axis=1).astype(np.float32)


def _resample_mask(mask: Mask, frame: Frame) -> Mask:
    """The mask's value at the centre of each grid cell; False in the padding."""
    rows, columns = frame.grid
    y = (np.arange(rows) + 0.5) * frame.stride / frame.scale_y
    x = (np.arange(columns) + 0.5) * frame.stride / frame.scale_x
    return _nearest(mask, y, x)


def _nearest(mask: Mask, y: _Places, x: _Places) -> Mask:
    """The mask's value at rows `y` and columns `x`; False beyond it."""
    height, width = mask.shape
    row, column = y.astype(np.intp), x.astype(np.intp)
    nearest = mask[np.minimum(row, height - 1)[:, None], np.minimum(column, width - 1)[None, :]]
    inside: Mask = nearest & (row < height)[:, None] & (column < width)[None, :]
    return inside
