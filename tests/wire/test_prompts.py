from __future__ import annotations

import numpy as np
import pytest

from seem_wire.prompts import Box, ExamplePrompt, MaskPrompt, ObjectPrompt, Point, Scribble

POSITIVE = [
    ObjectPrompt(points=(Point(1, 2, positive=False), Point(3, 4))),
    ObjectPrompt(scribbles=(Scribble(((1, 2), (3, 4))),)),
    ObjectPrompt(box=Box(0, 0, 2, 2)),
    ObjectPrompt(mask=MaskPrompt(np.ones((2, 2), np.bool_))),
    ObjectPrompt(text="zebra"),
    ObjectPrompt(example=ExamplePrompt("a" * 64, np.ones((2, 2), np.bool_))),
]
NEGATIVE = [
    ObjectPrompt(points=(Point(1, 2, positive=False),)),
    ObjectPrompt(scribbles=(Scribble(((1, 2), (3, 4)), positive=False),)),
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
