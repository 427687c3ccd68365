"""What a person drew or said about an object, and how napari writes it down: without napari.

napari's coordinates are (row, column) of an array, the first pixel's centre at (0, 0); a mark's
places are (x, y), and there it lies at (0.5, 0.5). Places are kept to a hundredth of a pixel, so
that what was written into a layer is the same mark when it is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_wire.rle import Rle

    Vertices = npt.NDArray[np.float64]

Places = tuple[tuple[float, float], ...]

_HALF, _DIGITS = 0.5, 2
_ELLIPSE_CORNERS = 48
_TWO = 2


class Kind(StrEnum):
    """How something was said."""

    POINT = "point"
    LINE = "line"
    BOX = "box"
    REGION = "region"
    MASK = "mask"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that was drawn or said; equal marks say the same.

    A box has two places, its least and its greatest corner. `frame`: of a video.
    """

    kind: Kind
    object_id: int
    places: Places = ()
    positive: bool = True
    frame: int | None = None
    words: str = ""
    painted: Rle | None = None


def places_of(vertices: Vertices) -> Places:
    """(row, column) each, (K, 2), as (x, y)."""
    return tuple(
        (round(float(column) + _HALF, _DIGITS), round(float(row) + _HALF, _DIGITS))
        for row, column in vertices
    )


def vertices_of(places: Places) -> Vertices:
    """The same the other way."""
    return np.array([(y - _HALF, x - _HALF) for x, y in places], np.float64).reshape(-1, 2)


def drawn(
    shape_type: str, vertices: Vertices, object_id: int, *, positive: bool, frame: int | None = None
) -> Mark:
    """What a shape says: an upright rectangle a box, a line a line, anything else a region."""
    kind = Kind.REGION
    if shape_type == "ellipse":
        vertices = _around(vertices)
    places = places_of(vertices)
    if shape_type in {"line", "path"}:
        kind = Kind.LINE
    elif shape_type == "rectangle":
        xs, ys = (sorted(set(each)) for each in zip(*places, strict=True))
        if len(xs) <= _TWO and len(ys) <= _TWO:
            kind, places = Kind.BOX, ((xs[0], ys[0]), (xs[-1], ys[-1]))
    return Mark(kind, object_id, places, positive, frame)


def shape_of(mark: Mark) -> tuple[str, Vertices]:
    """How napari draws a line, a box or a region: the type, and its vertices (K, 2)."""
    vertices = vertices_of(mark.places)
    match mark.kind:
        case Kind.LINE:
            return "path", vertices
        case Kind.BOX:
            (top, left), (bottom, right) = vertices
            corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
            return "rectangle", np.array(corners)
        case _:
            return "polygon", vertices


def _around(corners: Vertices) -> Vertices:
    """The ellipse within the four corners, as a polygon."""
    across, down = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    outline: Vertices = corners.mean(axis=0) + np.cos(angles) * across + np.sin(angles) * down
    return outline
