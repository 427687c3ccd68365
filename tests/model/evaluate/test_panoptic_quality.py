from __future__ import annotations

import numpy as np
import pytest
import torch
from made_coco import write_panoptic
from torchmetrics.detection import PanopticQuality

from seem_model.evaluate.coco import TruthSegment, read_panoptic
from seem_model.evaluate.panoptic_quality import PanopticScorer
from seem_model.vocabularies import COCO_PANOPTIC
from seem_wire.segments import Panoptic, Segment

CAT, DOG, SKY = range(3)
THINGS = {CAT, DOG}


def truth(*labels, crowds=()):
    return [TruthSegment(10 * n, label, n in crowds) for n, label in enumerate(labels, 1)]


def found(ids, *labels):
    segments = [
        Segment(n, label, label in THINGS, 0.9, int((np.array(ids) == n).sum()))
        for n, label in enumerate(labels, 1)
    ]
    return Panoptic(np.array([ids], np.int32), segments)


def scored(true, truth, predicted):
    scorer = PanopticScorer(3, THINGS)
    scorer.count(np.array([true], np.int32), truth, predicted)
    return scorer.results()


def test_what_is_equal_is_perfect():
    results = scored([10, 10, 20, 20], truth(CAT, SKY), found([1, 1, 2, 2], CAT, SKY))
    assert set(results.values()) == {100.0}
    assert set(results) == {f"{name}Q{kind}" for name in "PSR" for kind in ("", "_th", "_st")}


def test_quality_is_overlap_times_recognition():
    results = scored([10, 10, 10, 0], truth(CAT), found([1, 1, 0, 0], CAT))
    assert results["PQ"] == results["SQ"] == pytest.approx(200 / 3)
    assert results["RQ"] == 100


def test_half_an_overlap_is_no_match_but_one_missed_and_one_false():
    results = scored([10, 10, 20, 20], truth(CAT, DOG), found([1, 0, 2, 2], CAT, DOG))
    assert results["PQ"] == 50  # of the cat nothing, of the dog all


def test_another_name_is_no_match():
    assert scored([10, 10], truth(CAT), found([1, 1], DOG))["PQ"] == 0


def test_unlabelled_pixels_are_left_out_of_a_union():
    assert scored([10, 10, 0, 0], truth(CAT), found([1, 1, 1, 1], CAT))["PQ"] == 100


def test_what_lies_mostly_on_unlabelled_pixels_is_forgiven():
    perfect = [10, 10, 0, 0, 0], [1, 1, 2, 2, 2]
    assert scored(perfect[0], truth(CAT), found(perfect[1], CAT, DOG))["PQ"] == 100
    half = [10, 10, 10, 0], [1, 1, 2, 2]
    assert scored(half[0], truth(CAT), found(half[1], CAT, DOG))["RQ"] == 50


def test_crowds_are_not_missed_and_forgive_their_own_name():
    crowd = truth(CAT, CAT, crowds={2})
    assert scored([10, 10, 20, 20], crowd, found([1, 1, 0, 0], CAT))["PQ"] == 100
    assert scored([10, 10, 20, 20], crowd, found([1, 1, 2, 2], CAT, CAT))["PQ"] == 100
    assert scored([10, 10, 20, 20], crowd, found([1, 1, 2, 2], CAT, DOG))["RQ"] == 50


def test_a_crowd_counts_in_the_union_of_what_covers_it():
    crowd = truth(CAT, DOG, crowds={2})
    results = scored([10, 10, 10, 20], crowd, found([1, 1, 1, 1], CAT))
    assert results["SQ"] == 75


def test_unlabelled_predictions_are_missed_all_the_same():
    assert scored([10, 10], truth(CAT), found([0, 0]))["PQ"] == 0


def test_means_are_over_the_labels_that_occur():
    results = scored([10, 10, 20, 20], truth(CAT, SKY), found([1, 1, 0, 0], CAT))
    assert (results["PQ"], results["PQ_th"], results["PQ_st"]) == (50, 100, 0)


def test_pictures_are_summed_before_they_are_divided():
    scorer = PanopticScorer(3, THINGS)
    scorer.count(np.array([[10]], np.int32), truth(CAT), found([1], CAT))
    scorer.count(np.array([[10]], np.int32), truth(CAT), found([0]))
    assert scorer.results()["PQ"] == pytest.approx(100 / 1.5)


def test_of_nothing_the_quality_is_nothing():
    assert set(scored([0], [], found([0])).values()) == {0.0}


def pair(labels, ids):
    """(1, H, W, 2), as torchmetrics takes it; 99 is no label."""
    named = np.where(ids > 0, labels[ids - 1], 99)
    return torch.from_numpy(np.stack([named, ids], -1))[None]


def test_it_is_that_of_torchmetrics_where_the_rules_agree():
    """No crowds; every pixel is predicted."""
    rng = np.random.default_rng(3)
    scorer = PanopticScorer(3, THINGS)
    other = PanopticQuality(things={0, 1, 2}, stuffs=set(), return_sq_and_rq=True)
    for _ in range(20):
        labels = rng.integers(0, 3, 6)
        true = rng.integers(0, 7, (4, 5)).repeat(4, 0).repeat(4, 1)
        noisy = np.where(rng.random(true.shape) < 0.15, rng.integers(0, 7, true.shape), true)
        guessed = np.where(rng.random(6) < 0.8, labels, rng.integers(0, 3, 6))
        ids = np.maximum(noisy, 1).astype(np.int32)
        drawn = [TruthSegment(n, int(labels[n - 1]), False) for n in np.unique(true) if n]
        segments = [Segment(n, int(guessed[n - 1]), False, 1.0, 1) for n in np.unique(ids)]
        scorer.count(true.astype(np.int32), drawn, Panoptic(ids, segments))
        other.update(pair(guessed, ids), pair(labels, true))
    ours = scorer.results()
    theirs = 100 * other.compute().numpy()
    np.testing.assert_allclose([ours["PQ"], ours["SQ"], ours["RQ"]], theirs, rtol=1e-6)
    assert 0 < ours["PQ"] < 100


def test_pictures_are_read_from_their_files(tmp_path):
    files = write_panoptic(tmp_path)
    dataset = read_panoptic(files.annotations, files.images, files.maps, COCO_PANOPTIC)
    scorer = PanopticScorer(133, dataset.things)
    for picture in dataset.pictures:
        ids = picture.read_ids() // 70_001
        segments = [Segment(one.id // 70_001, one.label, True, 1.0, 1) for one in picture.segments]
        scorer.add(picture, Panoptic(ids.astype(np.int32), segments))
    assert scorer.results()["PQ"] == 100
