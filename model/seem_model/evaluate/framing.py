"""How the published evaluations resize a picture for the network.

H, W network input · h, w the picture's part of it
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from seem_model.variants import MEAN, STD
from seem_wire.pixels import Frame

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_model.variants import Resize, Variant

    Rgb = npt.NDArray[np.uint8]
    Float32 = npt.NDArray[np.float32]


class Rounding(StrEnum):
    """FLOOR: the longer side is cut down, as torchvision does. NEAREST: as detectron2 does."""

    FLOOR = "floor"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class Framing:
    """The resizing of one protocol. `divisor`: the network's input is padded to multiples of it."""

    resize: Resize
    rounding: Rounding
    resampling: Image.Resampling
    divisor: int

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of a picture of `size`."""
        if self.rounding is Rounding.FLOOR:
            return self.resize.cut_down(size)
        return _round(size, self.resize)


@dataclass(frozen=True, slots=True, eq=False)
class Framed:
    """A picture as the network sees it: `values` (3, H, W), normalised, then padded with zeros."""

    values: Float32
    size: tuple[int, int]
    resized: tuple[int, int]

    @property
    def padded(self) -> tuple[int, int]:
        """(H, W)."""
        _, height, width = self.values.shape
        return height, width

    @property
    def frame(self) -> Frame:
        """Where the picture lies in the input."""
        (height, width), (rows, columns) = self.padded, self.resized
        return Frame(
            scale_x=columns / self.size[1],
            scale_y=rows / self.size[0],
            height=height,
            width=width,
            resized=self.resized,
        )


def for_clicks(variant: Variant) -> Framing:
    """Framing of the click protocol."""
    bicubic = Image.Resampling.BICUBIC
    return Framing(variant.interactive, Rounding.FLOOR, bicubic, variant.divisor)


def for_texts(variant: Variant) -> Framing:
    """Framing of the referring protocol."""
    bilinear = Image.Resampling.BILINEAR
    return Framing(variant.referring, Rounding.NEAREST, bilinear, variant.divisor)


def for_everything(variant: Variant) -> Framing:
    """Framing of COCO's panoptic, semantic and instance protocols."""
    bilinear = Image.Resampling.BILINEAR
    return Framing(variant.generic, Rounding.NEAREST, bilinear, variant.divisor)


def frame(image: Rgb, framing: Framing) -> Framed:
    """Resizes, normalises, pads."""
    size = image.shape[0], image.shape[1]
    height, width = framing.resized(size)
    resized = Image.fromarray(image).resize((width, height), framing.resampling)
    mean, std = (np.array(one, np.float32) for one in (MEAN, STD))
    normal = (np.asarray(resized, np.float32) - mean) / std
    padding = [(0, -side % framing.divisor) for side in (height, width)]
    values = np.pad(normal.transpose(2, 0, 1), [(0, 0), *padding])
    return Framed(values, size, (height, width))


def _round(size: tuple[int, int], resize: Resize) -> tuple[int, int]:
    scale = resize.short_side / min(size)
    if scale * max(size) > resize.long_side:
        scale = resize.long_side / max(size)
    height, width = size
    return int(height * scale + 0.5), int(width * scale + 0.5)
