from __future__ import annotations

import numpy as np
import pytest
from made_coco import SIZE, ColourClicking, StandIn, block, write_voc

from seem_model.evaluate.clicked_pictures import read_clickable
from seem_model.evaluate.clicks import click_through, clicks_until, evaluate
from seem_model.evaluate.datasets import DatasetInvalid
from seem_model.evaluate.predictor import Answer

LEFT, RIGHT = block(5, 5, 30, 25), block(5, 35, 30, 50)
COLOURS = (np.where(LEFT, 10, 0) + np.where(RIGHT, 20, 0)).astype(np.uint8)


def test_an_object_of_one_colour_needs_one_click():
    courses = click_through(ColourClicking(COLOURS), np.stack([LEFT, RIGHT]), 20)
    assert courses == [[1.0], [1.0]]


def test_an_object_of_two_colours_needs_two_and_the_other_waits_for_it():
    clicking = ColourClicking(COLOURS)
    courses = click_through(clicking, np.stack([LEFT | RIGHT, RIGHT]), 20)
    assert [len(course) for course in courses] == [2, 2]
    assert courses[0][0] == pytest.approx(LEFT.sum() / (LEFT | RIGHT).sum())
    assert courses[0][1] == 1.0
    (first, _), (second, _) = clicking.rounds
    assert (first & ~second).sum() == 0  # the first click stays
    np.testing.assert_array_equal(first[1], second[1])  # nothing is to be corrected there


def test_clicks_are_drawn_in_the_frame_of_the_network():
    clicking = ColourClicking(COLOURS)
    click_through(clicking, LEFT[None], 20)
    (positive, negative) = clicking.rounds[0]
    assert positive.shape == (1, 96, 128)
    assert (positive[0] & ~np.pad(LEFT.repeat(2, 0).repeat(2, 1), [(0, 16), (0, 8)])).sum() == 0
    assert not negative.any()


def test_an_object_that_never_gets_right_ends_after_the_last_round():
    (course,) = click_through(ColourClicking(COLOURS), block(0, 0, 5, 60)[None], 6)
    assert len(course) == 6


def test_pixels_of_the_network_guide_and_pixels_of_the_picture_count():
    class Contradicting(ColourClicking):
        def answer(self, positive, negative):
            answer = super().answer(positive, negative)
            return Answer(answer.network, np.zeros_like(answer.original))

    clicking = Contradicting(COLOURS)
    (course,) = click_through(clicking, LEFT[None], 3)
    assert course == [0.0] * 3
    assert (clicking.rounds[-1][0] == clicking.rounds[0][0]).all()


@pytest.mark.parametrize(
    ("course", "wanted", "count"),
    [([0.9], 0.9, 1), ([0.1, 0.95, 0.2], 0.9, 2), ([0.1, 0.2], 0.9, 20)],
)
def test_the_first_time_counts(course, wanted, count):
    assert clicks_until(course, wanted, 20) == count


def test_a_set_is_summed_up(tmp_path):
    sky = block(0, 0, 5, 60)
    pictures = read_clickable(write_voc(tmp_path, [COLOURS, COLOURS]))
    seen = []
    results = evaluate(StandIn(), pictures, done=lambda: seen.append(1))
    assert results == {
        "objects": 4.0, "NoC85": 1.0, "failures85": 0.0, "NoC90": 1.0, "failures90": 0.0,
        "mIoU1": 100.0,
    }  # fmt: skip
    assert len(seen) == 2
    hidden = np.where(sky, 30, COLOURS).astype(np.uint8)  # an object that its colours don't tell

    class Blind(StandIn):
        def clicking(self, _):
            return ColourClicking(COLOURS)

    (tmp_path / "two").mkdir()
    results = evaluate(Blind(), read_clickable(write_voc(tmp_path / "two", [hidden])), max_clicks=5)
    assert results["NoC90"] == pytest.approx((1 + 1 + 5) / 3)
    assert results["failures90"] == 1


def test_pictures_without_an_object_are_passed_over(tmp_path):
    empty = np.zeros(SIZE, np.uint8)
    pictures = read_clickable(write_voc(tmp_path, [empty, COLOURS]))
    assert evaluate(StandIn(), pictures)["objects"] == 2
    with pytest.raises(DatasetInvalid, match="no object"):
        evaluate(StandIn(), pictures[:1])
