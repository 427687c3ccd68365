"""CVAT's ways to write a shape down as numbers, from masks and back.

A mask is the box around it, with inclusive corners `left, top, right, bottom` at the end of the
list. Before them stands what is in the box, row by row: as lengths of runs, of unmarked pixels
first (`mask_points`), or as a 0 or 1 for each pixel (`flat_mask`). A polygon is `x, y, x, y, …`, a
rectangle `x0, y0, x1, y1`, both in the frame of all coordinates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seem_client.outline import polygons
from seem_wire.errors import InvalidValue, LassoWithoutArea
from seem_wire.pixels import inside_lasso
from seem_wire.prompts import Lasso

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Corners = tuple[float, float, float, float]
    Vertices = npt.NDArray[np.float64]

SHAPE_TYPES = ("mask", "polygon", "rectangle")
"""What can be said of an object to be followed, and comes back of it."""

TOLERANCE_PX = 1.0
"""A polygon's outline keeps so near to the mask's: a person will move its corners by hand."""

_FEWEST_CORNERS = 3


def shape_points(mask: Mask, shape_type: str) -> list[float] | None:
    """A mask, bool (H, W), as a shape of one of SHAPE_TYPES; None where it marks nothing.

    Raises:
        InvalidValue: There is no such type here.
    """
    if shape_type not in SHAPE_TYPES:
        raise InvalidValue(f"A {shape_type} cannot be followed; {', '.join(SHAPE_TYPES)} can.")
    if not mask.any():
        return None
    if shape_type == "mask":
        return [float(number) for number in mask_points(mask)]
    if shape_type == "polygon":
        return polygon_points(mask)
    left, top, right, bottom = _inclusive_box(mask)
    return [float(left), float(top), float(right + 1), float(bottom + 1)]


def read_shape(shape_type: str, points: Sequence[float], size: tuple[int, int]) -> Mask | Corners:
    """What a shape marks in an image of (height, width): a mask, or the corners of a rectangle.

    Raises:
        InvalidValue: There is no such type here, or the numbers are none of it.
        LassoWithoutArea: The numbers are no polygon.
    """
    match shape_type:
        case "mask":
            return read_mask(points, size)
        case "polygon":
            return _read_polygon(points, size)
        case "rectangle":
            if len(points) != 4:  # noqa: PLR2004
                raise InvalidValue(f"A rectangle has four numbers, not {len(points)}.")
            x0, y0, x1, y1 = map(float, points)
            return x0, y0, x1, y1
        case _:
            known = ", ".join(SHAPE_TYPES)
            raise InvalidValue(f"A {shape_type} cannot be followed; {known} can.")


def mask_points(mask: Mask) -> list[int]:
    """A mask that marks something, as lengths of runs and its box."""
    left, top, right, bottom = _inclusive_box(mask)
    inside = mask[top : bottom + 1, left : right + 1].ravel()
    changes = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    bounds = np.concatenate([[0] * (1 + int(inside[0])), changes, [inside.size]])
    return [*np.diff(bounds).tolist(), left, top, right, bottom]


def flat_mask(mask: Mask) -> list[int]:
    """A mask that marks something, as a number for each pixel of its box, and the box."""
    left, top, right, bottom = _inclusive_box(mask)
    inside = mask[top : bottom + 1, left : right + 1]
    return [*inside.ravel().astype(np.uint8).tolist(), left, top, right, bottom]


def read_mask(points: Sequence[float], size: tuple[int, int]) -> Mask:
    """The mask, bool (H, W), that lengths of runs and a box mean.

    Raises:
        InvalidValue: They mean none of this size.
    """
    numbers = np.asarray(points, np.float64)
    if numbers.ndim != 1 or len(numbers) <= 4 or (numbers != np.round(numbers)).any():  # noqa: PLR2004
        raise InvalidValue("A mask's points are lengths of runs and four whole numbers.")
    *runs, left, top, right, bottom = numbers.astype(np.int64).tolist()
    height, width = size
    if not (0 <= left <= right < width and 0 <= top <= bottom < height):
        raise InvalidValue(f"The mask's box lies outside of the {width} x {height} image.")
    n_rows, n_columns = bottom - top + 1, right - left + 1
    if min(runs) < 0 or sum(runs) != n_rows * n_columns:
        raise InvalidValue("The mask's runs do not fill its box.")
    mask = np.zeros(size, np.bool_)
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    mask[top : bottom + 1, left : right + 1] = inside.reshape(n_rows, n_columns)
    return mask


def polygon_points(mask: Mask) -> list[float] | None:
    """The outline of the largest piece without its holes; None where the mask marks nothing."""
    outlines = [piece.outline for piece in polygons(mask)]
    if not outlines:
        return None
    outline = max(outlines, key=_area)
    simple = simplified(outline, TOLERANCE_PX)
    points: list[float] = (simple if len(simple) >= _FEWEST_CORNERS else outline).ravel().tolist()
    return points


def simplified(outline: Vertices, tolerance: float) -> Vertices:
    """Fewer of the corners (K, 2) of a closed outline, so that none is further away from it.

    Douglas and Peucker: a stretch between two kept corners keeps its furthest one, too, unless that
    lies within the tolerance. The first corner and the one furthest from it are kept.
    """
    middle = int(np.argmax(np.hypot(*(outline - outline[0]).T)))
    ring = np.concatenate([outline, outline[:1]])
    kept = {0, middle}
    stretches = [(0, middle), (middle, len(outline))]
    while stretches:
        first, last = stretches.pop()
        if last - first < 2:  # noqa: PLR2004 - nothing lies between
            continue
        away = _distances(ring[first + 1 : last], ring[first], ring[last])
        furthest = int(np.argmax(away))
        if away[furthest] > tolerance:
            kept.add(at := first + 1 + furthest)
            stretches += [(first, at), (at, last)]
    return outline[sorted(kept)]


def _distances(points: Vertices, start: Vertices, end: Vertices) -> Vertices:
    """(K,) how far points (K, 2) are from the segment."""
    along = end - start
    length_2 = float(along @ along)
    share = (
        np.clip((points - start) @ along / length_2, 0, 1) if length_2 else np.zeros(len(points))
    )
    away: Vertices = np.hypot(*(points - start - share[:, None] * along).T)
    return away


def _read_polygon(points: Sequence[float], size: tuple[int, int]) -> Mask:
    if len(points) % 2 or len(points) < 2 * _FEWEST_CORNERS:
        raise LassoWithoutArea(f"A polygon has corners x, y, x, y, …, not {len(points)} numbers.")
    corners = np.asarray(points, np.float64).reshape(-1, 2)
    lasso = Lasso(tuple((x, y) for x, y in corners.tolist()))
    inside = inside_lasso(lasso, np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)
    if not inside.any():
        raise LassoWithoutArea("The polygon holds no pixel of the image.")
    return inside


def _area(outline: Vertices) -> float:
    x, y = outline.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _inclusive_box(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])
