from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seem_server.engine.packing import Said, pack, selector
from seem_server.engine.preprocess import lay_out
from seem_server.runtime.backend import (
    ExampleTokens,
    PromptArrays,
    QueryArrays,
    Selector,
    TextStates,
)
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.specs import QueriesSpec, Wiring
from seem_wire.pixels import MAP_NAMES, MASK_LOGIT, NEGATIVE, PADDING, POSITIVE
from seem_wire.prompts import Box, ExamplePrompt, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble

QUERIES = replace(MANIFEST, decoder=QueriesSpec(Wiring.V1, (1, 3), 5, 4, 2, max_points=16))
FORGETFUL = replace(MANIFEST, decoder=QueriesSpec(Wiring.DEMO, (0, 1, 2), 3, 0, 2, max_points=16))
FRAME = lay_out((100, 100), MANIFEST).frame
CLICK = Point(50, 50)
AROUND = Lasso(((10, 10), (90, 10), (90, 90)))
NOT_HERE = Point(20, 20, positive=False)
MASK = MaskPrompt(np.eye(100, dtype=np.bool_))
EXAMPLE = ExamplePrompt("other", np.ones((3, 3), np.bool_))
STATES = np.arange(16, dtype=np.float32).reshape(2, 8)
TEXT = TextStates(STATES, STATES[-1])
TOKENS = ExampleTokens(np.ones((3, 7, 8), np.float32), np.full(8, 2, np.float32))
LOGITS = np.full(FRAME.grid, 5, np.float32)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (ObjectPrompt(points=(CLICK,), text="a", example=EXAMPLE), Selector.MARKS),
        (ObjectPrompt(box=Box(1, 1, 2, 2), text="a"), Selector.MARKS),
        (ObjectPrompt(mask=MASK, example=EXAMPLE), Selector.MARKS),
        (ObjectPrompt(scribbles=(Scribble(((1, 1),)),), text="a"), Selector.MARKS),
        (ObjectPrompt(lassos=(AROUND,), text="a"), Selector.MARKS),
        (ObjectPrompt(text="a", example=EXAMPLE), Selector.EXAMPLE),
        (ObjectPrompt(lassos=(replace(AROUND, positive=False),), text="a"), Selector.TEXT),
        (ObjectPrompt(negative_boxes=(Box(1, 1, 2, 2),), text="a"), Selector.TEXT),
        (ObjectPrompt(points=(NOT_HERE,), example=EXAMPLE), Selector.EXAMPLE),
        (ObjectPrompt(points=(NOT_HERE,), text="a"), Selector.TEXT),
        (ObjectPrompt(text="a"), Selector.TEXT),
    ],
)
def test_marks_choose_before_examples_and_those_before_words(prompt, expected):
    assert selector(prompt) is expected


# --- queries


def queries(prompt, manifest=QUERIES, **made):
    packed = pack(Said(prompt, **made), FRAME, manifest)
    assert isinstance(packed, QueryArrays)
    return packed


def test_a_click_is_nine_pixels_and_everything_else_is_masked_out():
    packed = queries(ObjectPrompt(points=(CLICK,)))
    assert packed.points.shape == (1, 9, 2)
    assert (packed.labels == POSITIVE).all()
    assert (packed.points % 1 == 0).all()
    assert not packed.text_mask.any()
    assert not packed.example_mask.any()
    assert not packed.has_previous.any()
    assert packed.query_rows.tolist() == [[1, 3]]
    assert packed.selector.tolist() == [Selector.MARKS]


def test_both_signs_come_with_their_labels_and_within_the_bundles_budget():
    packed = queries(ObjectPrompt(points=(NOT_HERE,), box=Box(10, 10, 90, 90)))
    assert packed.labels.tolist() == [[POSITIVE] * 16 + [NEGATIVE] * 9]


def test_regions_are_pixels_of_their_sign():
    away = Box(0, 0, 5, 5)
    packed = queries(ObjectPrompt(lassos=(AROUND,), negative_boxes=(away,)))
    assert set(packed.labels[0]) == {POSITIVE, NEGATIVE}
    assert (packed.labels == POSITIVE).sum() == 16


