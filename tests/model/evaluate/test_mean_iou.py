from __future__ import annotations

import numpy as np
import pytest
from made_coco import write_panoptic

from seem_model.evaluate.coco import IGNORED, read_panoptic
from seem_model.evaluate.mean_iou import SemanticScorer
from seem_model.vocabularies import COCO_PANOPTIC


def scored(*pictures):
    scorer = SemanticScorer(4)
    for true, predicted in pictures:
        scorer.count(np.array([true], np.int32), np.array([predicted], np.int32))
    return scorer.results()


def test_the_mean_is_over_labels_and_not_over_pixels():
    results = scored(([0, 0, 0, 1], [0, 0, 0, 0]))
    assert results == {"mIoU": 37.5, "mACC": 50.0, "pACC": 75.0}


def test_labels_that_are_never_true_do_not_count_but_cost_the_others():
    assert scored(([0, 0], [0, 3]))["mIoU"] == 50


def test_ignored_pixels_do_not_count():
    assert scored(([0, 0, IGNORED, IGNORED], [0, 0, 1, 0]))["mIoU"] == 100


def test_all_pictures_are_one_heap_of_pixels():
    results = scored(([0, 0, 0], [0, 0, 0]), ([0], [1]))
    assert results["mIoU"] == pytest.approx(75)


def test_of_nothing_the_mean_is_nothing():
    assert scored(([IGNORED], [0]))["mIoU"] == 0


def test_pictures_are_read_from_their_files(tmp_path):
    files = write_panoptic(tmp_path)
    dataset = read_panoptic(files.annotations, files.images, files.maps, COCO_PANOPTIC)
    scorer = SemanticScorer(133)
    for picture in dataset.pictures:
        scorer.add(picture, np.minimum(picture.read_labels(), 132))
    assert scorer.results()["mIoU"] == 100
