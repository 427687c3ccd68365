"""What an image layer shows, as pictures that a server reads."""

from __future__ import annotations

import numpy as np
import pytest

from seem_client.adapters.napari.pictures import Frames, Picture
from seem_wire.errors import InvalidValue

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
GREY = np.array([[0, 100], [200, 255]])


def shown(array, *, is_rgb=False, limits=(0.0, 255.0)):
    return Picture(array, is_rgb, limits).pixels()


def test_colours_of_bytes_are_sent_as_they_are_without_their_opacity():
    opaque = np.dstack([RGB, np.full((2, 3), 255, np.uint8)])
    assert np.array_equal(shown(RGB, is_rgb=True), RGB)
    assert np.array_equal(shown(opaque, is_rgb=True), RGB)


@pytest.mark.parametrize(("dtype", "greatest"), [(np.uint16, 65535), (np.float32, 1)])
def test_colours_of_other_numbers_are_scaled_by_their_type(dtype, greatest):
    bright = np.full((2, 3, 3), greatest, dtype)
    assert (shown(bright, is_rgb=True) == 255).all()
    assert (shown((bright / 5).astype(dtype), is_rgb=True) == 51).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_greys_of_any_numbers_become_three_equal_colours(dtype):
    pixels = shown(GREY.astype(dtype))
    assert pixels.shape == (2, 2, 3)
    assert np.array_equal(pixels[..., 0], GREY)
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_greys_are_seen_between_the_contrast_limits():
    assert shown(np.array([[1000, 1500, 2000, 9000]], np.uint16), limits=(1000, 2000))[
        0, :, 0
    ].tolist() == [0, 128, 255, 255]


def test_what_is_no_number_is_dark_and_flat_images_are_images():
    holes = np.array([[np.nan, np.inf, -np.inf, 0.5]])
    assert shown(holes, limits=(0, 1))[0, :, 0].tolist() == [0, 255, 0, 128]
    assert not shown(np.zeros((2, 2)), limits=(0, 0)).any()


def test_truths_are_an_image():
    assert shown(np.eye(2, dtype=np.bool_), limits=(0, 1))[..., 0].tolist() == [[255, 0], [0, 255]]


@pytest.mark.parametrize(
    ("shape", "is_rgb", "n_frames", "size"),
    [
        ((4, 6), False, None, (4, 6)),
        ((4, 6, 3), True, None, (4, 6)),
        ((5, 4, 6), False, 5, (4, 6)),
        ((5, 4, 6, 3), True, 5, (4, 6)),
    ],
)
def test_a_third_dimension_is_time(shape, is_rgb, n_frames, size):
    picture = Picture(np.zeros(shape, np.uint8), is_rgb)
    assert (picture.n_frames, picture.size) == (n_frames, size)


def test_frames_are_made_when_they_are_asked_for():
    stack = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    frames = Frames(Picture(stack, is_rgb=False))
    assert len(frames) == 3
    assert [int(one.max()) for one in frames] == [0, 1, 2]
    assert [int(one.max()) for one in frames[1:]] == [1, 2]


@pytest.mark.parametrize("array", [np.zeros(4), np.zeros((1, 2, 3, 4)), np.zeros((2, 2), complex)])
def test_what_is_no_image_is_refused_in_a_sentence(array):
    with pytest.raises(InvalidValue, match="The layer h"):
        Picture(array, is_rgb=False)
