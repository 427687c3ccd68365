from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seem_client.image import image_bytes, image_pixels
from seem_wire.errors import ImageEmpty, ImageUnreadable, InvalidValue, LibraryMissing

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def read(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def opened(path):
    return io.BytesIO(path.read_bytes())


@pytest.mark.parametrize("kind", [str, Path, opened])
def test_a_file_is_sent_as_it_is(tmp_path, kind):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"whatever it holds")
    assert image_bytes(kind(path)) == b"whatever it holds"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_sent_as_they_are(kind):
    assert image_bytes(kind(b"abc")) == b"abc"


def test_an_array_becomes_an_image_of_its_pixels():
    assert np.array_equal(read(image_bytes(PIXELS)), PIXELS)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "LA"])
def test_a_pil_image_keeps_its_pixels_and_mode(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    assert np.array_equal(read(image_bytes(image)), np.asarray(image))


def test_a_pil_image_that_png_cannot_hold_becomes_rgb():
    image = Image.fromarray(PIXELS).convert("CMYK")
    assert np.array_equal(read(image_bytes(image)), np.asarray(image.convert("RGB")))


def test_a_pil_image_is_not_turned_again_by_what_its_file_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(PIXELS).save(tmp_path / "turned.jpg", exif=exif)
    image = Image.open(tmp_path / "turned.jpg")
    assert not Image.open(io.BytesIO(image_bytes(image))).getexif()


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_a_deep_grey_pil_image_keeps_its_values(mode):
    values = np.array([[0, 70000], [300, 5]]) if mode != "I;16" else np.array([[0, 60000]])
    kind = {"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]
    image = Image.fromarray(values.astype(kind))
    assert image.mode == mode
    assert np.array_equal(read(image_bytes(image)), values)


def test_a_pil_image_that_cannot_be_written_is_refused_with_what_to_do():
    image = Image.fromarray(PIXELS)
    image.close()
    with pytest.raises(InvalidValue, match="Convert it to RGB"):
        image_bytes(image)


@pytest.mark.parametrize("nothing", [b"", io.BytesIO()])
def test_no_bytes_are_no_image(nothing):
    with pytest.raises(ImageEmpty):
        image_bytes(nothing)


@pytest.mark.parametrize("thing", [7, None, [1, 2], io.StringIO("text")])
def test_what_is_no_image_is_refused(thing):
    with pytest.raises(InvalidValue):
        image_bytes(thing)


def test_a_missing_file_is_told_as_python_does(tmp_path):
    with pytest.raises(FileNotFoundError):
        image_bytes(tmp_path / "none.jpg")


def test_pillow_is_not_imported_for_it():
    program = "import sys, seem_client; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_pixels_of_a_turned_photo_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(PIXELS).save(tmp_path / "turned.jpg", exif=exif)
    height, width, _ = PIXELS.shape
    assert image_pixels(tmp_path / "turned.jpg").shape == (width, height, 3)
    assert image_pixels(Image.open(tmp_path / "turned.jpg")).shape == PIXELS.shape


def test_whatever_is_an_image_has_its_pixels():
    assert image_pixels(PIXELS) is PIXELS
    assert np.array_equal(image_pixels(image_bytes(PIXELS)), PIXELS)
    assert np.array_equal(image_pixels(io.BytesIO(image_bytes(PIXELS))), PIXELS)
    assert np.array_equal(image_pixels(Image.fromarray(PIXELS)), PIXELS)


def test_what_is_no_image_has_no_pixels(tmp_path):
    (tmp_path / "a.jpg").write_text("no image")
    with pytest.raises(ImageUnreadable, match=r"a\.jpg is no image"):
        image_pixels(tmp_path / "a.jpg")
    with pytest.raises(ImageUnreadable):
        image_pixels(image_bytes(PIXELS)[:60])
    with pytest.raises(InvalidValue):
        image_pixels(7)


def test_without_pillow_a_file_is_not_read_and_an_array_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert image_pixels(PIXELS) is PIXELS
    with pytest.raises(LibraryMissing, match="pip install pillow"):
        image_pixels(b"file")


def test_pixels_to_draw_on_are_those_that_the_server_sees():
    deep = np.array([[100, 300], [200, 100]], np.uint16)
    assert image_pixels(deep)[:, :, 0].tolist() == [[0, 255], [128, 0]]
    clear = np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)
    assert image_pixels(clear).tolist() == [[[255, 255, 255], [10, 20, 30]]]
    grey = np.array([[7, 9]], np.uint8)
    assert image_pixels(grey).tolist() == [[[7, 7, 7], [9, 9, 9]]]
