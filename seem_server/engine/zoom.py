"""A closer look: where an object is small, its part of the image is encoded again, enlarged.

A mask is decided on a grid of the network's input divided by four, whatever the image's size; a
thing that fills a tenth of the picture gets a tenth of that grid's side. So after a first look at
the whole image a window around the object is cut out of the original pixels, and the object is
decided again there (after the zoom-in of Sofiiuk et al. 2020, f-BRS, section 4). Later rounds stay
in the window while what is said lies in it.

All of it is pure: which window, from what was said and answered so far.

H, W original image · h, w mask logits
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from seem_server.engine.preprocess import Layout

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

MARGIN = 0.35
"""What a window shows around its object on each side at least, as a share of the object's longer
side: about what training shows of it."""

LARGEST = 0.6
"""A window whose sides are both more than this share of the image's would bring nothing."""

MAGNIFYING = 1.5
"""A window is enlarged by no more than this: beyond it the network would see blur, not detail."""

ROOM = 0.08
"""Share of the object's longer side that must be left around it for a window to be kept."""

SPARE = 4.0
"""A window is left for a smaller one where its longer side is over this many times the object's."""

ABSENT = -8.0
"""The logit of what lies outside an earlier look."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the original image: columns x0 to x1 and rows y0 to y1, ends not included."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.y1 - self.y0, self.x1 - self.x0


def whole(size: tuple[int, int]) -> Window:
    """All of an image of (H, W)."""
    return Window(0, 0, size[1], size[0])


def subject(prompt: ObjectPrompt, mask: Box | None) -> Box | None:
    """Around all of the object that is known: its mask, and what was said of where it is."""
    boxes = [mask] if mask is not None else []
    boxes += [prompt.box] if prompt.box is not None else []
    boxes += [Box(p.x, p.y, p.x, p.y) for p in prompt.points if p.positive]
    outlines: list[Lasso | Scribble] = [*prompt.scribbles, *prompt.lassos]
    boxes += [_around(one.points) for one in outlines if one.positive]
    if not boxes:
        return None
    return Box(
        min(box.x0 for box in boxes),
        min(box.y0 for box in boxes),
        max(box.x1 for box in boxes),
        max(box.y1 for box in boxes),
    )


def extent(over: Mask, layout: Layout, window: Window) -> Box | None:
    """Around the cells (h, w) that are over the threshold in a look through `window`."""
    rows, columns = np.flatnonzero(over.any(axis=1)), np.flatnonzero(over.any(axis=0))
    if not len(rows):
        return None
    frame = layout.frame
    right, bottom = window.x0 + window.size[1], window.y0 + window.size[0]
    return Box(
        window.x0 + float(columns[0]) * frame.stride / frame.scale_x,
        window.y0 + float(rows[0]) * frame.stride / frame.scale_y,
        min(window.x0 + float(columns[-1] + 1) * frame.stride / frame.scale_x, right),
        min(window.y0 + float(rows[-1] + 1) * frame.stride / frame.scale_y, bottom),
    )


def window_around(thing: Box, size: tuple[int, int], long_side: int) -> Window | None:
    """The window to look at `thing` through in an image of (H, W); None where it brings nothing.

    `long_side`: of the network's input, to which the window will be brought.
    """
    height, width = size
    extent = max(thing.x1 - thing.x0, thing.y1 - thing.y0)
    side = max(extent * (1 + 2 * MARGIN), long_side / MAGNIFYING)
    shorter = side / 2  # a thin thing needs to be seen with what is beside it
    margin = (side - extent) / 2
    x0, x1 = _stretch(thing.x0 - margin, thing.x1 + margin, shorter, width)
    y0, y1 = _stretch(thing.y0 - margin, thing.y1 + margin, shorter, height)
    if max(x1 - x0, y1 - y0) > LARGEST * max(size):
        return None
    return Window(x0, y0, x1, y1)


def still_serves(window: Window, thing: Box, size: tuple[int, int], long_side: int) -> bool:
    """Whether `thing`, as it is known now, is still well seen through a window used before.

    `size` and `long_side` as in `window_around`.
    """
    extent = max(thing.x1 - thing.x0, thing.y1 - thing.y0)
    room = ROOM * extent
    height, width = size
    inside = (
        (window.x0 == 0 or window.x0 <= thing.x0 - room)
        and (window.y0 == 0 or window.y0 <= thing.y0 - room)
        and (window.x1 == width or window.x1 >= thing.x1 + room)
        and (window.y1 == height or window.y1 >= thing.y1 + room)
    )
    return inside and max(window.size) <= max(SPARE * extent, 2 * long_side / MAGNIFYING)


def within(prompt: ObjectPrompt, window: Window) -> ObjectPrompt:
    """`prompt` in pixels of the window; clicks beside it are left out, shapes are moved."""

    def moved(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
        return tuple((x - window.x0, y - window.y0) for x, y in points)

    boxes = [_moved_box(box, window) for box in prompt.negative_boxes]
    return replace(
        prompt,
        points=tuple(
            Point(point.x - window.x0, point.y - window.y0, point.positive)
            for point in prompt.points
            if window.x0 <= point.x <= window.x1 and window.y0 <= point.y <= window.y1
        ),
        box=None if prompt.box is None else _moved_box(prompt.box, window),
        negative_boxes=tuple(box for box in boxes if box is not None),
        scribbles=tuple(replace(one, points=moved(one.points)) for one in prompt.scribbles),
        lassos=tuple(replace(one, points=moved(one.points)) for one in prompt.lassos),
        mask=None if prompt.mask is None else MaskPrompt(_part(prompt.mask, window)),
    )


def carried(
    logits: Float32, seen: Layout, window: Window, onto: Layout, new_window: Window
) -> Float32:
    """Logits (h, w) of a look through `window`, on the grid of a look through `new_window`.

    Bilinear; what the earlier look did not show is ABSENT.
    """
    rows = _places(onto, new_window, axis=0) - window.y0
    columns = _places(onto, new_window, axis=1) - window.x0
    at_rows = rows * seen.frame.scale_y / seen.frame.stride - 0.5
    at_columns = columns * seen.frame.scale_x / seen.frame.stride - 0.5
    shown = (rows >= 0) & (rows <= window.size[0])
    across = (columns >= 0) & (columns <= window.size[1])
    sampled = _sampled(_sampled(logits, at_rows).T, at_columns).T
    inside = shown[:, None] & across[None, :]
    kept: Float32 = np.where(inside, sampled, np.float32(ABSENT)).astype(np.float32)
    return kept


def _places(layout: Layout, window: Window, *, axis: int) -> npt.NDArray[np.float64]:
    """Where the centres of a look's grid cells lie in the original image, along an axis."""
    frame = layout.frame
    scale, origin = ((frame.scale_y, window.y0), (frame.scale_x, window.x0))[axis]
    cells = np.arange(frame.grid[axis], dtype=np.float64)
    places: npt.NDArray[np.float64] = (cells + 0.5) * frame.stride / scale + origin
    return places


