"""What a person would draw about an object: a box, a stroke, a loose outline, a rough mask.

Each is a pure function of the object's mask, bool (H, W) with at least one pixel, and a `seed`, for
which the benchmarks give the annotation's id: the same object is always drawn in the same way.
Coordinates are pixels of the image, `(x, y)`, pixel centres at + 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from seem_client.outline import polygons
from seem_wire.prompts import Box, Lasso, MaskPrompt, Scribble

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    Mask = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

CORE = 0.5
"""A stroke stays where the object is at least this deep, as a share of its deepest place."""

LEAST_STROKE = 0.6
"""The shortest stroke, as a share of the way through the core; the longest is all of it."""

STROKE_VERTICES = 24
_STROKE_CELLS = 96

LOOSENESS = 0.08
"""How far outside of the object a lasso is drawn, as a share of the square root of its area."""

LEAST_LOOSENESS = 3.0
"""The same in pixels, at least: nobody draws closer."""

_WIDER = 1.5
_WIDENINGS = 10

SPOILING = 0.06
"""How far a rough mask's edge and place are off, as a share of the square root of its area."""

_LEAST_KEPT = 0.25
"""An object that wearing down would leave less than this share of is swollen instead."""


def tight_box(mask: Mask) -> Box:
    """The smallest box around the object, its pixels' outer edges."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def stroke(mask: Mask, seed: int, *, positive: bool = True) -> Scribble:
    """A line along the middle of the largest 8-connected piece.

    The piece's core is what is at least CORE as deep (far from its edge) as its deepest place, and
    hangs together with that. The line runs between the core's two ends (the place farthest from
    the deepest, within the core, and the place farthest from that one), on the way where a step
    costs its length by the square of the depth: so it keeps to the middle. Of this way a stretch is
    drawn, LEAST_STROKE to all of it, its length, place and direction drawn by `seed`. Large pieces
    are seen in cells, each standing for its deepest pixel, so that every vertex is on the object.
    """
    cells = _cells(mask)
    way = _way(cells.depth)
    places = cells.places[way[:, 0], way[:, 1]]
    chance = np.random.default_rng(seed)
    share = chance.uniform(LEAST_STROKE, 1)
    count = max(2, round(share * len(places)))
    first = int(chance.integers(0, max(len(places) - count, 0) + 1))
    drawn = places[first : first + count]
    if chance.random() < 0.5:  # noqa: PLR2004 - one of two directions
        drawn = drawn[::-1]
    kept = drawn[
        np.linspace(0, len(drawn) - 1, min(len(drawn), STROKE_VERTICES)).round().astype(int)
    ]
    vertices = tuple((float(x) + 0.5, float(y) + 0.5) for y, x in kept)
    return Scribble(vertices if len(vertices) > 1 else vertices * 2, positive)


def lasso(mask: Mask, *, positive: bool = True) -> Lasso:
    """A loose closed outline around the whole object.

    The outline of all that lies within LOOSENESS of the object (at least LEAST_LOOSENESS pixels),
    its holes filled, simplified by Douglas and Peucker with half that distance as tolerance, so
    that no part of the object is cut off; then what lies outside of the image is. Pieces that are
    farther apart are outlined from farther away, half as far again each time, until one line goes
    around them all; where none does in the end, it is the box around them.
    """
    from scipy import ndimage  # noqa: PLC0415 - half a second to import: only evaluating needs it

    reach = max(LEAST_LOOSENESS, LOOSENESS * float(np.sqrt(np.count_nonzero(mask))))
    for _ in range(_WIDENINGS):
        rim = int(reach) + 1
        around = ndimage.distance_transform_edt(~np.pad(mask, rim)) <= reach
        if ndimage.label(around)[1] == 1:
            whole = ndimage.binary_fill_holes(around)
            ring = polygons(whole)[0].outline.astype(np.float64) - rim
            return _as_lasso(_simplified(ring, reach / 2), mask.shape, positive=positive)
        reach *= _WIDER
    box = tight_box(mask)
    corners = [[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]]
    return _as_lasso(np.array(corners), mask.shape, positive=positive)


def rough_mask(mask: Mask, seed: int) -> MaskPrompt:
    """The object as a poor tool would have it: worn down or swollen by SPOILING, and moved by it.

    Which of both, and the direction, are drawn by `seed`; an object so thin that less than a
    quarter would be left is swollen, and one that would be moved out of the image stays.
    """
    from scipy import ndimage  # noqa: PLC0415 - as above

    chance = np.random.default_rng(seed)
    distance = max(1.0, SPOILING * float(np.sqrt(np.count_nonzero(mask))))
    wears, angle = chance.random() < 0.5, chance.uniform(0, 2 * np.pi)  # noqa: PLR2004 - one of two
    worn = ndimage.distance_transform_edt(mask) > distance
    if wears and np.count_nonzero(worn) >= _LEAST_KEPT * np.count_nonzero(mask):
        spoilt = worn
    else:
        spoilt = ndimage.distance_transform_edt(~mask) <= distance
    down, right = round(distance * float(np.sin(angle))), round(distance * float(np.cos(angle)))
    moved = _moved(spoilt, down, right)
    return MaskPrompt(moved if moved.any() else spoilt)


def _moved(mask: Mask, down: int, right: int) -> Mask:
    """The mask moved by so many pixels; what leaves the image is lost."""
    height, width = mask.shape
    moved = np.zeros_like(mask)
    to_rows, from_rows = _overlap(height, down)
    to_columns, from_columns = _overlap(width, right)
    moved[to_rows, to_columns] = mask[from_rows, from_columns]
    return moved


def _overlap(length: int, by: int) -> tuple[slice, slice]:
    """Where what is moved by `by` comes to lie, and where it comes from."""
    return slice(max(by, 0), length + min(by, 0)), slice(max(-by, 0), length - max(by, 0))


# --- the way of a stroke


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The largest piece in cells.

    depth: (rows, columns) float64 in pixels, 0 outside of it. places: (rows, columns, 2), the
    (row, column) in the image of each cell's deepest pixel.
    """

    depth: Floats
    places: Ints


