from __future__ import annotations

import io
import struct
import time
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from seem_server.service.ingest import FORMATS, read_image
from seem_wire.errors import (
    BadImage,
    ImageEmpty,
    ImageTooLarge,
    ImageTruncated,
    ImageUnreadable,
)
from seem_wire.rle import MAX_SIDE
from seem_wire.types import Limits

LIMITS = Limits()
RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 256, (40, 60, 3), np.uint8))
ORIENTATION = 0x0112


def encoded(image, kind="PNG", **options):
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read(data, limits=LIMITS):
    return read_image(data, limits)


def png(width, height, depth, colour, rows=b"", *chunks):
    """A PNG by hand: any header, any contents."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    more = b"".join(chunk(*one) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + header + more + pixels + chunk(b"IEND", b"")


# --- what is read


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_gives_rgb_bytes_of_height_and_width(kind):
    pixels = read(encoded(NOISE, kind))
    assert pixels.shape == (40, 60, 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("size", [(1, 1), (64, 3), (65, 2), (800, 5)])
def test_an_image_of_any_height_is_copied_whole(size):
    pixels = RNG.integers(0, 256, (*size, 3), np.uint8)
    assert (read(encoded(pixels)) == pixels).all()


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})],
)
def test_lossless_formats_give_each_pixel_as_it_was(kind, options):
    assert (read(encoded(NOISE, kind, **options)) == np.asarray(NOISE)).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr"])
def test_other_colours_look_as_they_do_in_a_viewer(mode):
    flat = Image.new("RGB", (8, 8), (255, 255, 255))
    flat.paste((0, 0, 0), (0, 0, 4, 8))
    kind = "TIFF" if mode in {"CMYK", "YCbCr"} else "PNG"
    pixels = read(encoded(flat.convert(mode), kind))
    assert (pixels[:, 0] <= 2).all()
    assert (pixels[:, 7] >= 253).all()


def test_a_cmyk_jpeg_is_not_a_negative():
    pixels = read(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    assert pixels[8, 8].tolist() == pytest.approx([254, 0, 0], abs=6)


@pytest.mark.parametrize(("mode", "clear"), [("RGBA", (0, 0, 255, 0)), ("LA", (0, 0))])
def test_what_is_transparent_is_white(mode, clear):
    assert (read(encoded(Image.new(mode, (4, 4), clear))) == 255).all()


def test_half_transparent_red_is_pink():
    assert read(encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 128))))[0, 0].tolist() == [
        255,
        127,
        127,
    ]


def test_a_transparent_palette_colour_is_white():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 0, 0])
    assert (read(encoded(palette, transparency=1)) == 255).all()
    assert read(encoded(palette))[0, 0].tolist() == [200, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = Image.new("RGB", (60, 40), (255, 255, 255))
    upright.paste((255, 0, 0), (0, 0, 30, 20))  # red at the top left
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    for kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        pixels = read(encoded(stored, kind, exif=exif, quality=95))
        assert pixels.shape == (40, 60, 3), kind
        assert pixels[5, 5, 1] < 60, kind
        assert pixels[35, 55, 1] > 200, kind


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so, and goes on
def test_broken_exif_does_not_cost_the_image():
    data = encoded(NOISE, "JPEG")
    broken = b"Exif\0\0MM\0*\xff\xff\xff\xff"
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    assert read(data[:2] + segment + data[2:]).shape == (40, 60, 3)


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read(data)[0, 0].tolist() == [255, 0, 0]


# --- deep images


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_spread_over_the_range_that_is_used(kind):
    grey = np.linspace(1000, 5000, 256).astype(np.uint16).reshape(16, 16)
    pixels = read(encoded(grey, kind))
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[15, 15].tolist() == [255, 255, 255]
    assert len(np.unique(pixels)) == 256


def test_floats_are_spread_and_what_is_no_number_is_black():
    grey = np.linspace(-3, 7, 64, dtype=np.float32).reshape(8, 8)
    grey[0, 3], grey[0, 4] = np.nan, np.inf
    pixels = read(encoded(grey, "TIFF"))
    assert [pixels[0, 0, 0], pixels[0, 3, 0], pixels[0, 4, 0], pixels[7, 7, 0]] == [0, 0, 255, 255]


def test_32_bits_are_spread():
    grey = np.arange(64, dtype=np.int32).reshape(8, 8) * 1_000_000
    assert read(encoded(grey, "TIFF"))[7, 7].tolist() == [255, 255, 255]


def test_a_deep_image_of_one_value_is_black_and_no_error():
    assert not read(encoded(np.full((4, 4), 30_000, np.uint16))).any()


def test_a_deep_image_without_a_number_is_unreadable():
    with pytest.raises(ImageUnreadable):
        read(encoded(np.full((4, 4), np.nan, np.float32), "TIFF"))


def test_deep_colour_keeps_its_upper_bits():
    row = b"\0" + struct.pack(">6H", 0x1234, 0x8000, 0xFFFF, 0, 0x00FF, 0x0100)
    assert read(png(2, 1, 16, 2, row))[0].tolist() == [[0x12, 0x80, 0xFF], [0, 0, 1]]


# --- what is refused


def test_no_bytes_are_no_image():
    with pytest.raises(ImageEmpty):
        read(b"")


@pytest.mark.parametrize(
    "data", [b"hello", b"\0" * 100, b"%PDF-1.7 " * 50, b"<svg/>", b"RIFF\x24\0\0\0WAVEfmt "]
)
def test_what_is_no_image_is_unreadable(data):
    with pytest.raises(ImageUnreadable):
        read(data)


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "PCX"])
def test_an_image_of_another_format_is_unreadable(kind):
    with pytest.raises(ImageUnreadable):
        read(encoded(NOISE, kind))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("kind", sorted({*FORMATS} - {"TIFF"}))
def test_an_image_that_was_cut_short_is_truncated(kind, share):
    data = encoded(NOISE, kind)
    with pytest.raises(ImageTruncated):
        read(data[: max(int(len(data) * share), 12)])


def test_a_tiff_that_was_cut_short_is_truncated():
    data = encoded(NOISE, "TIFF")
    with pytest.raises(ImageTruncated):
        read(data[: len(data) // 2])


def test_a_damaged_image_is_unreadable():
    data = bytearray(encoded(NOISE, "PNG"))
    data[60:90] = bytes(30)
    with pytest.raises(ImageUnreadable):
        read(bytes(data))


def test_too_many_bytes_are_refused_with_both_numbers():
    with pytest.raises(ImageTooLarge, match=r"11 bytes; 10 are allowed"):
        read(b"hello world", Limits(max_image_bytes=10))


def test_too_many_pixels_are_refused_with_both_numbers():
    with pytest.raises(ImageTooLarge, match=r"60 x 40 pixels; 2399 are allowed"):
        read(encoded(NOISE), Limits(max_image_pixels=2399))


@pytest.mark.parametrize("side", [9_000, 30_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_by_its_header(side):
    bomb = png(side, side, 8, 2, bytes(1000))
    started = time.perf_counter()
    with pytest.raises(ImageTooLarge):
        read(bomb)
    assert time.perf_counter() - started < 0.5


def test_a_bomb_of_other_formats_is_refused_by_its_header():
    gif = encoded(NOISE, "GIF")
    bmp = bytearray(encoded(NOISE, "BMP"))
    bmp[18:26] = struct.pack("<ii", 30_000, 30_000)
    for data in (gif[:6] + struct.pack("<HH", 60_000, 60_000) + gif[10:], bytes(bmp)):
        with pytest.raises(ImageTooLarge):
            read(data)


@given(kind=st.sampled_from(FORMATS), cut=st.integers(0, 400), noise=st.binary(max_size=40))
def test_whatever_the_bytes_the_outcome_is_pixels_or_a_bad_image(kind, cut, noise):
    data = encoded(NOISE, kind)
    spoilt = data[:cut] + noise + data[cut + len(noise) :]
    with suppress(BadImage):
        assert read(spoilt).ndim == 3


# --- how long it takes


def test_a_megapixel_takes_little_time():
    photo = Image.fromarray(RNG.integers(0, 256, (1000, 1000, 3), np.uint8))
    data = encoded(photo.filter(ImageFilter.GaussianBlur(2)), "JPEG", quality=90)
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        read(data)
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.1  # about 12 ms; a busy machine may take some more


def test_a_side_too_long_for_a_mask_is_refused_before_decoding():
    image = Image.new("L", (MAX_SIDE + 1, 1))
    data = io.BytesIO()
    image.save(data, "PNG")
    with pytest.raises(ImageTooLarge, match="a side may have"):
        read_image(data.getvalue(), Limits())
