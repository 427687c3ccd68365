from __future__ import annotations

import json

import numpy as np
import pytest
from made_coco import SIZE, as_coco, block, numbers, write_images, write_voc

from seem_model.evaluate.clicked_pictures import VOID, read_clickable
from seem_model.evaluate.datasets import DatasetInvalid


def test_voc_gives_every_object_and_leaves_out_the_void(tmp_path):
    first = numbers()[0]
    first[30:33] = VOID
    (picture,) = read_clickable(write_voc(tmp_path, [first]))
    assert picture.path.name == "1.jpg"
    np.testing.assert_array_equal(picture.masks(), [first == 1, first == 2, first == 4])


def test_a_voc_picture_without_objects_has_none(tmp_path):
    (picture,) = read_clickable(write_voc(tmp_path, [np.zeros(SIZE, np.uint8)]))
    assert picture.masks().shape == (0, *SIZE)


def test_voc_is_read_by_split(tmp_path):
    folder = write_voc(tmp_path)
    (folder / "ImageSets" / "Segmentation" / "few.txt").write_text("2\n")
    assert [one.path.stem for one in read_clickable(folder, "few")] == ["2"]
    with pytest.raises(DatasetInvalid, match=r"absent\.txt"):
        read_clickable(folder, "absent")


def test_a_coco_folder_gives_what_is_neither_empty_nor_a_crowd(tmp_path):
    masks = [block(2, 2, 9, 9), block(0, 0, 0, 0), block(5, 5, 30, 30)]
    annotations = [
        {"image_id": 1, "segmentation": as_coco(mask), "iscrowd": int(crowd)}
        for crowd, mask in enumerate([masks[0], masks[2]])
    ]
    annotations.append({"image_id": 1, "segmentation": as_coco(masks[1])})
    document = {"images": write_images(tmp_path, numbers()), "annotations": annotations}
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    (picture,) = read_clickable(tmp_path)
    np.testing.assert_array_equal(picture.masks(), [masks[0]])


def test_any_other_folder_is_refused(tmp_path):
    with pytest.raises(DatasetInvalid, match="neither"):
        read_clickable(tmp_path)
