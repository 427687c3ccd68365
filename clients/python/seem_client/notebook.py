"""Predictions as a notebook shows them: a picture, and a line for each object.

The picture is a JPEG where Pillow is installed, and else a PNG of the masks alone: to read an image
file needs Pillow.
"""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from seem_client.image import image_pixels
from seem_client.overlay import colour_of, overlaid
from seem_client.png import encode_png
from seem_wire.errors import SeemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from seem_client.prediction import Prediction

    Pixels = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]

T = TypeVar("T", bound=np.generic)

LONGEST_SIDE = 640
"""Larger pictures are shrunk to this at most: a notebook keeps them all in one file."""

_JPEG_QUALITY = 75
_NO_PICTURE = 236


def as_html(predictions: Sequence[Prediction]) -> str:
    """Objects of one image as HTML: what they are drawn on, and what is known of each."""
    lines = "".join(map(_line, predictions))
    table = f"<table>{lines}</table>" if lines else "<p>nothing found</p>"
    picture = _image(_picture(predictions)) if predictions else ""
    return f"<div>{picture}{table}</div>"


def _picture(predictions: Sequence[Prediction]) -> Pixels:
    size = predictions[0].rle.size
    step = -(-max(size) // LONGEST_SIDE)
    background = _background(predictions[0], size)
    alike = (one for one in predictions if one.rle.size == size)
    masks = [(one.object_id, _shrunk_mask(one.mask, step)) for one in alike]
    return overlaid(_shrunk(background, step), masks)


def _background(prediction: Prediction, size: tuple[int, int]) -> Pixels:
    """What the mask is of, or grey: a notebook shows what it can, and raises nothing."""
    grey = np.full((*size, 3), _NO_PICTURE, np.uint8)
    image = None if prediction.picture is None else prediction.picture.image()
    if image is None:
        return grey
    try:
        pixels = image_pixels(image)
    except (SeemError, OSError):
        return grey
    return pixels if pixels.shape == grey.shape else grey


def _shrunk(pixels: Pixels, step: int) -> Pixels:
    """The means of squares of `step` pixels."""
    first, *others = _places_in_squares(pixels, step)
    total = first.astype(np.uint32)
    for place in others:
        total += place
    return (total // step**2).astype(np.uint8)


def _shrunk_mask(mask: Mask, step: int) -> Mask:
    """Squares with any marked pixel, so that thin things stay."""
    shrunk: Mask = np.logical_or.reduce(_places_in_squares(mask, step))
    return shrunk


def _places_in_squares(array: npt.NDArray[T], step: int) -> list[npt.NDArray[T]]:
    """For each place in a square of `step` pixels what all squares, (H / step, W / step), have."""
    height, width = array.shape[:2]
    rims = ((0, -height % step), (0, -width % step), (0, 0))
    whole = np.pad(array, rims[: array.ndim], mode="edge")
    return [whole[y::step, x::step] for y in range(step) for x in range(step)]


def _image(pixels: Pixels) -> str:
    try:
        from PIL import Image  # noqa: PLC0415 - the SDK runs without it
    except ImportError:
        kind, data = "png", encode_png(pixels)
    else:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        kind, data = "jpeg", buffer.getvalue()
    text = base64.b64encode(data).decode("ascii")
    return f'<img style="max-width:100%" src="data:image/{kind};base64,{text}"/>'


def _line(one: Prediction) -> str:
    """A row of the table; names come from a server, so they are escaped."""
    red, green, blue = colour_of(one.object_id)
    name = html.escape(one.label or "")
    if one.label and one.label_probability is not None:
        name += f" ({one.label_probability:.0%})"
    place = "nothing found"
    if one.box is not None:
        box = one.box
        place = f"({box.x0:g}, {box.y0:g}) to ({box.x1:g}, {box.y1:g}), {one.area} pixels"
    cells = (
        f'<span style="color:rgb({red},{green},{blue})">&#9632;</span> {one.object_id}',
        name,
        f"score {one.score:.2f}",
        "" if one.presence is None else f"presence {one.presence:.0%}",
        place,
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
