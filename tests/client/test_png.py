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


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
def test_grey_and_transparent_arrays_keep_their_channels(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert np.array_equal(read(encode_png(pixels)), pixels.reshape(shape).squeeze())


def test_a_deep_grey_keeps_its_sixteen_bits():
    pixels = np.array([[0, 1, 256], [65535, 4660, 7]], np.uint16)
    assert np.array_equal(read(encode_png(pixels)), pixels)


@pytest.mark.parametrize(
    ("pixels", "hint"),
    [
        (np.zeros((4, 6, 3), np.float32), r"image \* 255"),
        (np.zeros((4, 6), np.bool_), r"mask \* np.uint8\(255\)"),
        (np.zeros((4, 6, 3), np.uint16), "where it is grey"),
        (np.zeros((4, 6), np.int64), r"astype\(np.uint8\)"),
        (np.zeros((3, 6, 8), np.uint8), r"np.moveaxis\(image, 0, -1\)"),
        (np.zeros((2, 4, 6, 3), np.uint8), "one by one"),
        (np.zeros((4, 6, 2), np.uint8), "the message says"),
        (np.zeros(4, np.uint8), "the message says"),
    ],
)
def test_another_shape_or_type_is_refused_with_what_to_do(pixels, hint):
    with pytest.raises(InvalidValue, match=hint) as refused:
        encode_png(pixels)
    assert str(pixels.shape) in refused.value.message


def test_no_pixels_are_no_image():
    with pytest.raises(ImageEmpty):
        encode_png(np.zeros((0, 6, 3), np.uint8))
