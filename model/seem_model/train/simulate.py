"""Prompts as people give them, made from the true mask.

First click: anywhere inside, more often well inside. Corrections: on the largest error, positive if
something is missing, negative if something is too much (Sofiiuk et al. 2022, section 3.3). Boxes
are loose and shifted; scribbles follow the object's body; rough masks are the true ones, spoilt.

All coordinates are in pixels of the frame of `target`, which may be coarser than the network's:
`step` network pixels for each pixel of the target.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble

if TYPE_CHECKING:
    import numpy.typing as npt

    Rng = np.random.Generator
    Mask = npt.NDArray[np.bool_]

FIRST_KINDS = {
    "click": 0.52,
    "box": 0.15,
    "scribble": 0.13,
    "lasso": 0.06,
    "mask": 0.05,
    "box+click": 0.05,
    "click+not": 0.04,
}
P_DEEPEST, P_MIDDLE = 0.6, 0.6
P_STROKE, P_REGION = 0.10, 0.05
"""Of corrections: a scribble, or an outline around what is too much; else a click."""


def first_prompt(target: Mask, step: float, rng: Rng) -> ObjectPrompt:
    """What a person says first about `target` (which must not be empty)."""
    kind = rng.choice(list(FIRST_KINDS), p=list(FIRST_KINDS.values()))
    if kind == "click":
        return ObjectPrompt(points=(click_inside(target, step, rng, positive=True),))
    if kind == "scribble":
        return ObjectPrompt(scribbles=(scribble_inside(target, step, rng, positive=True),))
    if kind == "mask":
        return ObjectPrompt(mask=MaskPrompt(rough_mask(target, step, rng)))
    if kind == "lasso":
        return ObjectPrompt(lassos=(loose_lasso(target, step, rng, positive=True),))
    if kind == "click+not":
        inside = click_inside(target, step, rng, positive=True)
        around = _near(target) & ~target
        if not around.any():
            return ObjectPrompt(points=(inside,))
        return ObjectPrompt(points=(inside, click_inside(around, step, rng, positive=False)))
    box = loose_box(target, step, rng)
    if kind == "box":
        return ObjectPrompt(box=box)
    return ObjectPrompt(box=box, points=(click_inside(target, step, rng, positive=True),))


def corrected(
    prompt: ObjectPrompt, target: Mask, predicted: Mask, step: float, rng: Rng
) -> ObjectPrompt:
    """`prompt` and one correction of the largest error; unchanged where there is none."""
    missing, extra = target & ~predicted, predicted & ~target
    depth_missing, depth_extra = _depth(missing), _depth(extra)
    if not missing.any() and not extra.any():
        return prompt
    positive = bool(depth_missing.max() >= depth_extra.max())
    region = missing if positive else extra
    kind = rng.random()
    if kind < P_STROKE and region.sum() > 60:
        stroke = scribble_inside(region, step, rng, positive=positive)
        return replace(prompt, scribbles=(*prompt.scribbles, stroke))
    region = _largest_component(region)
    if P_STROKE <= kind < P_STROKE + P_REGION and not positive:
        return _fenced_off(prompt, region, target, step, rng)
    point = click_inside(region, step, rng, positive=positive)
    return replace(prompt, points=(*prompt.points, point))


def click_inside(region: Mask, step: float, rng: Rng, *, positive: bool) -> Point:
    """A click in `region`: mostly its deepest place, else anywhere not at the rim."""
    depth = _depth(region)
    if rng.random() < P_DEEPEST:
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    else:
        rows, columns = np.nonzero(depth > rng.uniform(0.0, 0.5) * depth.max())
        pick = rng.integers(len(rows))
        row, column = rows[pick], columns[pick]
    shift = rng.uniform(0, 1, 2)
    return Point(float((column + shift[0]) * step), float((row + shift[1]) * step), positive)


def loose_box(target: Mask, step: float, rng: Rng) -> Box:
    """The bounding box with each side moved by up to a tenth of its extent."""
    rows, columns = np.nonzero(target.any(1))[0], np.nonzero(target.any(0))[0]
    x0, x1, y0, y1 = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    wide, high = x1 - x0, y1 - y0
    jitter = np.clip(rng.normal(0, 0.04, 4), -0.1, 0.1) * [wide, high, wide, high]
    height, width = target.shape
    x0, y0 = np.clip([x0 + jitter[0], y0 + jitter[1]], 0, [width - 1, height - 1])
    x1, y1 = np.clip([x1 + jitter[2], y1 + jitter[3]], [x0 + 1, y0 + 1], [width, height])
    return Box(float(x0 * step), float(y0 * step), float(x1 * step), float(y1 * step))


def loose_lasso(target: Mask, step: float, rng: Rng, *, positive: bool) -> Lasso:
    """An outline around the mask, some way off, with few corners and a shaky hand."""
    extent = max(float(np.sqrt(target.sum())), 2.0)
    size = int(rng.uniform(0.02, 0.15) * extent) * 2 + 3
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    grown = cv2.dilate(target.astype(np.uint8), kernel)
    contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = np.concatenate(contours)[:, 0]
    if len(contours) > 1:
        outline = cv2.convexHull(outline)[:, 0]
    n_corners = int(rng.integers(6, 33))
    corners = outline[np.arange(n_corners) * len(outline) // n_corners].astype(float) + 0.5
    corners += rng.normal(0, 0.01 * extent, corners.shape)
    return Lasso(tuple((float(x * step), float(y * step)) for x, y in corners), positive)


def _fenced_off(
    prompt: ObjectPrompt, region: Mask, target: Mask, step: float, rng: Rng
) -> ObjectPrompt:
    """`prompt` and a box or outline around what is too much, where that holds none of the thing."""
    box = loose_box(region, step, rng)
    corners = (int(box.y0 / step), int(box.y1 / step), int(box.x0 / step), int(box.x1 / step))
    if not target[corners[0] : corners[1] + 1, corners[2] : corners[3] + 1].any():
        return replace(prompt, negative_boxes=(*prompt.negative_boxes, box))
    inside = cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    contours, _ = cv2.findContours(
        (inside if inside.any() else region).astype(np.uint8),
        cv2.RETR_EXTERNAL,
        cv2.CHAIN_APPROX_SIMPLE,
    )
    outline = max(contours, key=len)[:, 0]
    held = cv2.fillPoly(np.zeros(region.shape, np.uint8), [outline], 1) > 0
    if len(outline) < 3 or (held & target).any():
        return replace(
            prompt, points=(*prompt.points, click_inside(region, step, rng, positive=False))
        )
    xy = tuple((float((x + 0.5) * step), float((y + 0.5) * step)) for x, y in outline)
    return replace(prompt, lassos=(*prompt.lassos, Lasso(xy, positive=False)))


def _near(target: Mask) -> Mask:
    """Within a third of the mask's extent."""
    size = max(int(np.sqrt(target.sum()) / 3), 2) * 2 + 1
    near: Mask = cv2.dilate(target.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    return near


def scribble_inside(region: Mask, step: float, rng: Rng, *, positive: bool) -> Scribble:
    """A line along the middle of the largest piece, or through 2 to 5 places of the whole body."""
    if rng.random() < P_MIDDLE:
        places = _middle_line(_largest_component(region), rng)
    else:
        depth = _depth(region)
        rows, columns = np.nonzero(depth > 0.35 * depth.max())
        picks = rng.integers(len(rows), size=int(rng.integers(2, 6)))
        places = np.stack([columns[picks], rows[picks]], axis=1) + 0.5
        places = places[np.argsort(places @ rng.normal(size=2))]
    return Scribble(tuple((float(x * step), float(y * step)) for x, y in places), positive)


def _middle_line(region: Mask, rng: Rng) -> npt.NDArray[np.floating[Any]]:
    """Places (n, 2), (x, y), n ≥ 2: the deepest of each slice across the region's longest axis.

    A stretch of 60 to 100 % of them is kept.
    """
    depth = _depth(region)
    rows, columns = np.nonzero(depth > 0.3 * depth.max())
    places = np.stack([columns, rows], axis=1) + 0.5
    centred = places - places.mean(0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = centred @ axis
    n_slices = int(rng.integers(3, 9))
    share = (along - along.min()) / max(float(np.ptp(along)), 1e-6)
    which = np.minimum((share * n_slices).astype(int), n_slices - 1)
    order = np.lexsort((-depth[rows, columns], which))
    line = places[order[np.unique(which[order], return_index=True)[1]]]
    kept = max(2, round(rng.uniform(0.6, 1.0) * len(line)))
    first = int(rng.integers(0, max(len(line) - kept, 0) + 1))
    line = line[first : first + kept]
    line = line if len(line) > 1 else np.concatenate([line, line + 0.2])
    return line if rng.random() < 0.5 else line[::-1]


def rough_mask(target: Mask, step: float, rng: Rng) -> Mask:
    """The mask dilated or eroded, shifted, with a bite taken out; at network resolution."""
    extent = max(int(np.sqrt(target.sum()) * 0.12), 1)
    size = int(rng.integers(1, extent + 1)) * 2 + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    exact = target.astype(np.uint8)
    grown = cv2.dilate(exact, kernel) if rng.random() < 0.6 else cv2.erode(exact, kernel)
    spoilt = grown if grown.any() else exact
    shift = rng.integers(-extent, extent + 1, 2)
    moved = np.roll(spoilt, tuple(shift), axis=(0, 1))
    factor = round(step)
    return np.kron(moved, np.ones((factor, factor), np.uint8)).astype(bool)


def _depth(region: Mask) -> npt.NDArray[np.float32]:
    """Distance of each pixel of the region to its rim; the image's border counts as rim."""
    padded = np.pad(region.astype(np.uint8), 1)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1].astype(np.float32)


def _largest_component(region: Mask) -> Mask:
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
    if count <= 2:
        return region
    largest: Mask = labels == 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    return largest
