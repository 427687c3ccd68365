from __future__ import annotations

import json

import numpy as np
import pytest
from made_coco import DOG, PERSON, SKY, dataset_id, numbers, write_instances, write_panoptic

from seem_model.evaluate.coco import IGNORED, read_instances, read_panoptic
from seem_model.evaluate.datasets import DatasetInvalid
from seem_model.vocabularies import COCO_PANOPTIC, N_THINGS

THINGS = COCO_PANOPTIC[:N_THINGS]


def panoptic(files, names=COCO_PANOPTIC):
    return read_panoptic(files.annotations, files.images, files.maps, names)


def changed(file, change):
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def test_pictures_come_with_their_segments_by_label(tmp_path):
    first, second = panoptic(write_panoptic(tmp_path, crowds={3})).pictures
    assert (first.id, first.path.name) == (1, "1.png")
    assert [one.label for one in first.segments] == [PERSON, PERSON, SKY]
    assert [(one.label, one.is_crowd) for one in second.segments if one.is_crowd] == [(DOG, True)]


def test_ids_are_read_from_three_colours(tmp_path):
    first, _ = panoptic(write_panoptic(tmp_path)).pictures
    np.testing.assert_array_equal(first.read_ids(), numbers()[0].astype(int) * 70_001)


def test_pixels_without_a_segment_are_ignored(tmp_path):
    first, _ = panoptic(write_panoptic(tmp_path)).pictures
    truth = numbers()[0]
    assert ((first.read_labels() == IGNORED) == (truth == 0)).all()
    assert (first.read_labels()[truth == 4] == SKY).all()


def test_categories_are_those_of_the_vocabulary_by_name(tmp_path):
    dataset = panoptic(write_panoptic(tmp_path))
    assert [one.label for one in dataset.categories] == list(range(133))
    assert dataset.categories[DOG].dataset_id == dataset_id(DOG)
    assert dataset.things == set(range(N_THINGS))


def test_other_categories_are_refused_by_name(tmp_path):
    files = write_panoptic(tmp_path)
    changed(files.annotations, lambda document: document["categories"][0].update(name="gnu"))
    with pytest.raises(DatasetInvalid, match=r"unknown \['gnu'\], missing \['person'\]"):
        panoptic(files)


def test_a_segment_of_an_unknown_category_is_refused(tmp_path):
    files = write_panoptic(tmp_path)

    def change(document):
        document["annotations"][0]["segments_info"][0]["category_id"] = 9999

    changed(files.annotations, change)
    with pytest.raises(DatasetInvalid, match="9999"):
        panoptic(files)


def test_instances_are_of_things_alone(tmp_path):
    files = write_instances(tmp_path)
    dataset = read_instances(files.annotations, files.images, THINGS)
    assert [one.path.name for one in dataset.pictures] == ["1.png", "2.png"]
    assert dataset.things == set(range(N_THINGS))
    with pytest.raises(DatasetInvalid, match="missing"):
        read_instances(files.annotations, files.images, COCO_PANOPTIC)
