from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seem_server.engine.preprocess import lay_out, prepare, to_input
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.specs import Filter, Rounding, ShortSide

SPEC = MANIFEST.image  # long side 256, sides multiples of 4, padded to multiples of 32


@pytest.mark.parametrize(
    ("size", "resized", "padded"),
    [
        ((1024, 1024), (256, 256), (256, 256)),
        ((600, 800), (192, 256), (192, 256)),
        ((800, 600), (256, 192), (256, 192)),
        ((427, 640), (172, 256), (192, 256)),
        ((10, 10), (256, 256), (256, 256)),
        ((1, 5000), (4, 256), (32, 256)),
        ((5000, 1), (256, 4), (256, 32)),
    ],
)
def test_the_long_side_fills_the_network_and_each_side_is_rounded_and_padded(size, resized, padded):
    layout = lay_out(size, MANIFEST)
    assert layout.resized == resized
    assert (layout.frame.height, layout.frame.width) == padded


def test_the_frame_takes_the_far_corner_to_the_resized_images_corner():
    layout = lay_out((427, 640), MANIFEST)
    frame = layout.frame
    corner = (427 * frame.scale_y, 640 * frame.scale_x)
    assert corner == pytest.approx(layout.resized)


def test_the_input_is_normalised_and_padded_with_zeros():
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[..., 2] = 0
    image = to_input(prepare(pixels, MANIFEST), MANIFEST)
    assert image.shape == (1, 3, 128, 256)
    assert image.dtype == np.float32
    assert image[0, :, 127, 255] == pytest.approx([1, 1, -1])


def test_what_is_beyond_the_image_is_zero():
    image = to_input(prepare(np.full((427, 640, 3), 255, np.uint8), MANIFEST), MANIFEST)
    assert (image[0, :, :172] == 1).all()
    assert (image[0, :, 172:] == 0).all()


def test_fine_stripes_become_grey_instead_of_moire():
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    resized = prepare(stripes, MANIFEST).pixels
    assert np.abs(resized.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("size", [(1201, 1603), (1700, 1100), (40, 3000), (3000, 40), (513, 515)])
def test_large_images_are_shrunk_in_strips_to_the_bits_of_the_whole(size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    prepared = prepare(pixels, MANIFEST)
    wanted, bilinear = prepared.layout.resized[::-1], Image.Resampling.BILINEAR
    whole = Image.fromarray(pixels).resize(wanted, bilinear, reducing_gap=2.0)
    np.testing.assert_array_equal(prepared.pixels, np.asarray(whole))


def test_inputs_are_products_to_the_last_bit():
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    manifest = replace(MANIFEST, image=replace(SPEC, mean=mean, std=std))
    image = to_input(prepare(pixels, manifest), manifest)[0].transpose(1, 2, 0)
    exact = (pixels.astype(np.float32) - np.float32(mean)) * (np.float32(1) / np.float32(std))
    assert (image == exact).all()


def test_equal_pixels_give_equal_bits():
    pixels = np.random.default_rng(0).integers(0, 256, (333, 517, 3), np.uint8)
    once, again = (to_input(prepare(pixels, MANIFEST), MANIFEST) for _ in range(2))
    assert (once == again).all()


def test_a_megapixel_takes_little_time():
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        to_input(prepare(pixels, MANIFEST), MANIFEST)
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.05  # about 7 ms; a busy machine may take some more


# --- as the published programs do it


def published(short, long, rounding, divisor=32):
    rule = ShortSide(short, long, rounding)
    spec = replace(SPEC, resize=rule, filter=Filter.BICUBIC, divisor=divisor)
    return replace(MANIFEST, image=spec)


@pytest.mark.parametrize(
    ("size", "short", "long", "floor", "nearest"),
    [
        ((273, 375), 182, 1333, (182, 250), (182, 250)),
        ((240, 331), 182, 1333, (182, 251), (182, 251)),
        ((480, 641), 512, 1024, (512, 683), (512, 684)),
        ((641, 480), 512, 1024, (683, 512), (684, 512)),
        ((100, 300), 800, 1333, (444, 1333), (444, 1333)),
        ((101, 300), 800, 1333, (448, 1333), (449, 1333)),
        ((512, 512), 512, 512, (512, 512), (512, 512)),
        ((1, 5000), 512, 1024, (1, 1024), (1, 1024)),
        ((5000, 1), 512, 1024, (1024, 1), (1024, 1)),
    ],
)
def test_the_short_side_is_filled_unless_the_long_would_be_too_long(
    size, short, long, floor, nearest
):
    assert lay_out(size, published(short, long, Rounding.FLOOR)).resized == floor
    assert lay_out(size, published(short, long, Rounding.NEAREST)).resized == nearest


def test_sams_input_is_always_of_one_size():
    manifest = published(1000, 1024, Rounding.FLOOR, divisor=1024)
    for size in ((480, 640), (640, 480), (10, 5000), (300, 300)):
        frame = lay_out(size, manifest).frame
        assert (frame.height, frame.width) == (1024, 1024)
        assert frame.shown == lay_out(size, manifest).resized


def test_the_bundles_filter_is_used_without_shrinking_by_halves_first():
    pixels = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    manifest = published(96, 128, Rounding.FLOOR)
    prepared = prepare(pixels, manifest)
    exact = Image.fromarray(pixels).resize(prepared.layout.resized[::-1], Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(prepared.pixels, np.asarray(exact))


def test_published_models_are_given_quotients_to_the_last_bit():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    manifest = published(64, 64, Rounding.FLOOR)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    manifest = replace(manifest, image=replace(manifest.image, mean=mean, std=std))
    image = to_input(prepare(pixels, manifest), manifest)[0].transpose(1, 2, 0)
    exact = (pixels.astype(np.float32) - np.float32(mean)) / np.float32(std)
    assert (image == exact).all()
