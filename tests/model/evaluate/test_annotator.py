from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_coco import SIZE, block

from seem_model.evaluate.annotator import Annotator, iou, middle

OBJECT = block(10, 10, 31, 41)


def dot(row, column):
    return block(row - 1, column - 1, row + 2, column + 2)


def one_click(predicted, wanted=OBJECT):
    """The new pixels of each sign after one correction, with the first click taken away."""
    annotator = Annotator(wanted[None])
    first = annotator.positive[0].copy()
    annotator.correct(predicted[None])
    return annotator.positive[0] & ~first, annotator.negative[0]


def test_the_first_click_is_a_dot_in_the_middle_of_the_object():
    annotator = Annotator(np.stack([OBJECT, block(0, 0, 7, 7)]))
    np.testing.assert_array_equal(annotator.positive, [dot(20, 20), dot(3, 3)])
    assert not annotator.negative.any()


def test_a_missed_part_gets_a_positive_click_and_a_false_one_a_negative():
    positive, negative = one_click(OBJECT & ~block(10, 30, 31, 41))
    assert not negative.any()
    assert positive.sum() == 9
    assert not (positive & ~block(10, 30, 31, 41)).any()
    positive, negative = one_click(OBJECT | block(32, 0, 40, 60))
    assert not positive.any()
    assert (negative & block(32, 0, 40, 60)).sum() == negative.sum() == 9


def test_the_sums_of_pixels_decide_and_not_the_largest_regions():
    missed = block(10, 10, 13, 41) | block(28, 10, 31, 41)  # twice 93
    false = block(32, 0, 36, 30)  # 120 in one piece
    positive, negative = one_click((OBJECT & ~missed) | false)
    assert positive.any()
    assert not negative.any()


def test_of_equals_the_false_part_is_clicked():
    positive, negative = one_click((OBJECT & ~block(10, 10, 20, 41)) | block(0, 0, 10, 31))
    assert negative.any()
    assert not positive.any()


def test_what_was_clicked_before_is_neither_missed_nor_false():
    annotator = Annotator(dot(20, 20)[None])
    annotator.correct(np.zeros((1, *SIZE), np.bool_))
    assert annotator.positive.sum() == 9
    assert not annotator.negative.any()


def test_clicks_stay():
    annotator = Annotator(OBJECT[None])
    for _ in range(4):
        annotator.correct(np.zeros((1, *SIZE), np.bool_))
    assert annotator.positive.sum() == 5 * 9


def test_what_is_nearly_right_gets_no_click():
    almost = OBJECT & ~block(10, 10, 11, 41)  # 95 %
    positive, negative = one_click(almost)
    assert not positive.any()
    assert not negative.any()


def test_objects_are_clicked_each_for_themselves():
    annotator = Annotator(np.stack([OBJECT, OBJECT]))
    annotator.correct(np.stack([OBJECT, ~OBJECT]))
    assert [of.any() for of in annotator.negative] == [False, True]


def test_a_click_at_the_edge_is_cut():
    corner = block(0, 0, 1, 1)
    assert Annotator(corner[None]).positive.sum() == 4


def test_the_edge_of_the_input_is_an_edge():
    assert middle(block(0, 0, 9, 9)) == (4, 4)
    assert middle(np.ones(SIZE, np.bool_))[0] in {19, 20}


@given(arrays(np.bool_, (9, 11)).filter(np.any))
def test_the_middle_is_the_first_of_the_farthest_pixels_inside(region):
    outside = np.argwhere(~np.pad(region, 1)) - 1
    inside = np.argwhere(region)
    distance = ((inside[:, None] - outside) ** 2).sum(-1).min(1)
    assert middle(region) == tuple(inside[distance.argmax()])


@pytest.mark.parametrize(("found", "value"), [(OBJECT, 1.0), (~OBJECT, 0.0)])
def test_overlap(found, value):
    assert iou(found, OBJECT) == value


def test_two_empty_masks_are_equal():
    empty = np.zeros(SIZE, np.bool_)
    assert iou(empty, empty) == 1.0


@given(st.integers(0, 5))
def test_no_click_is_added_where_nothing_is_left_to_click(rounds):
    annotator = Annotator(np.ones((1, 3, 3), np.bool_))
    for _ in range(rounds):
        annotator.correct(np.zeros((1, 3, 3), np.bool_))
    assert annotator.positive.all()
    assert not annotator.negative.any()