def _sampled(array: Float32, places: npt.NDArray[np.float64]) -> Float32:
    """Rows of (n, m) at fractional places (N,), linearly, the ends repeated: (N, m)."""
    low = np.clip(np.floor(places).astype(np.intp), 0, len(array) - 1)
    high = np.minimum(low + 1, len(array) - 1)
    share = np.clip(places - low, 0, 1).astype(np.float32)[:, None]
    rows: Float32 = array[low] * (1 - share) + array[high] * share
    return rows


def _stretch(low: float, high: float, shortest: float, limit: int) -> tuple[int, int]:
    """A stretch of whole pixels around low to high, at least so long, within 0 to `limit`."""
    lacking = max(shortest - (high - low), 0) / 2
    first = int(np.floor(low - lacking))
    length = min(int(np.ceil(high + lacking)) - first, limit)
    first = min(max(first, 0), limit - length)
    return first, first + length


def _around(points: tuple[tuple[float, float], ...]) -> Box:
    x, y = zip(*points, strict=True)
    return Box(min(x), min(y), max(x), max(y))


def _moved_box(box: Box, window: Window) -> Box | None:
    """The part of a box that the window shows, in its pixels; None where that is nothing."""
    height, width = window.size
    x0, x1 = (min(max(x - window.x0, 0.0), width) for x in (box.x0, box.x1))
    y0, y1 = (min(max(y - window.y0, 0.0), height) for y in (box.y0, box.y1))
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _part(prompt: MaskPrompt, window: Window) -> npt.NDArray[np.bool_]:
    return prompt.mask[window.y0 : window.y1, window.x0 : window.x1]
