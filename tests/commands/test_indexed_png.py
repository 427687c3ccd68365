from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from seem_server.commands.indexed_png import IndexedFrame, palette, read_frame, stack, write_frame
from seem_wire.errors import ImageUnreadable, InvalidValue

SIZE = (6, 8)


def block(top, left, bottom, right):
    mask = np.zeros(SIZE, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def test_pixels_are_object_ids_in_the_colours_of_davis(tmp_path):
    path = tmp_path / "00000.png"
    write_frame(path, IndexedFrame(stack({1: block(0, 0, 2, 2), 7: block(3, 3, 5, 5)}, SIZE)))
    with Image.open(path) as image:
        assert image.mode == "P"
        assert np.array_equal(np.unique(np.asarray(image)), [0, 1, 7])
        assert image.convert("RGB").getpixel((0, 0)) == (128, 0, 0)


@pytest.mark.parametrize(
    ("index", "colour"),
    [
        (0, (0, 0, 0)),
        (1, (128, 0, 0)),
        (2, (0, 128, 0)),
        (3, (128, 128, 0)),
        (4, (0, 0, 128)),
        (8, (64, 0, 0)),
        (255, (224, 224, 192)),
    ],
)
def test_the_palette_spreads_the_bits_of_an_index(index, colour):
    assert tuple(palette()[index]) == colour


def test_the_lower_id_lies_on_top():
    indices = stack({2: block(0, 0, 4, 4), 1: block(2, 2, 6, 8), 3: block(0, 0, 6, 8)}, SIZE)
    assert (indices[0, 0], indices[3, 3], indices[0, 7]) == (2, 1, 3)


@pytest.mark.parametrize("object_id", [0, 255, -1])
def test_an_id_without_room_is_refused(object_id):
    with pytest.raises(InvalidValue, match="1 to 254"):
        stack({object_id: block(0, 0, 1, 1)}, SIZE)


def test_a_frame_comes_back_with_all_that_was_said_of_it(tmp_path):
    path = tmp_path / "a.png"
    written = IndexedFrame(stack({2: block(1, 1, 3, 3)}, SIZE), {1: 0.25, 2: None}, 12.5)
    write_frame(path, written)
    back = read_frame(path)
    assert np.array_equal(back.indices, written.indices)
    assert (back.presence, back.took_ms) == ({1: 0.25, 2: None}, 12.5)
    assert list(back.masks) == [2]
    assert np.array_equal(back.masks[2], block(1, 1, 3, 3))


def test_void_is_no_object(tmp_path):
    indices = stack({1: block(0, 0, 2, 2)}, SIZE)
    indices[5] = 255
    Image.fromarray(indices).save(tmp_path / "grey.png")
    assert list(read_frame(tmp_path / "grey.png").masks) == [1]


@pytest.mark.parametrize("said", ["no json", "{}", '{"presence": 1, "took_ms": 1}', "[]"])
def test_what_another_program_said_in_a_file_is_passed_over(tmp_path, said):
    text = PngInfo()
    text.add_text("seem", said)
    Image.fromarray(stack({1: block(0, 0, 2, 2)}, SIZE)).save(tmp_path / "a.png", pnginfo=text)
    back = read_frame(tmp_path / "a.png")
    assert (list(back.masks), back.presence, back.took_ms) == ([1], {}, None)


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_frame(path, IndexedFrame(stack({1: block(0, 0, 2, 2)}, SIZE)))
    before = path.read_bytes()

    def breaks(_, file, *__, **___):
        file.write_bytes(b"half")
        raise OSError("The disk is full.")

    monkeypatch.setattr(Image.Image, "save", breaks)
    with pytest.raises(OSError, match="full"):
        write_frame(path, IndexedFrame(stack({}, SIZE)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["colours", "text"])
def test_what_has_no_indices_is_told(tmp_path, kind):
    path = tmp_path / "a.png"
    if kind == "text":
        path.write_text("no image")
    else:
        Image.new("RGB", (8, 6)).save(path)
    with pytest.raises(ImageUnreadable, match=r"a\.png is no"):
        read_frame(path)
