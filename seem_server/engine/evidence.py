"""What a person pointed at holds, whatever the network makes of it.

A pixel that was clicked as the object's is in its mask, one that was clicked as not the object's is
not; nor is anything within a negative box or lasso. The network mostly obeys by itself. Where it
ignored a click or a part of a line, its logits are bent around that place, so that the mask takes
it in like a part of the object and not as a lonely dot; in the end the very pixels are set.

All of this is about what is drawn. The memory of the next round keeps the logits as they were.

h, w mask logits · H, W original image · N places
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from seem_wire.pixels import (
    Frame,
    box_coverage,
    draw_disks,
    inside_lasso,
    line_pixels,
    pixels_under,
    stroke_path,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_wire.prompts import Box, Lasso, ObjectPrompt

    Float32 = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.intp]
    Mask = npt.NDArray[np.bool_]

RADIUS = 3.0
"""How far around an ignored click the logits are bent, in their cells."""

MARGIN = 4.0
"""How far beyond the threshold they are bent at the click itself: as sure as a given mask is."""

_HALF = 0.5


def bend(logits: Float32, prompt: ObjectPrompt, frame: Frame, threshold: float) -> Float32:
    """Logits (h, w) that agree with each click and line; the same array where they did.

    Around a place that was ignored they go over (or under) the threshold, less and less with the
    distance, and no nearer to a place of the other sign than to this one.
    """
    here = _places(prompt, frame, positive=True)
    not_here = _places(prompt, frame, positive=False)
    bent = _bent(logits, here, not_here, threshold)
    if not len(not_here):
        return bent
    turned = -bent
    lowered = _bent(turned, not_here, here, -threshold)
    return bent if lowered is turned else -lowered


def _bent(logits: Float32, wanted: Float32, others: Float32, threshold: float) -> Float32:
    """Logits (h, w) over the threshold around each of the places `wanted` that is not."""
    ignored = wanted[~_over(logits, wanted, threshold)]
    if not len(ignored):
        return logits
    pull = _cones(ignored, logits.shape) - _cones(others, logits.shape)
    raised = np.maximum(logits, np.float32(threshold) + np.float32(MARGIN) * pull)
    return np.where(pull > 0, raised, logits)


def settle(mask: Mask, prompt: ObjectPrompt) -> None:
    """Sets the very pixels of a mask (H, W) that `prompt` is certain of, in place.

    Of two clicks on one pixel the later holds. Otherwise, as nothing tells which was said last,
    what is not the object's holds before what is.
    """
    height, width = mask.shape
    whole = Frame(1.0, 1.0, height, width, stride=1)
    clicks = _clicks(prompt, whole)
    for sign in (True, False):
        for scribble in prompt.scribbles:
            if scribble.positive is sign:
                for under in line_pixels(scribble, whole):
                    mask[under[:, 1], under[:, 0]] = sign
        if not sign:
            _clear(mask, prompt)
        for (x, y), positive in clicks.items():
            if positive is sign:
                mask[y, x] = sign


def _clear(mask: Mask, prompt: ObjectPrompt) -> None:
    for box in prompt.negative_boxes:
        rows, columns = _window(box, mask.shape)
        mask[rows, columns] = False
    for lasso in prompt.lassos:
        if not lasso.positive:
            _clear_lasso(mask, lasso)


def _clear_lasso(mask: Mask, lasso: Lasso) -> None:
    x, y = np.array(lasso.points, np.float64).T
    rows, columns = (
        slice(max(int(np.floor(side.min())), 0), max(min(int(np.ceil(side.max())), length), 0))
        for side, length in zip((y, x), mask.shape, strict=True)
    )
    part = mask[rows, columns]
    centres = [
        np.arange(some.start, some.start + n) + _HALF
        for some, n in zip((rows, columns), part.shape, strict=True)
    ]
    part &= ~inside_lasso(lasso, centres[1], centres[0])


def _window(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the pixels whose centre a box holds; at least the one at its middle."""
    spans = []
    for low, high, length in ((box.y0, box.y1, shape[0]), (box.x0, box.x1, shape[1])):
        first, end = (min(max(int(np.ceil(edge - _HALF)), 0), length) for edge in (low, high))
        middle = min(max(int((low + high) / 2), 0), length - 1)
        spans.append(slice(first, end) if first < end else slice(middle, middle + 1))
    return spans[0], spans[1]


def _clicks(prompt: ObjectPrompt, frame: Frame) -> dict[tuple[int, int], bool]:
    """What was said last of each pixel (x, y) of the image that was clicked."""
    if not prompt.points:
        return {}
    under = pixels_under(np.array([(p.x, p.y) for p in prompt.points], np.float64), frame)
    signs = (point.positive for point in prompt.points)
    return {(int(x), int(y)): sign for (x, y), sign in zip(under, signs, strict=True)}


def _places(prompt: ObjectPrompt, frame: Frame, *, positive: bool) -> Float32:
    """Where clicks and scribbles of one sign are, (N, 2), in grid cells; none where forbidden."""
    scale = np.array([frame.scale_x, frame.scale_y], np.float32)
    standing = {(int(one.x), int(one.y)): one for one in prompt.points}.values()
    clicks = [(one.x, one.y) for one in standing if one.positive is positive]
    strokes = [one for one in prompt.scribbles if one.positive is positive]
    path = stroke_path(strokes, scale, frame.stride)
    xy = np.concatenate([np.array(clicks, np.float32).reshape(-1, 2) * scale, path])
    xy /= np.float32(frame.stride)
    if positive and len(xy):
        forbidden = _forbidden(prompt, frame)
        if forbidden is not None:
            xy = xy[~forbidden[_cells(xy, forbidden.shape)]]
    return xy


def _forbidden(prompt: ObjectPrompt, frame: Frame) -> Mask | None:
    """The grid cells (h, w) that negative boxes and lassos hold; None where there are none."""
    negative = [lasso for lasso in prompt.lassos if not lasso.positive]
    if not (prompt.negative_boxes or negative):
        return None
    held = np.zeros(frame.grid, np.bool_)
    for box in prompt.negative_boxes:
        held |= box_coverage(box, frame) > _HALF
    rows, columns = ((np.arange(n) + _HALF) * frame.stride for n in frame.grid)
    for lasso in negative:
        held |= inside_lasso(lasso, columns / frame.scale_x, rows / frame.scale_y)
    return held


def _over(logits: Float32, xy: Float32, threshold: float) -> Mask:
    """Whether logits are over the threshold at places (N, 2), in the cell and as enlarged."""
    if not len(xy):
        return np.zeros(0, np.bool_)
    cell = logits[_cells(xy, logits.shape)]
    between = ndimage.map_coordinates(logits, xy[:, ::-1].T - _HALF, order=1, mode="nearest")
    over: Mask = (cell > threshold) & (between > threshold)
    return over


def _cells(xy: Float32, shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    x, y = xy.astype(np.intp).T
    return np.clip(y, 0, shape[0] - 1), np.clip(x, 0, shape[1] - 1)


def _cones(xy: Float32, shape: tuple[int, ...]) -> Float32:
    """1 at places (N, 2) and less with the distance, 0 from RADIUS on: (h, w) float32."""
    cones = np.zeros(shape, np.float32)
    draw_disks(cones, xy, 0.0, rim=RADIUS)
    return cones
