from __future__ import annotations

import json

import numpy as np
import pytest
from found import found
from pycocotools import mask as coco
from pycocotools.coco import COCO

from seem_client import TrackedFrame
from seem_client.exports import Annotated, coco_instances, coco_video
from seem_client.exports.coco import VideoDocument
from seem_wire import rle
from seem_wire.errors import InvalidValue

SIZE = (6, 8)


def block(top, left, bottom, right):
    mask = np.zeros(SIZE, np.bool_)
    mask[top:bottom, left:right] = True
    return rle.encode(mask)


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
    assert np.array_equal(coco.decode(first["segmentations"][2]), rle.decode(block(1, 2, 4, 7)))


def test_what_they_are_called_is_one_category():
    document = made()
    assert document["categories"] == [{"id": 1, "name": "object"}]
    assert {one["category_id"] for one in document["annotations"]} == {1}


RING = np.ones((5, 5), np.bool_)
RING[2, 2] = False


def ring():
    mask = np.zeros(SIZE, np.bool_)
    mask[1:6, 2:7] = RING
    return found(mask, 1, label="ring")


def photos():
    square = np.zeros(SIZE, np.bool_)
    square[0:2, 0:3] = True
    absent = found(np.zeros(SIZE, np.bool_), 3)
    return [
        Annotated("a.jpg", [ring(), found(square, 2), absent]),
        Annotated("b.jpg", [], (20, 30)),
        Annotated("c.jpg", [found(square, 1, label="ring")]),
    ]


def read_by_pycocotools(document):
    known = COCO()
    known.dataset = json.loads(json.dumps(document))
    known.createIndex()
    return known


def test_pycocotools_reads_instances_and_their_very_masks():
    known = read_by_pycocotools(coco_instances(photos()))
    assert [one["file_name"] for one in known.loadImgs([1, 2, 3])] == ["a.jpg", "b.jpg", "c.jpg"]
    assert (known.imgs[2]["height"], known.imgs[2]["width"]) == (20, 30)
    assert {one["id"]: one["name"] for one in known.cats.values()} == {1: "ring", 2: "object"}
    assert [known.anns[number]["image_id"] for number in (1, 2, 3)] == [1, 1, 3]
    assert [known.anns[number]["category_id"] for number in (1, 2, 3)] == [1, 2, 1]
    assert np.array_equal(known.annToMask(known.anns[1]), ring().mask)
    assert known.anns[1]["bbox"] == [2, 1, 5, 5]
    assert known.anns[1]["area"] == 24


def test_polygons_lose_their_holes_and_nothing_else():
    known = read_by_pycocotools(coco_instances(photos(), polygons=True))
    filled = np.zeros(SIZE, np.bool_)
    filled[1:6, 2:7] = True
    assert np.array_equal(known.annToMask(known.anns[1]), filled)
    assert known.anns[1]["area"] == 24


def test_categories_can_be_given_so_that_their_numbers_stay():
    document = coco_instances(photos(), categories=["cat", "ring", "object"])
    assert [one["name"] for one in document["categories"]] == ["cat", "ring", "object"]
    assert [one["category_id"] for one in document["annotations"]] == [2, 3, 2]


def test_an_empty_image_of_unknown_size_is_refused():
    with pytest.raises(InvalidValue, match=r"b\.jpg: give its size"):
        coco_instances([Annotated("b.jpg", [])])


def test_frames_that_were_followed_become_a_videos_document():
    frames = [TrackedFrame(1, {7: ring()}), TrackedFrame(0, {7: found(np.zeros(SIZE, np.bool_))})]
    document = coco_video(frames, ["a", "b"])
    (one,) = document["annotations"]
    assert (one["track_id"], one["areas"]) == (7, [None, 24])
    assert document["videos"][0]["file_names"] == ["a", "b"]


def test_a_frame_without_a_name_or_no_object_at_all_is_refused():
    with pytest.raises(InvalidValue, match="Frame 2 has no name"):
        coco_video([TrackedFrame(2, {7: ring()})], ["a", "b"])
    with pytest.raises(InvalidValue, match="no frame with an object"):
        coco_video([TrackedFrame(0, {})], ["a"])
