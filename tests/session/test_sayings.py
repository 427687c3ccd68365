from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from session_words import (
    AROUND,
    HERE,
    MASK,
    MODEL,
    NOT_AROUND,
    NOT_HERE,
    SHOWN,
    SIZE,
    ZEBRA,
    prompt,
)

from seem_server.session import sayings
from seem_wire import errors, types
from seem_wire.prompts import MaskPrompt, ObjectPrompt, Point, Scribble


def add(objects, command, **limits):
    return sayings.add(objects, command, types.Limits(**limits))


def test_objects_keep_the_order_in_which_they_were_named():
    objects = add((), prompt(1, (5, HERE), (2, HERE)))
    objects = add(objects, prompt(2, (9, HERE), (2, HERE)))
    assert [one.object_id for one in objects] == [5, 2, 9]


def test_a_round_holds_all_that_was_said_until_then():
    objects = add((), prompt(1, ZEBRA, predict=False))
    (one,) = add(objects, prompt(2, NOT_HERE))
    assert one.rounds[-1].prompt.text == "zebra"
    assert not one.queued


def test_more_objects_than_allowed_are_refused():
    with pytest.raises(errors.LimitExceeded, match="3 objects"):
        add(add((), prompt(1, (1, HERE), (2, HERE))), prompt(2, (3, HERE)), max_objects=2)


def test_points_of_an_object_are_counted_over_all_its_prompts():
    stroke = ObjectPrompt(scribbles=(Scribble(((1.0, 1.0), (2.0, 2.0))),))
    objects = add((), prompt(1, HERE), max_points=3)
    objects = add(objects, prompt(2, stroke), max_points=3)
    with pytest.raises(errors.LimitExceeded, match="4 points for object 1"):
        add(objects, prompt(3, HERE), max_points=3)


def test_an_objects_chain_has_an_end(monkeypatch):
    monkeypatch.setattr(sayings, "MAX_ROUNDS", 1)
    with pytest.raises(errors.LimitExceeded, match="2 predictions"):
        add(add((), prompt(1, HERE)), prompt(2, HERE))


def test_masks_are_counted_over_the_session_and_each_only_once():
    one_mask = SIZE[0] * SIZE[1]
    objects = add((), prompt(1, MASK), max_mask_pixels=one_mask)
    objects = add(objects, prompt(2, MASK), max_mask_pixels=one_mask)
    other = ObjectPrompt(mask=MaskPrompt(np.ones(SIZE, np.bool_)))
    with pytest.raises(errors.LimitExceeded, match="mask pixels"):
        add(objects, prompt(3, other), max_mask_pixels=one_mask)


def test_the_pixels_of_a_prompts_masks_are_counted():
    assert sayings.n_mask_pixels(prompt(1, (1, MASK), (2, MASK), (3, HERE))) == 2 * 40 * 60


def test_the_masks_of_examples_are_counted_too():
    assert sayings.n_mask_pixels(prompt(1, (1, MASK), (2, SHOWN))) == 40 * 60 + 20 * 10
    objects = add((), prompt(1, SHOWN), max_mask_pixels=40 * 60)
    with pytest.raises(errors.LimitExceeded, match="mask pixels"):
        add(objects, prompt(2, MASK), max_mask_pixels=40 * 60)


def test_an_example_whose_image_was_not_read_yet_is_of_its_kind_too():
    shown = types.Example(types.ImageBytes(b"photo"), MASK.mask)
    said = types.Prompt(1, (types.PromptedObject(1, ObjectPrompt(), shown),))
    no_example = types.Capabilities(frozenset({types.PromptKind.POINT}), types.COMMAND_NAMES)
    with pytest.raises(errors.NotOffered, match="no example prompts"):
        sayings.check_kinds(said, no_example)


def test_what_the_model_lacks_is_named():
    no_text = types.Capabilities(frozenset({types.PromptKind.POINT}), types.COMMAND_NAMES)
    sayings.check(prompt(1, HERE), SIZE, no_text)
    with pytest.raises(errors.NotOffered, match="no text prompts; it takes point"):
        sayings.check(prompt(1, ZEBRA), SIZE, no_text)


def test_a_negative_box_is_a_box_and_a_lasso_a_kind_of_its_own():
    only_points = types.Capabilities(frozenset({types.PromptKind.POINT}), types.COMMAND_NAMES)
    boxes = replace(only_points, prompts=frozenset({types.PromptKind.BOX}))
    negative_box = ObjectPrompt(negative_boxes=NOT_AROUND.negative_boxes)
    with pytest.raises(errors.NotOffered, match="no box prompts"):
        sayings.check(prompt(1, negative_box), SIZE, only_points)
    sayings.check(prompt(1, negative_box), SIZE, boxes)
    with pytest.raises(errors.NotOffered, match="no lasso prompts"):
        sayings.check(prompt(1, AROUND), SIZE, boxes)


def test_corners_of_lassos_count_as_points():
    objects = add((), prompt(1, AROUND), max_points=5)
    with pytest.raises(errors.LimitExceeded, match="6 points for object 1"):
        add(objects, prompt(2, AROUND), max_points=5)


def test_every_object_of_a_prompt_is_checked():
    outside = ObjectPrompt(points=(Point(1, 41),))
    with pytest.raises(errors.PointOutsideImage):
        sayings.check(prompt(1, (1, HERE), (2, outside)), SIZE, MODEL.capabilities)
