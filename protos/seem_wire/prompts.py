"""What a person says about one object: the prompt types.

Frame: every coordinate is in pixels of the original, upright image (EXIF applied), `(x, y)`
floats, x to the right, y down; the centre of the first pixel is (0.5, 0.5), the image spans
[0, width] x [0, height]. Masks are row-major booleans of the image's (height, width).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Point:
    """A click: `positive` says that the pixel belongs to the object."""

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around the object, corners (x0, y0) and (x1, y1) with x0 < x1 and y0 < y1."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Scribble:
    """A freehand line through pixels that belong (or do not belong) to the object."""

    points: tuple[tuple[float, float], ...]
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Lasso:
    """A closed outline, drawn freehand or corner by corner; the last point joins the first.

    Like a box of any shape: the object lies within a positive one, and no part of it within a
    negative one. Where the outline crosses itself, what it winds around an even number of times is
    outside.
    """

    points: tuple[tuple[float, float], ...]
    positive: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrompt:
    """A rough mask of the object, to be refined.

    `mask` is bool (height, width) at the size of the image it is about.
    """

    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ExamplePrompt:
    """The thing that is meant, shown in another image.

    `image` is that image's content hash; `mask` is bool (height, width) at its upright size.
    """

    image: str
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ObjectPrompt:
    """Everything said about one object so far: any kinds, any number, all taken together.

    box: the object lies within it. negative_boxes: no part of the object lies within one of them.
    """

    points: tuple[Point, ...] = ()
    box: Box | None = None
    scribbles: tuple[Scribble, ...] = ()
    mask: MaskPrompt | None = None
    text: str | None = None
    example: ExamplePrompt | None = None
    negative_boxes: tuple[Box, ...] = ()
    lassos: tuple[Lasso, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said at all."""
        drawn = self.points or self.box or self.scribbles or self.mask
        outlined = self.negative_boxes or self.lassos
        return not (drawn or outlined or self.text or self.example)

    @property
    def n_points(self) -> int:
        """What counts toward `Limits.max_points`."""
        n_vertices = sum(len(scribble.points) for scribble in self.scribbles)
        n_corners = sum(len(lasso.points) for lasso in self.lassos) + 2 * len(self.negative_boxes)
        return len(self.points) + n_vertices + n_corners

    @property
    def has_positive(self) -> bool:
        """Whether something says where (or what) the object is, not only where it is not."""
        return bool(
            any(point.positive for point in self.points)
            or any(scribble.positive for scribble in self.scribbles)
            or any(lasso.positive for lasso in self.lassos)
            or self.box
            or self.mask
            or self.text
            or self.example
        )
