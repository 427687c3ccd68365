"""Pictures that a person can judge at a glance: masks tinted and outlined, prompts drawn on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from seem_client.overlay import colour_of, tint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_client import Prediction
    from seem_client.overlay import Colour
    from seem_wire.prompts import Box, Lasso, ObjectPrompt, Point, Scribble

_POSITIVE, _NEGATIVE, _WHITE, _BLACK = (20, 170, 60), (215, 30, 40), (255, 255, 255), (0, 0, 0)
_SHORT_SIDE = 600
"""Smaller images are enlarged to about this, so that outlines and prompts stay fine."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One object to draw: its mask, and what was said about it; only outlined if not `tinted`."""

    prediction: Prediction
    prompt: ObjectPrompt
    tinted: bool = True


def overlay(photo: Image.Image, objects: Sequence[Drawn], caption: str = "") -> Image.Image:
    """The photo, upright RGB, with its objects drawn; enlarged by a whole number where small."""
    scale = max(1, round(_SHORT_SIDE / min(photo.size)))
    pixels = np.array(photo.convert("RGB"))
    for one in objects:
        if one.tinted:
            tint(pixels, one.prediction.mask, colour_of(one.prediction.object_id))
    image = Image.fromarray(pixels)
    image = image.resize((photo.width * scale, photo.height * scale), Image.Resampling.BICUBIC)
    pen = _Pen(ImageDraw.Draw(image), scale)
    for one in objects:
        pen.outline(one.prediction, colour_of(one.prediction.object_id))
    for one in objects:
        pen.prompt(one.prompt)
    if caption:
        pen.caption(caption, image.size)
    return image


class _Pen:
    """Draws in pixels of the photo on an image that is `scale` times as large."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: int) -> None:
        self._draw, self._scale = draw, scale

    def outline(self, prediction: Prediction, colour: Colour) -> None:
        for polygon in prediction.polygons:
            for ring in (polygon.outline, *polygon.holes):
                closed = np.concatenate([ring, ring[:1]])
                self._line([(float(x), float(y)) for x, y in closed], colour)

    def prompt(self, prompt: ObjectPrompt) -> None:
        if prompt.box is not None:
            self._box(prompt.box, _POSITIVE)
        for box in prompt.negative_boxes:
            self._box(box, _NEGATIVE)
        for lasso in prompt.lassos:
            self._lasso(lasso)
        for scribble in prompt.scribbles:
            self._scribble(scribble)
        for point in prompt.points:
            self._point(point)

    def caption(self, text: str, size: tuple[int, int]) -> None:
        width, height = size
        _, top, right, bottom = self._draw.textbbox((0, 0), text, font_size=20)
        rim = 8
        corner = (0, height - (bottom - top) - 2 * rim)
        self._draw.rectangle((*corner, min(right + 2 * rim, width), height), fill=_BLACK)
        self._draw.text((rim, corner[1] + rim - top), text, fill=_WHITE, font_size=20)

    def _line(self, vertices: Sequence[tuple[float, float]], colour: Colour) -> None:
        scaled = [(x * self._scale, y * self._scale) for x, y in vertices]
        self._draw.line(scaled, fill=_WHITE, width=5, joint="curve")
        self._draw.line(scaled, fill=colour, width=3, joint="curve")

    def _box(self, box: Box, colour: Colour) -> None:
        corners = [(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)]
        self._line([*corners, corners[0]], colour)

    def _lasso(self, lasso: Lasso) -> None:
        closed = (*lasso.points, lasso.points[0])
        self._line(closed, _POSITIVE if lasso.positive else _NEGATIVE)

    def _scribble(self, scribble: Scribble) -> None:
        self._line(scribble.points, _POSITIVE if scribble.positive else _NEGATIVE)

    def _point(self, point: Point) -> None:
        x, y, radius = point.x * self._scale, point.y * self._scale, 9
        around = (x - radius, y - radius, x + radius, y + radius)
        colour = _POSITIVE if point.positive else _NEGATIVE
        self._draw.ellipse(around, fill=colour, outline=_WHITE, width=2)
        self._draw.line((x - 4, y, x + 4, y), fill=_WHITE, width=2)
        if point.positive:
            self._draw.line((x, y - 4, x, y + 4), fill=_WHITE, width=2)
