from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seem_model.evaluate.datasets import (
    DatasetInvalid,
    numbered,
    read_image,
    read_image_size,
    read_json,
    read_labels,
)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'{"a": 1'])
def test_a_file_that_is_no_json_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DatasetInvalid, match=r"x\.json"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("read", [read_json, read_image, read_image_size, read_labels])
def test_a_file_that_is_not_there_is_named(tmp_path, read):
    with pytest.raises(DatasetInvalid, match=r"There is no .*absent"):
        read(tmp_path / "absent")


@pytest.mark.parametrize("read", [read_image, read_image_size, read_labels])
def test_a_file_that_is_no_picture_is_named(tmp_path, read):
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DatasetInvalid, match=r"x\.png"):
        read(tmp_path / "x.png")


def test_grey_and_see_through_pictures_are_read_as_colours(tmp_path):
    Image.new("LA", (4, 3), (7, 9)).save(tmp_path / "x.png")
    image = read_image(tmp_path / "x.png")
    assert (image.shape, image.dtype) == ((3, 4, 3), np.uint8)
    assert (image == 7).all()
    assert read_image_size(tmp_path / "x.png") == (3, 4)


def test_indexed_pictures_give_their_numbers_and_not_their_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 3], [255, 1]], np.uint8))
    image.putpalette([200] * 768)
    image.save(tmp_path / "x.png")
    assert read_labels(tmp_path / "x.png").tolist() == [[0, 3], [255, 1]]


def test_coloured_pictures_have_no_numbers(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png")
    with pytest.raises(DatasetInvalid, match="colours"):
        read_labels(tmp_path / "x.png")


def test_entries_are_found_by_their_id():
    assert numbered([{"id": "7", "x": 1}])[7]["x"] == 1
