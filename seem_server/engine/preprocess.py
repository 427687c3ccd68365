"""From an image's pixels to the network's input, and where a pixel went.

H, W original image · h, w resized image · the network's input is the resized image, padded
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from seem_server.runtime.specs import Filter, LongSide, Rounding, ShortSide
from seem_wire.pixels import Frame

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_server.runtime.specs import BundleManifest, ImageSpec

    Pixels = npt.NDArray[np.uint8]
    Float32 = npt.NDArray[np.float32]

_REDUCING_GAP = 2.0
"""Large images are first shrunk by whole factors, to no less than this times the wanted size:
twice as fast for 12 megapixels, and no eye sees it. Only where no published figures depend on it.
"""

_STRIP = 64
"""Rows that are shrunk by a whole factor at a time, so that what is copied for it stays in the
processor's caches: for 12 megapixels half the time of a copy of everything."""

_FILTERS = {Filter.BILINEAR: Image.Resampling.BILINEAR, Filter.BICUBIC: Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True)
class Layout:
    """How an image lies in the network's input.

    `size`: original (H, W). `resized`: (h, w) within the padded input that `frame` describes.
    """

    size: tuple[int, int]
    resized: tuple[int, int]
    frame: Frame


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An image resized for the network, uint8 RGB (h, w, 3): all that encoding needs of it."""

    pixels: Pixels
    layout: Layout

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels."""
        return self.pixels.nbytes


def lay_out(size: tuple[int, int], manifest: BundleManifest) -> Layout:
    """Where an image of `size` (H, W) goes: it is resized by the bundle's rule, whatever it was."""
    spec = manifest.image
    height, width = size
    resized = resized_size(size, spec.resize)
    frame = Frame(
        scale_x=resized[1] / width,
        scale_y=resized[0] / height,
        height=_padded(resized[0], spec),
        width=_padded(resized[1], spec),
        stride=manifest.mask_stride,
        resized=resized,
    )
    return Layout(size, resized, frame)


def resized_size(size: tuple[int, int], rule: LongSide | ShortSide) -> tuple[int, int]:
    """The (h, w) that an image of `size` (H, W) is resized to; no side vanishes."""
    if isinstance(rule, LongSide):
        scale = rule.long_side / max(size)
        return _rounded(size[0] * scale, rule), _rounded(size[1] * scale, rule)
    whole = _cut_off if rule.rounding is Rounding.FLOOR else _half_up
    short, long = whole(min(size), max(size), rule)
    return (short, long) if size[0] <= size[1] else (long, short)


def prepare(pixels: Pixels, manifest: BundleManifest) -> Prepared:
    """Resizes RGB uint8 (H, W, 3) with an antialiasing filter."""
    layout = lay_out(pixels.shape[:2], manifest)
    height, width = layout.resized
    spec = manifest.image
    across = down = 1
    if isinstance(spec.resize, LongSide):
        across = max(int(pixels.shape[1] / width / _REDUCING_GAP), 1)
        down = max(int(pixels.shape[0] / height / _REDUCING_GAP), 1)
    box = (0, 0, pixels.shape[1] / across, pixels.shape[0] / down)
    image = _shrunk(pixels, across, down)
    return Prepared(np.asarray(image.resize((width, height), _FILTERS[spec.filter], box)), layout)


def to_input(prepared: Prepared, manifest: BundleManifest) -> Float32:
    """The network's input, float32 (1, 3, H, W): normalised, then padded with zeros."""
    frame = prepared.layout.frame
    height, width = prepared.layout.resized
    spec = manifest.image
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (spec.mean, spec.std))
    image = np.zeros((1, 3, frame.height, frame.width), np.float32)
    shown = image[0, :, :height, :width]  # in place: each further array costs as much as the sums
    shown[...] = prepared.pixels.transpose(2, 0, 1)
    shown -= mean
    # To the last bit as each was made: one that differs can turn over a published model's hard
    # attention masks, and with them 2 % of a segment.
    if isinstance(spec.resize, LongSide):
        shown *= np.float32(1) / std
    else:
        shown /= std
    return image


def _shrunk(pixels: Pixels, across: int, down: int) -> Image.Image:
    """An image in which each pixel is the mean of so many; those at the far edges of fewer."""
    if across == down == 1:
        return Image.fromarray(pixels)
    rows = max(_STRIP // down, 1) * down
    strips = (pixels[top : top + rows] for top in range(0, len(pixels), rows))
    means = [np.asarray(Image.fromarray(strip).reduce((across, down))) for strip in strips]
    return Image.fromarray(np.concatenate(means))


def _rounded(side: float, rule: LongSide) -> int:
    """The nearest multiple, and never none: even a line of pixels keeps a cell."""
    return max(int(side / rule.side_multiple + 0.5), 1) * rule.side_multiple


def _cut_off(short: int, long: int, rule: ShortSide) -> tuple[int, int]:
    """As torchvision's Resize: the second scaling begins from the first one's whole numbers."""
    new_short, new_long = rule.short_side, rule.short_side * long // short
    if new_long > rule.long_side:
        new_short, new_long = rule.long_side * new_short // new_long, rule.long_side
    return max(new_short, 1), new_long


def _half_up(short: int, long: int, rule: ShortSide) -> tuple[int, int]:
    """As detectron2's ResizeShortestEdge: both scalings, and then both sides become whole."""
    new_short, new_long = float(rule.short_side), rule.short_side / short * long
    if new_long > rule.long_side:
        scale = rule.long_side / new_long
        new_short, new_long = new_short * scale, new_long * scale
    return max(int(new_short + 0.5), 1), int(new_long + 0.5)


def _padded(side: int, spec: ImageSpec) -> int:
    return -(-side // spec.divisor) * spec.divisor
