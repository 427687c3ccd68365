from __future__ import annotations

import numpy as np
import pytest

from seem_wire import errors
from seem_wire.prompts import Box, ExamplePrompt, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble
from seem_wire.validate import check_fits, check_names, check_prompt, is_blank

NAN, INFINITE = float("nan"), float("inf")
SIZE = (20, 30)  # (height, width)


def lassoed(*corners):
    return ObjectPrompt(lassos=(Lasso(corners),))


def mask_of(*shape, value=True):
    return MaskPrompt(np.full(shape, value))


WHOLE = ObjectPrompt(
    points=(Point(0, 0), Point(30, 20, positive=False)),
    box=Box(-5, 3, 12, 40),
    scribbles=(Scribble(((0.5, 0.5), (29.5, 19.5))),),
    mask=mask_of(*SIZE),
    text="a zebra",
    example=ExamplePrompt("a" * 64, np.ones((7, 9), np.bool_)),
    negative_boxes=(Box(20, 15, 99, 99), Box(1, 1, 2, 2)),
    lassos=(Lasso(((-30, -20), (60, 5), (3, 40))), Lasso(((1, 1), (5, 1), (3, 3)), positive=False)),
)


def test_a_prompt_of_every_kind_passes():
    check_prompt(WHOLE)
    check_fits(WHOLE, SIZE)


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        (ObjectPrompt(points=(Point(1, 2), Point(NAN, 2))), errors.CoordinateNotFinite),
        (ObjectPrompt(points=(Point(1, -INFINITE),)), errors.CoordinateNotFinite),
        (ObjectPrompt(scribbles=(Scribble(((1, 2), (3, NAN))),)), errors.CoordinateNotFinite),
        (ObjectPrompt(box=Box(0, 0, INFINITE, 1)), errors.CoordinateNotFinite),
        (ObjectPrompt(box=Box(3, 3, 3, 9)), errors.BoxWithoutArea),
        (ObjectPrompt(box=Box(3, 9, 5, 8)), errors.BoxWithoutArea),
        (ObjectPrompt(negative_boxes=(Box(1, 1, 2, 2), Box(3, 3, 3, 9))), errors.BoxWithoutArea),
        (ObjectPrompt(negative_boxes=(Box(1, NAN, 2, 2),)), errors.CoordinateNotFinite),
        (lassoed((1, 1), (2, INFINITE), (3, 3)), errors.CoordinateNotFinite),
        (lassoed((1, 1), (2, 5)), errors.LassoWithoutArea),
        (lassoed(), errors.LassoWithoutArea),
        (ObjectPrompt(mask=mask_of(4, 4, value=False)), errors.MaskEmpty),
        (ObjectPrompt(example=ExamplePrompt("a" * 64, np.zeros((4, 4), bool))), errors.MaskEmpty),
        (ObjectPrompt(text=" \n"), errors.PromptEmpty),
        (ObjectPrompt(text="\u200b"), errors.PromptEmpty),
        (ObjectPrompt(scribbles=(Scribble(()),)), errors.PromptEmpty),
        (ObjectPrompt(text="half \ud83d"), errors.InvalidValue),
        (ObjectPrompt(text="nothing\0at all"), errors.InvalidValue),
        (ObjectPrompt(text="\x1b[2J"), errors.InvalidValue),
        (ObjectPrompt(negative_boxes=(Box(1, 1, 2, 2),) * 33), errors.LimitExceeded),
    ],
)
def test_what_makes_no_sense_anywhere_is_refused(prompt, error):
    with pytest.raises(error):
        check_prompt(prompt)


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        (ObjectPrompt(points=(Point(30.01, 5),)), errors.PointOutsideImage),
        (ObjectPrompt(points=(Point(5, -0.01, positive=False),)), errors.PointOutsideImage),
        (ObjectPrompt(scribbles=(Scribble(((5, 5), (5, 21))),)), errors.PointOutsideImage),
        (ObjectPrompt(box=Box(30, 0, 40, 10)), errors.BoxWithoutArea),
        (ObjectPrompt(box=Box(-9, -9, 10, 0)), errors.BoxWithoutArea),
        (ObjectPrompt(negative_boxes=(Box(30, 0, 40, 10),)), errors.BoxWithoutArea),
        (lassoed((31, 5), (40, 5), (40, 9)), errors.LassoWithoutArea),
        (lassoed((5, 5), (9, 5), (1e300, 9)), errors.PointOutsideImage),
        (lassoed((5, 5), (9, 5), (9, -20.5)), errors.PointOutsideImage),
        (ObjectPrompt(mask=mask_of(30, 20)), errors.MaskSizeMismatch),
    ],
)
def test_what_does_not_fit_the_image_is_refused(prompt, error):
    check_prompt(prompt)
    with pytest.raises(error, match="20"):
        check_fits(prompt, SIZE)


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        (ObjectPrompt(box=Box(3.6, 3.6, 4.4, 9)), errors.BoxWithoutArea),
        (ObjectPrompt(box=Box(3, 3.6, 9, 4.4)), errors.BoxWithoutArea),
        (lassoed((3.6, 3.6), (4.4, 3.6), (4.4, 18)), errors.LassoWithoutArea),
        (lassoed((0, 0), (30, 20), (15, 10)), errors.LassoWithoutArea),
    ],
)
def test_a_region_around_an_object_holds_the_centre_of_a_pixel(prompt, error):
    check_prompt(prompt)
    with pytest.raises(error, match="centre of no pixel"):
        check_fits(prompt, SIZE)


def test_slivers_of_what_is_not_the_object_and_deep_lassos_pass():
    check_fits(ObjectPrompt(negative_boxes=(Box(3.6, 3.6, 4.4, 9),)), SIZE)
    check_fits(lassoed((5, 0), (9, 0), (7, 190)), (200, 30))
    check_fits(lassoed((5, 0), (5.2, 0), (5.1, 120), (9, 130), (5, 130)), (200, 30))


def test_a_refusal_names_the_numbers_and_says_what_to_do():
    with pytest.raises(errors.PointOutsideImage) as caught:
        check_fits(ObjectPrompt(points=(Point(812, 3),)), (480, 640))
    assert str(caught.value) == (
        "The point (812, 3) lies outside the image of 640 x 480 pixels. "
        "Send (x, y) within [0, width] x [0, height] of the upright original image."
    )


def test_a_vocabulary_of_distinct_names_passes():
    check_names(("cat", "a dog"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \t\n\u00a0\u3000\u2028",
        "\u200b\u200c\u200d\u2060\ufeff",  # of no width
        "\u200e\u202e\u00ad",  # directions, and where a word may break
        "\U000e0041\ufe0f\u034f\u0301",  # tags and marks on nothing
        "\u3164\u2800",
    ],
)
def test_a_text_that_nobody_can_see_is_blank(text):
    assert is_blank(text)


@pytest.mark.parametrize(
    "text", ["a\u200b", "猫", "e\u0301", "नि", "👩\u200d🚀", "7", "?", "\u0378"]
)
def test_a_text_with_one_letter_or_sign_is_not(text):
    assert not is_blank(text)


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ((), errors.InvalidValue),
        (("cat", "cat"), errors.InvalidValue),
        (("half \ud83d",), errors.InvalidValue),
        (("cat", " "), errors.PromptEmpty),
        (("cat", "\u200d\ufe0f"), errors.PromptEmpty),
        (("cat", 1), errors.InvalidValue),
    ],
)
def test_a_vocabulary_that_names_nothing_or_something_twice_is_refused(names, error):
    with pytest.raises(error):
        check_names(names)
