from __future__ import annotations

import numpy as np
import pytest

from seem_wire.prompts import Box, ExamplePrompt, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble

AROUND = ((1, 2), (3, 4), (1, 4))
POSITIVE = [
    ObjectPrompt(points=(Point(1, 2, positive=False), Point(3, 4))),
    ObjectPrompt(scribbles=(Scribble(((1, 2), (3, 4))),)),
    ObjectPrompt(box=Box(0, 0, 2, 2)),
    ObjectPrompt(mask=MaskPrompt(np.ones((2, 2), np.bool_))),
    ObjectPrompt(lassos=(Lasso(AROUND, positive=False), Lasso(AROUND))),
    ObjectPrompt(text="zebra"),
    ObjectPrompt(example=ExamplePrompt("a" * 64, np.ones((2, 2), np.bool_))),
]
NEGATIVE = [
    ObjectPrompt(points=(Point(1, 2, positive=False),)),
    ObjectPrompt(scribbles=(Scribble(((1, 2), (3, 4)), positive=False),)),
    ObjectPrompt(lassos=(Lasso(AROUND, positive=False),)),
    ObjectPrompt(negative_boxes=(Box(0, 0, 2, 2),)),
]


@pytest.mark.parametrize("prompt", POSITIVE)
def test_each_way_to_say_what_is_meant_counts_as_positive(prompt):
    assert prompt.has_positive
    assert not prompt.is_empty


@pytest.mark.parametrize("prompt", NEGATIVE)
def test_saying_only_what_is_not_meant_is_something_but_not_positive(prompt):
    assert not prompt.has_positive
    assert not prompt.is_empty


def test_saying_nothing_is_empty():
    assert ObjectPrompt().is_empty
    assert not ObjectPrompt().has_positive


def test_clicks_vertices_and_the_corners_of_negative_boxes_are_counted():
    line = Scribble(((1, 2), (3, 4)))
    told = ObjectPrompt(
        points=(Point(1, 2),),
        box=Box(0, 0, 2, 2),
        scribbles=(line, line),
        negative_boxes=(Box(0, 0, 2, 2),),
        lassos=(Lasso(AROUND),),
    )
    assert told.n_points == 1 + 4 + 2 + 3
