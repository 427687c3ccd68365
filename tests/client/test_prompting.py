from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seem_client.prompting import object_prompt, question, shown
from seem_wire.errors import InvalidValue, MaskEmpty, PromptEmpty
from seem_wire.prompts import Box, Lasso, Point, Scribble
from seem_wire.types import Question, SegmentKind


def test_points_are_positive_unless_told_otherwise():
    said = object_prompt(points=[(1, 2), (3, 4, False), Point(5, 6)])
    assert said.points == (Point(1.0, 2.0), Point(3.0, 4.0, positive=False), Point(5, 6))


@pytest.mark.parametrize("box", [(1, 2, 3, 4), Box(1, 2, 3, 4), np.array([1, 2, 3, 4])])
def test_a_box_may_be_four_numbers(box):
    assert object_prompt(box=box).box == Box(1.0, 2.0, 3.0, 4.0)


def test_a_scribble_may_be_plain_vertices():
    line = Scribble(((1.0, 2.0), (3.0, 4.0)), positive=False)
    said = object_prompt(scribbles=[np.array([[1, 2], [3, 4]]), line])
    assert said.scribbles == (Scribble(((1.0, 2.0), (3.0, 4.0))), line)


def test_a_lasso_may_be_plain_corners_and_there_may_be_several_negative_boxes():
    outline = Lasso(((1.0, 2.0), (3.0, 4.0), (1.0, 4.0)), positive=False)
    said = object_prompt(
        lassos=[np.array([[1, 2], [3, 4], [1, 4]]), outline],
        negative_boxes=[(1, 2, 3, 4), Box(5, 6, 7, 8)],
    )
    assert said.lassos == (Lasso(outline.points), outline)
    assert said.negative_boxes == (Box(1, 2, 3, 4), Box(5, 6, 7, 8))


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int64])
def test_a_mask_may_be_integers(kind):
    said = object_prompt(mask=np.array([[0, 2]]).astype(kind))
    assert said.mask.mask.tolist() == [[False, True]]
    assert said.mask.mask.dtype == np.bool_


def test_nothing_said_is_an_empty_prompt():
    assert object_prompt().is_empty


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": [(1,)]},
        {"points": [(1, 2, 3, 4)]},
        {"box": (1, 2, 3)},
        {"negative_boxes": [(1, 2, 3)]},
        {"mask": np.zeros((2, 2, 1), np.bool_)},
        {"mask": np.zeros((2, 2), np.float32)},
        {"mask": "mask.png"},
        {"points": [("a", 1)]},
        {"points": [(1, None)]},
        {"box": 7},
        {"box": ("a", 1, 2, 3)},
        {"scribbles": [[1, 2]]},
        {"scribbles": [[(1, 2, 3)]]},
        {"lassos": [[(1, "b")]]},
        {"text": 7},
    ],
)
def test_what_means_nothing_is_refused(wrong):
    with pytest.raises(InvalidValue):
        object_prompt(**wrong)


@pytest.mark.parametrize(
    ("mask", "hint"),
    [
        (np.zeros((2, 2), np.float32), "mask > 0.5"),
        (np.zeros((2, 2, 1), np.bool_), r"mask\[:, :, 0\]"),
    ],
)
def test_a_mask_that_is_nearly_one_is_refused_with_how_to_make_it_one(mask, hint):
    with pytest.raises(InvalidValue, match=hint):
        object_prompt(mask=mask)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_a_mask_may_be_a_pil_image(mode):
    drawn = Image.fromarray(np.array([[0, 255]], np.uint8)).convert(mode)
    assert object_prompt(mask=drawn).mask.mask.shape == (1, 2)


def test_a_mask_may_be_plain_lists():
    assert object_prompt(mask=[[0, 1]]).mask.mask.tolist() == [[False, True]]


def test_an_examples_mask_may_be_integers():
    example = shown("other.jpg", np.array([[0, 2]]))
    assert (example.image, example.mask.mask.tolist()) == ("other.jpg", [[False, True]])


def test_an_example_that_marks_nothing_is_refused():
    with pytest.raises(MaskEmpty):
        shown("other.jpg", np.zeros((2, 2), np.bool_))


def test_a_question_takes_any_names_and_kinds_by_name():
    asked = question((n for n in ("cat", "dog")), kind="semantic", threshold=None)
    assert asked == Question(SegmentKind.SEMANTIC, ("cat", "dog"))
    assert question(None, kind=SegmentKind.PANOPTIC, threshold=0.5) == Question(threshold=0.5)


@pytest.mark.parametrize(
    ("names", "kind", "error"),
    [
        ("cat", "panoptic", InvalidValue),
        ([], "panoptic", InvalidValue),
        (["cat", "cat"], "panoptic", InvalidValue),
        ([" "], "panoptic", PromptEmpty),
        (None, "colourful", InvalidValue),
    ],
)
def test_a_question_that_means_nothing_is_refused(names, kind, error):
    with pytest.raises(error):
        question(names, kind=kind, threshold=None)
