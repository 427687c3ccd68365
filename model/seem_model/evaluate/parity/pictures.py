"""Resizing, normalising and padding the recorded pictures. No model takes part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from seem_model.evaluate.framing import Framing, Rounding
from seem_model.evaluate.parity.setting import network_input
from seem_model.evaluate.parity.tolerances import LEVELS, NORMALISED
from seem_model.variants import Resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seem_model.evaluate.parity.sheet import Sheet

    Pixels = NDArray[np.uint8]

DIVISOR = 32
UNBOUNDED = 1 << 16
RECORDED = Resize(182, UNBOUNDED)
"""Of the pictures of all runs: small, so that the outputs are."""

DEMO = Resize(512, UNBOUNDED)
CLICKS = Resize(800, 1333)


def check_pictures(sheet: Sheet) -> None:
    """Every recorded resized or padded picture, from the originals."""
    golden = sheet.golden
    for number in (0, 1):
        sheet.given(f"raw{number}")
        sheet.compare(f"resized{number}", resized(golden[f"raw{number}"], RECORDED), LEVELS)
        padded = network_input(golden[f"resized{number}"], DIVISOR, torch.float64)
        sheet.compare(f"padded{number}", padded.numpy(), NORMALISED)
    large = resized(golden["raw0"], DEMO)
    sheet.equal("resized512_shape", np.array(large.shape))
    sheet.compare("resized512_s8", large[::8, ::8], LEVELS)
    wide = resized(golden["raw_100x300"], CLICKS)
    sheet.given("raw_100x300")
    sheet.equal("resize800max1333_of_100x300_shape", np.array(wide.shape))
    sheet.compare("resize800_s16", wide[::16, ::16], LEVELS)


def resized(picture: Pixels, resize: Resize) -> Pixels:
    """(h, w, 3) as the published demo and click evaluation resize it."""
    bicubic = Image.Resampling.BICUBIC
    framing = Framing(resize, Rounding.FLOOR, bicubic, DIVISOR)
    height, width = framing.resized((picture.shape[0], picture.shape[1]))
    return np.asarray(Image.fromarray(picture).resize((width, height), bicubic))