def _cells(mask: Mask) -> _Cells:
    from scipy import ndimage  # noqa: PLC0415 - as above

    label, _ = ndimage.label(mask, np.ones((3, 3)))
    winner = int(np.argmax(np.bincount(label.ravel())[1:])) + 1
    rows, columns = ndimage.find_objects(label)[winner - 1]
    depth = ndimage.distance_transform_edt(np.pad(label[rows, columns] == winner, 1))[1:-1, 1:-1]
    side = -(-max(depth.shape) // _STROKE_CELLS)
    height, width = (-(-length // side) for length in depth.shape)
    padded = np.zeros((height * side, width * side))
    padded[: depth.shape[0], : depth.shape[1]] = depth
    blocks = padded.reshape(height, side, width, side).swapaxes(1, 2).reshape(height, width, -1)
    row, column = np.divmod(blocks.argmax(axis=2), side)
    places = np.stack(
        [
            rows.start + np.arange(height)[:, None] * side + row,
            columns.start + np.arange(width)[None, :] * side + column,
        ],
        axis=2,
    )
    return _Cells(blocks.max(axis=2), places)


def _way(depth: Floats) -> Ints:
    """The cells of the way through the core, (n, 2) of (row, column), n at least 1."""
    from scipy import ndimage  # noqa: PLC0415 - as above
    from scipy.sparse.csgraph import dijkstra  # noqa: PLC0415 - as above

    deepest = np.unravel_index(int(depth.argmax()), depth.shape)
    label, _ = ndimage.label(depth >= CORE * depth.max(), np.ones((3, 3)))
    core = np.argwhere(label == label[deepest])  # (n, 2), raster order
    plain, dear = (_steps(depth, core, weighted=weighted) for weighted in (False, True))
    start = int(np.flatnonzero((core == np.array(deepest)).all(axis=1))[0])
    one = int(dijkstra(plain, indices=[start])[0].argmax())
    other = int(dijkstra(plain, indices=[one])[0].argmax())
    _, before = dijkstra(dear, indices=[one], return_predecessors=True)
    way = [other]
    while way[-1] != one:
        way.append(int(before[0, way[-1]]))
    return core[way[::-1]].astype(np.int64)


def _steps(depth: Floats, core: Ints, *, weighted: bool) -> csr_array[np.float64]:
    """The graph of steps between neighbouring cells, sparse (n, n): length, or cost."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - as above

    number = np.full(np.add(depth.shape, 2), -1)
    number[core[:, 0] + 1, core[:, 1] + 1] = np.arange(len(core))
    deep = depth[core[:, 0], core[:, 1]] / depth.max()
    rows, columns, costs = [], [], []
    for down, right in product((-1, 0, 1), repeat=2):
        if (down, right) == (0, 0):
            continue
        there = number[core[:, 0] + 1 + down, core[:, 1] + 1 + right]
        here = np.flatnonzero(there >= 0)
        between = (deep[here] + deep[there[here]]) / 2
        rows.append(here)
        columns.append(there[here])
        costs.append(np.hypot(down, right) / (between**2 if weighted else np.ones(len(here))))
    entries = (np.concatenate(rows), np.concatenate(columns))
    return csr_array((np.concatenate(costs), entries), shape=(len(core), len(core)))


# --- the line of a lasso


def _simplified(ring: Floats, tolerance: float) -> Floats:
    """A closed line, (n, 2) of (x, y), with the vertices that matter (Douglas and Peucker)."""
    opposite = int(((ring - ring[0]) ** 2).sum(axis=1).argmax())
    closed = np.concatenate([ring, ring[:1]])
    kept = np.zeros(len(closed), np.bool_)
    kept[[0, opposite, -1]] = True
    open_ends = [(0, opposite), (opposite, len(closed) - 1)]
    while open_ends:
        first, last = open_ends.pop()
        if last - first < 2:  # noqa: PLR2004 - nothing in between
            continue
        off = _distances(closed[first + 1 : last], closed[first], closed[last])
        farthest = int(off.argmax())
        if off[farthest] > tolerance:
            middle = first + 1 + farthest
            kept[middle] = True
            open_ends += [(first, middle), (middle, last)]
    return closed[:-1][kept[:-1]]


def _as_lasso(ring: Floats, shape: tuple[int, ...], *, positive: bool) -> Lasso:
    """The part of a closed line that lies within an image of `shape`."""
    height, width = shape
    for axis, edge, sign in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        ring = _cut(ring, (ring[:, axis] - edge) * sign)
    inside = ring.clip(0, (width, height))  # rounding
    return Lasso(tuple((float(x), float(y)) for x, y in inside), positive)


def _cut(ring: Floats, depth: Floats) -> Floats:
    """The part of a closed line, (n, 2), whose `depth`, (n,), is not negative."""
    kept = []
    for place, following in zip(range(len(ring)), [*range(1, len(ring)), 0], strict=True):
        if depth[place] >= 0:
            kept.append(ring[place])
        if (depth[place] >= 0) != (depth[following] >= 0):
            share = depth[place] / (depth[place] - depth[following])
            kept.append(ring[place] + share * (ring[following] - ring[place]))
    return np.array(kept)


def _distances(points: Floats, start: Floats, end: Floats) -> Floats:
    """How far each of the points, (n, 2), is from the stretch between two."""
    along = end - start
    length = float(along @ along)
    share = ((points - start) @ along / length).clip(0, 1) if length else np.zeros(len(points))
    off = points - start - share[:, None] * along
    distances: Floats = np.sqrt((off**2).sum(axis=1))
    return distances
