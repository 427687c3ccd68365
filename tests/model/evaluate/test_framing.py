from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seem_model.evaluate.framing import (
    Framing,
    Rounding,
    for_clicks,
    for_everything,
    for_texts,
    frame,
)
from seem_model.variants import VARIANTS, Resize

BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
FLOOR, NEAREST = Rounding.FLOOR, Rounding.NEAREST


def framing(short, long, rounding=FLOOR, divisor=32):
    return Framing(Resize(short, long), rounding, BICUBIC, divisor)


@pytest.mark.parametrize(
    ("size", "rounding", "expected"),
    [
        ((480, 640), FLOOR, (800, 1066)),  # 1066.67
        ((480, 640), NEAREST, (800, 1067)),
        ((640, 480), NEAREST, (1067, 800)),
        ((500, 375), FLOOR, (1066, 800)),
        ((100, 300), FLOOR, (444, 1333)),  # longest side 1333
        ((300, 100), FLOOR, (1333, 444)),
        ((100, 300), NEAREST, (444, 1333)),
        ((800, 800), NEAREST, (800, 800)),
    ],
)
def test_sides_are_as_the_published_programs_round_them(size, rounding, expected):
    assert framing(800, 1333, rounding).resized(size) == expected


@pytest.mark.parametrize(
    ("of", "resize", "rounding", "resampling"),
    [
        (for_clicks, (800, 1333), FLOOR, BICUBIC),
        (for_texts, (512, 1024), NEAREST, BILINEAR),
        (for_everything, (800, 1333), NEAREST, BILINEAR),
    ],
)
def test_each_protocol_has_its_own(of, resize, rounding, resampling):
    found = of(VARIANTS["focalt_v1"])
    assert (found.resize, found.rounding) == (Resize(*resize), rounding)
    assert (found.resampling, found.divisor) == (resampling, 32)
    of_sam = of(VARIANTS["samvitb_v1"])
    assert (of_sam.resize, of_sam.divisor) == (Resize(1000, 1024), 1024)


def test_colours_are_normalised_and_padding_is_zero():
    image = np.full((60, 90, 3), (124, 116, 104), np.uint8)
    framed = frame(image, framing(40, 60))
    assert framed.values.shape == (3, 64, 64)
    assert framed.values.dtype == np.float32
    assert (framed.resized, framed.padded, framed.size) == ((40, 60), (64, 64), (60, 90))
    np.testing.assert_allclose(framed.values[0, :40, :60], (124 - 123.675) / 58.395, rtol=1e-4)
    assert not framed.values[:, 40:].any()
    assert not framed.values[:, :, 60:].any()


def test_the_frame_tells_where_the_picture_lies():
    found = frame(np.zeros((60, 90, 3), np.uint8), framing(40, 60)).frame
    assert (found.height, found.width, found.shown) == (64, 64, (40, 60))
    assert found.scale_x == found.scale_y == pytest.approx(2 / 3)


def test_resizing_is_pillows():
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((44, 32), BICUBIC), np.float32)
    found = frame(image, framing(32, 60)).values[0, :32, :44] * 58.395 + 123.675
    np.testing.assert_allclose(found, expected[..., 0], atol=1e-3)
