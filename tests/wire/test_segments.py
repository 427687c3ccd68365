from __future__ import annotations

import numpy as np
import pytest

from seem_wire import rle
from seem_wire.segments import (
    Enlarged,
    Segment,
    instances,
    panoptic,
    semantic,
    semantic_scores,
)

# Names: 0 cat and 1 dog are things, 2 sky is stuff; 3 is nothing. Pictures of 4 x 6 pixels.
THINGS = frozenset({0, 1})
CAT, DOG, SKY, NOTHING = range(4)
SIZE = (4, 6)


def sure(label, probability=0.9):
    row = np.full(4, (1 - probability) / 3, np.float32)
    row[label] = probability
    return row


def inside(columns, logit=10.0):
    """A mask that holds these columns, all four rows of them."""
    logits = np.full(SIZE, -10, np.float32)
    logits[:, columns] = logit
    return logits


def picture(*queries):
    rows, masks = zip(*queries, strict=True)
    return np.stack(rows), np.stack(masks)


def test_each_thing_is_a_segment_of_its_own_and_numbers_begin_at_one():
    asked = picture((sure(CAT), inside([0, 1])), (sure(CAT, 0.85), inside([2, 3])))
    ids, found = panoptic(*asked, THINGS, 0.8)
    np.testing.assert_array_equal(ids[0], [1, 1, 2, 2, 0, 0])
    assert found == [
        Segment(1, CAT, is_thing=True, score=pytest.approx(0.9), area=8),
        Segment(2, CAT, is_thing=True, score=pytest.approx(0.85), area=8),
    ]


def test_stuff_of_one_name_is_one_segment():
    asked = picture(
        (sure(SKY, 0.85), inside([0])), (sure(DOG), inside([1])), (sure(SKY, 0.95), inside([2, 3]))
    )
    ids, found = panoptic(*asked, THINGS, 0.8)
    np.testing.assert_array_equal(ids[0], [1, 2, 1, 1, 0, 0])
    assert [(one.label, one.area) for one in found] == [(SKY, 12), (DOG, 4)]
    assert found[0].score == pytest.approx(0.95)


@pytest.mark.parametrize("row", [sure(NOTHING), sure(CAT, 0.8), sure(CAT, 0.5)])
def test_nothing_and_the_unsure_give_no_segment(row):
    ids, found = panoptic(*picture((row, inside([0]))), THINGS, 0.8)
    assert not ids.any()
    assert found == []


def test_the_more_probable_owns_a_pixel_and_the_first_of_equals():
    asked = picture((sure(CAT, 0.9), inside([0, 1])), (sure(DOG, 0.95), inside([1, 2])))
    ids, found = panoptic(*asked, THINGS, 0.8, overlap=0.1)
    np.testing.assert_array_equal(ids[0], [1, 2, 2, 0, 0, 0])
    ids, found = panoptic(*picture((sure(CAT), inside([0])), (sure(DOG), inside([0]))), THINGS, 0.8)
    assert [one.label for one in found] == [CAT]


def test_what_others_leave_too_little_of_is_dropped():
    asked = picture((sure(CAT, 0.9), inside([0, 1, 2])), (sure(DOG, 0.95), inside([2])))
    ids, found = panoptic(*asked, THINGS, 0.8)  # a third of the cat is the dog's
    np.testing.assert_array_equal(ids[0], [0, 0, 1, 0, 0, 0])
    assert [one.label for one in found] == [DOG]


def test_only_pixels_within_the_mask_are_painted_though_others_are_owned():
    ids, found = panoptic(*picture((sure(CAT), inside([5]))), THINGS, 0.8)
    assert found[0].area == np.count_nonzero(ids) == 4


def test_a_pixel_at_exactly_a_half_is_inside_of_a_segment_but_not_of_an_instance():
    asked = picture((sure(CAT), inside([0], logit=0.0)))
    assert panoptic(*asked, THINGS, 0.8).segments[0].area == 4
    assert instances(*asked, THINGS, most=1)[0].area == 0


def test_masks_that_no_pixel_is_in_give_no_segment():
    assert panoptic(*picture((sure(CAT), inside([]))), THINGS, 0.8).segments == []


def test_the_semantic_map_sums_over_queries_and_is_never_nothing():
    asked = picture(
        (sure(NOTHING), inside(range(6))),
        (sure(CAT, 0.6), inside([0])),
        (sure(DOG, 0.5), inside([0])),
        (sure(DOG, 0.5), inside([0])),
        (sure(SKY), inside([3, 4])),
    )
    labels = semantic(*asked)
    assert labels[0, 0] == DOG
    assert (labels[:, 3:5] == SKY).all()
    assert semantic_scores(*asked).shape == (3, *SIZE)


def test_the_semantic_map_is_the_same_in_bands(monkeypatch):
    rng = np.random.default_rng(1)
    rows = rng.dirichlet(np.ones(4), 5).astype(np.float32)
    masks = rng.normal(size=(5, *SIZE)).astype(np.float32)
    at_once = semantic(rows, masks)
    monkeypatch.setattr("seem_wire.segments._BAND_PIXELS", 1)
    np.testing.assert_array_equal(semantic(rows, masks), at_once)


def test_instances_come_by_falling_score_and_one_query_may_have_two_names():
    both = np.array([0.5, 0.4, 0.05, 0.05], np.float32)
    asked = picture((both, inside([0, 1])), (sure(DOG), inside([2])))
    found = instances(*asked, THINGS)
    assert [(one.query, one.label) for one in found] == [(1, 1), (0, 0), (0, 1), (1, 0)]
    np.testing.assert_array_equal(rle.decode(found[0].mask), inside([2]) > 0)
    assert found[0].score == pytest.approx(0.9, rel=1e-3)


def test_stuff_is_left_out_of_the_instances_after_counting():
    asked = picture((sure(SKY), inside([0])), (sure(CAT, 0.85), inside([1])))
    assert [one.label for one in instances(*asked, THINGS, most=2)] == [CAT]
    assert instances(*asked, THINGS, most=1) == []
    assert [one.label for one in instances(*asked, None, most=1)] == [SKY]


def test_an_instance_scores_by_how_sure_its_inside_is():
    asked = picture((sure(CAT), inside([0], logit=0.1)), (sure(CAT, 0.6), inside([1])))
    first, second = instances(*asked, THINGS, most=2)
    assert (first.query, second.query) == (1, 0)
    assert second.score == pytest.approx(0.9 / (1 + np.exp(-0.1)), rel=1e-4)


def test_enormous_logits_overflow_nothing():
    asked = picture((sure(CAT), inside([0], logit=1e9)), (sure(DOG), -inside([0], logit=1e9)))
    assert len(panoptic(*asked, THINGS, 0.8).segments) == 2


def test_maps_made_when_asked_for_are_those_of_the_array():
    rng = np.random.default_rng(2)
    rows = rng.dirichlet(np.full(4, 0.2), 6).astype(np.float32)
    masks = Enlarged(
        rng.normal(size=(6, 8, 8)).astype(np.float32), padded=(32, 32), resized=(24, 30), size=SIZE
    )
    array = np.stack([masks[query] for query in range(6)])
    assert array.shape == masks.shape == (6, *SIZE)
    lazy, made = panoptic(rows, masks, THINGS, 0.3), panoptic(rows, array, THINGS, 0.3)
    np.testing.assert_array_equal(lazy.ids, made.ids)
    assert lazy.segments == made.segments
    assert instances(rows, masks, THINGS) == instances(rows, array, THINGS)
    np.testing.assert_array_equal(semantic(rows, masks), semantic(rows, array))