def test_words_are_asked_of_all_queries():
    packed = queries(ObjectPrompt(text="a"), text=TEXT)
    assert packed.query_rows.tolist() == [[0, 1, 2, 3, 4]]
    assert packed.text_mask.tolist() == [[1, 1]]
    assert packed.sentence.tolist() == [TEXT.states[-1].tolist()]
    assert packed.labels.tolist() == [[PADDING]]


def test_an_example_brings_its_tokens_and_what_they_have_in_common():
    packed = queries(ObjectPrompt(example=EXAMPLE), example=TOKENS)
    assert packed.examples.shape == (1, 3, 7, 8)
    assert packed.example_mask.tolist() == [[1] * 7]
    assert packed.example_vector.tolist() == [[2] * 8]
    assert packed.query_rows.tolist() == [[1, 3]]


def test_all_that_was_said_is_seen_together():
    prompt = ObjectPrompt(points=(CLICK,), text="a", example=EXAMPLE)
    packed = queries(prompt, text=TEXT, example=TOKENS, logits=LOGITS)
    assert packed.labels.any()
    assert packed.text_mask.any()
    assert packed.example_mask.any()
    assert packed.has_previous.tolist() == [1]
    assert (packed.previous_mask == LOGITS).all()


@pytest.mark.parametrize(
    ("prompt", "manifest"),
    [
        (ObjectPrompt(text="a"), QUERIES),
        (ObjectPrompt(example=EXAMPLE), QUERIES),
        (ObjectPrompt(points=(CLICK,)), FORGETFUL),
    ],
)
def test_the_round_before_is_remembered_only_for_marks_and_where_there_is_memory(prompt, manifest):
    packed = queries(prompt, manifest, text=TEXT, example=TOKENS, logits=LOGITS)
    assert packed.has_previous.tolist() == [0]
    assert not packed.previous_mask.any()


def test_a_mask_is_its_pixels_and_no_memory():
    packed = queries(ObjectPrompt(mask=MASK))
    assert packed.labels.tolist() == [[POSITIVE] * 16]
    assert packed.has_previous.tolist() == [0]


# --- refined


def refined(prompt, **made):
    packed = pack(Said(prompt, **made), FRAME, MANIFEST)
    assert isinstance(packed, PromptArrays)
    return packed


def test_a_refined_decoder_sees_maps_and_the_mask_before():
    packed = refined(ObjectPrompt(points=(CLICK,)), logits=LOGITS)
    assert packed.maps[0, 0].any()
    assert (packed.previous_mask == LOGITS).all()
    assert packed.labels.tolist() == [[POSITIVE]]


def test_what_was_not_said_is_masked_out():
    packed = refined(ObjectPrompt(points=(CLICK,)))
    assert packed.maps.shape[1] == len(MAP_NAMES)
    assert not packed.text_mask.any()
    assert packed.has_example.tolist() == [0]
    assert packed.example.shape == (1, MANIFEST.joint_width)


def test_a_refined_decoder_sees_what_an_examples_pixels_have_in_common():
    packed = refined(ObjectPrompt(example=EXAMPLE), example=TOKENS)
    assert packed.has_example.tolist() == [1]
    assert packed.example.tolist() == [[2] * 8]


def test_a_mask_given_just_now_takes_the_place_of_the_mask_before():
    packed = refined(ObjectPrompt(mask=MASK), before=ObjectPrompt(), logits=LOGITS)
    assert set(np.unique(packed.previous_mask)) == {-MASK_LOGIT, MASK_LOGIT}


def test_a_mask_that_was_there_before_does_not():
    before = ObjectPrompt(mask=MaskPrompt(MASK.mask.copy()))
    packed = refined(ObjectPrompt(mask=MASK, points=(CLICK,)), before=before, logits=LOGITS)
    assert (packed.previous_mask == LOGITS).all()
