from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from seem_server.runtime import stacking
from seem_server.runtime.backend import Decoded, Hypotheses, PromptArrays, QueryArrays
from seem_server.runtime.stacking import sharing, split, stacked
from seem_wire.pixels import PADDING


def refined(n, n_points, n_tokens):
    shapes = ((n, n_points, 2), (n, n_points), (n, 6, 4, 6), (n, 4, 6), (n,))
    shapes += ((n, n_tokens, 3), (n, n_tokens), (n, 3), (n,))
    return PromptArrays(*(np.ones(shape, np.float32) for shape in shapes))


def queries(n, n_points, n_tokens, n_pixels):
    shapes = ((n, n_points, 2), (n, n_points), (n, n_tokens, 3), (n, n_tokens), (n, 3))
    shapes += ((n, 3, n_pixels, 3), (n, n_pixels), (n, 3), (n, 4, 6), (n,), (n, 2), (n,))
    return QueryArrays(*(np.ones(shape, np.float32) for shape in shapes))


def test_neighbours_of_equal_key_share():
    assert sharing("aabca", key=str) == [["a", "a"], ["b"], ["c"], ["a"]]


def test_no_more_than_some_share(monkeypatch):
    monkeypatch.setattr(stacking, "MAX_SHARING", 2)
    assert [len(group) for group in sharing("aaaaa", key=str)] == [2, 2, 1]


def test_shorter_prompts_are_filled_up_with_what_says_nothing():
    whole = stacked([refined(2, 3, 1), refined(1, 1, 4)])
    assert whole.points.shape == (3, 3, 2)
    assert whole.labels[2].tolist() == [1, PADDING, PADDING]
    assert whole.text_mask.tolist() == [[1, 0, 0, 0]] * 2 + [[1, 1, 1, 1]]
    assert whole.maps.shape == (3, 6, 4, 6)
    assert whole.example.shape == (3, 3)
    assert whole.has_example.shape == (3,)


def test_so_are_those_of_queries():
    whole = stacked([queries(1, 2, 1, 5), queries(2, 1, 3, 2)])
    assert whole.labels.tolist() == [[1, 1], [1, PADDING], [1, PADDING]]
    assert whole.examples.shape == (3, 3, 5, 3)
    assert whole.example_mask.sum(axis=1).tolist() == [5, 2, 2]
    assert whole.examples[1, :, 2:].tolist() == np.zeros((3, 3, 3)).tolist()
    assert all(len(getattr(whole, field.name)) == 3 for field in fields(whole))


@pytest.mark.parametrize("presence", [None, np.arange(3, dtype=np.float32)])
def test_an_answer_is_taken_apart_as_its_prompts_were_put_together(presence):
    numbers = np.arange(3, dtype=np.float32)
    whole = Decoded(np.zeros((3, 4, 6), np.float32), numbers, presence, np.eye(3, dtype=np.float32))
    first, second = split(whole, [1, 2])
    assert first.mask_logits.shape == (1, 4, 6)
    assert second.iou.tolist() == [1, 2]
    assert second.semantic.shape == (2, 3)
    if presence is None:
        assert first.presence is second.presence is None
    else:
        assert second.presence.tolist() == [1, 2]


def test_what_else_was_meant_goes_with_its_object():
    numbers = np.arange(3, dtype=np.float32)
    others = Hypotheses(
        np.zeros((3, 2, 4, 6), np.float32),
        np.stack([numbers, numbers], axis=1),
        np.zeros((3, 2, 3), np.float32),
    )
    eye = np.eye(3, dtype=np.float32)
    whole = Decoded(np.zeros((3, 4, 6), np.float32), numbers, None, eye, others)
    first, second = split(whole, [1, 2])
    assert first.hypotheses.mask_logits.shape == (1, 2, 4, 6)
    assert second.hypotheses.iou.tolist() == [[1, 1], [2, 2]]
