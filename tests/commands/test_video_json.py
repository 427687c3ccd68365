from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools import mask as coco

from seem_server.commands.video_json import VideoDocument, write_json

SIZE = (6, 8)


def block(top, left, bottom, right):
    mask = np.zeros(SIZE, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def made():
    document = VideoDocument(["00000", "00001", "00002"], SIZE)
    document.add(2, {1: block(1, 2, 4, 7), 2: block(0, 0, 0, 0)})
    document.add(0, {1: block(0, 0, 2, 2), 2: block(5, 0, 6, 8)})
    return document.as_json()


def test_a_video_lists_its_frames():
    (video,) = made()["videos"]
    assert video == {
        "id": 1, "file_names": ["00000", "00001", "00002"], "height": 6, "width": 8, "length": 3,
    }  # fmt: skip


def test_each_object_has_an_entry_a_frame_and_none_where_it_is_absent():
    first, second = made()["annotations"]
    assert [one["id"] for one in (first, second)] == [1, 2]
    assert [one["track_id"] for one in (first, second)] == [1, 2]
    assert first["areas"] == [4, None, 15]
    assert first["bboxes"] == [[0, 0, 2, 2], None, [2, 1, 5, 3]]
    assert second["areas"] == [8, None, None]
    assert second["segmentations"][2] is second["bboxes"][2] is None


def test_run_lengths_are_read_by_pycocotools():
    first, _ = made()["annotations"]
    assert np.array_equal(coco.decode(first["segmentations"][2]), block(1, 2, 4, 7))


def test_what_they_are_called_is_one_category():
    document = made()
    assert document["categories"] == [{"id": 1, "name": "object"}]
    assert {one["category_id"] for one in document["annotations"]} == {1}


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, made())
    assert json.loads(path.read_text()) == made()
    before = path.read_text()
    with pytest.raises(TypeError):
        write_json(path, {"bad": object()})
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]
