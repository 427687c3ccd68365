"""Resizing, normalising and padding the recorded pictures. No model takes part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from seem_model.evaluate.parity.setting import network_input
from seem_model.evaluate.parity.tolerances import NORMALISED, PIXEL_VALUES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seem_model.evaluate.parity.sheet import Sheet

    Pixels = NDArray[np.uint8]

SHORT_SIDE = 182
"""Of the recorded pictures: small, so that the outputs are."""

DIVISOR = 32


def check_pictures(sheet: Sheet) -> None:
    """Every recorded resized or padded picture, from the originals."""
    golden = sheet.golden
    for number in (0, 1):
        resized = shrink(golden[f"raw{number}"], SHORT_SIDE)
        sheet.given(f"raw{number}")
        sheet.compare(f"resized{number}", resized, PIXEL_VALUES)
        padded = network_input(resized, DIVISOR, torch.float64)
        sheet.compare(f"padded{number}", padded.numpy(), NORMALISED)
    large = shrink(golden["raw0"], 512)
    sheet.equal("resized512_shape", np.array(large.shape))
    sheet.compare("resized512_s8", large[::8, ::8], PIXEL_VALUES)
    wide = shrink(golden["raw_100x300"], 800, 1333)
    sheet.given("raw_100x300")
    sheet.equal("resize800max1333_of_100x300_shape", np.array(wide.shape))
    sheet.compare("resize800_s16", wide[::16, ::16], PIXEL_VALUES)


def shrink(picture: Pixels, short_side: int, long_side: int | None = None) -> Pixels:
    """(h, w, 3) with its short side at `short_side`, unless the long one passed `long_side`.

    Bicubic, sides cut down to whole pixels: what the published demo and click evaluation do.
    """
    height, width = picture.shape[:2]
    short, long = sorted((height, width))
    new_short, new_long = short_side, short_side * long // short
    if long_side is not None and new_long > long_side:
        new_short, new_long = long_side * new_short // new_long, long_side
    size = (new_long, new_short) if width >= height else (new_short, new_long)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
