from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seem_client.png import encode_png
from seem_wire.errors import ImageEmpty, InvalidValue


def read(png):
    return np.asarray(Image.open(io.BytesIO(png)))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_other_programs_read_the_same_pixels(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert np.array_equal(read(encode_png(pixels)), pixels)


def test_a_view_that_is_not_contiguous_is_read_right():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)[::-1, ::2]
    assert np.array_equal(read(encode_png(pixels)), pixels)


def test_even_pixels_take_little_room():
    assert len(encode_png(np.full((1000, 1000, 3), 200, np.uint8))) < 10_000


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 6), np.uint8), np.zeros((4, 6, 4), np.uint8), np.zeros((4, 6, 3), np.float32)],
)
def test_another_shape_or_type_is_refused_with_what_was_expected(pixels):
    with pytest.raises(InvalidValue, match=r"uint8 of shape \(H, W, 3\)"):
        encode_png(pixels)


def test_no_pixels_are_no_image():
    with pytest.raises(ImageEmpty):
        encode_png(np.zeros((0, 6, 3), np.uint8))
