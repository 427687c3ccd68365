from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from seem_server.runtime.backend import Interrupted, PromptArrays
from seem_server.runtime.fake_backend import MANIFEST, SIZES, FakeBackend
from seem_wire.errors import Internal
from seem_wire.pixels import MAP_NAMES, NEGATIVE, PADDING, POSITIVE

GRID = (32, 48)


def prompt(*points, box=None, cleared=None, previous=None, text=False):
    """One object's prompt; a point is (x, y, label) in network pixels."""
    maps = np.zeros((1, len(MAP_NAMES), *GRID), np.float32)
    if box is not None:
        maps[0, MAP_NAMES.index("region")][box] = 1
    if cleared is not None:
        maps[0, MAP_NAMES.index("negative_region")][cleared] = 1
    given = np.array(points or [(0, 0, PADDING)], np.float32)
    return PromptArrays(
        points=given[None, :, :2],
        labels=given[None, :, 2],
        maps=maps,
        previous_mask=np.zeros((1, *GRID), np.float32) if previous is None else previous[None],
        has_previous=np.array([previous is not None], np.float32),
        text=np.zeros((1, 1, MANIFEST.text.width), np.float32),
        text_mask=np.array([[text]], np.float32),
        example=np.zeros((1, MANIFEST.joint_width), np.float32),
        has_example=np.zeros(1, np.float32),
    )


def mask(*points, **said):
    (answer,) = FakeBackend().decode([(None, prompt(*points, **said))])
    return answer.mask_logits[0] > 0


def test_a_positive_point_marks_a_disk_around_it():
    marked = mask((100, 60, POSITIVE))
    assert marked[15, 25]
    assert not marked[15, 40]
    assert marked.sum() == pytest.approx(np.pi * 64, rel=0.05)


def test_a_negative_point_clears_a_disk_around_it():
    marked = mask((100, 60, POSITIVE), (120, 60, NEGATIVE))
    assert marked[15, 19]
    assert not marked[15, 30]


def test_what_it_waits_for_ends_when_it_is_interrupted_and_nothing_is_done_until_it_may():
    backend = FakeBackend(decode_s=1000)
    threading.Timer(0, backend.interrupt).start()
    for _ in range(2):
        with pytest.raises(Interrupted):
            backend.decode([(None, prompt())])
    assert backend.n_decoded == 0
    quick = FakeBackend()
    quick.interrupt()
    quick.resume()
    assert quick.decode([(None, prompt())])


def test_a_box_is_filled():
    assert mask(box=np.s_[4:8, 10:20]).sum() == 40


def test_nothing_is_marked_in_a_negative_region():
    assert mask(box=np.s_[4:8, 10:20], cleared=np.s_[4:8, 15:48]).sum() == 20


def test_a_click_may_have_meant_less_or_more():
    (answer,) = FakeBackend().decode([(None, prompt((100, 60, POSITIVE)))])
    masks = answer.hypotheses.mask_logits[0] > 0
    main = (answer.mask_logits[0] > 0).sum()
    areas = [one.sum() for one in masks]
    assert areas == sorted(areas)
    assert areas[0] < main < areas[1]
    assert (answer.hypotheses.iou[0] < answer.iou[0]).all()
    assert answer.hypotheses.semantic.shape == (1, len(SIZES), MANIFEST.joint_width)


def test_places_on_the_left_mean_a_thing_and_those_on_the_right_stuff():
    meanings = FakeBackend().meanings(encoded())
    assert meanings.vectors.shape == (MANIFEST.joint_width, 8, 12)
    assert (meanings.vectors[:, 0, 0] == MANIFEST.vocabulary.embeddings[0]).all()
    assert (meanings.vectors[:, 0, -1] == MANIFEST.vocabulary.embeddings[1]).all()


def test_a_text_marks_the_middle():
    marked = mask(text=True)
    assert marked[16, 24]
    assert not marked[0, 0]


def test_the_mask_before_stays_but_for_what_is_cleared():
    before = np.where(mask(box=np.s_[0:32, 0:24]), 4, -4).astype(np.float32)
    marked = mask((20, 60, NEGATIVE), previous=before)
    assert marked[0, 23]
    assert not marked[15, 5]


def test_points_that_are_padding_say_nothing():
    assert not mask().any()


def test_the_score_grows_with_what_was_said():
    scores = [
        FakeBackend().decode([(None, prompt(*[(9, 9, POSITIVE)] * n))])[0].iou[0] for n in (1, 2, 5)
    ]
    assert scores == sorted(scores)
    assert all(0 <= score <= 1 for score in scores)


def test_it_takes_as_long_as_it_is_told_to():
    waited = []
    slow = FakeBackend(encode_s=3.0, decode_s=0.5, wait=waited.append)
    features = slow.encode(np.zeros((2, 3, 128, 192), np.float32))
    slow.decode([(features[0], prompt()), (features[1], prompt())])
    assert waited == [3.0, 0.5]
    assert (slow.n_encoded, slow.n_decoded) == (2, 2)


def test_words_have_rows_of_their_own():
    states = FakeBackend().encode_text("red bus red").states
    assert (states[0] == states[2]).all()
    assert (states[0] != states[1]).any()


def encoded():
    return FakeBackend().encode(np.random.default_rng(0).random((1, 3, 64, 96), np.float32))[0]


def test_an_example_is_what_its_pixels_have_in_common():
    points = np.array([[0, 0], [95, 63]], np.float32)
    tokens = FakeBackend().encode_example(encoded(), points)
    assert tokens.tokens.shape == (3, 2, MANIFEST.joint_width)
    assert np.allclose(tokens.vector, tokens.tokens[0].mean(axis=0))


def test_an_example_marks_the_right_half():
    shown = replace(prompt(), has_example=np.ones(1, np.float32))
    marked = FakeBackend().decode([(None, shown)])[0].mask_logits[0] > 0
    assert marked[:, 24:].all()
    assert not marked[:, :24].any()


def test_everything_is_a_thing_on_the_left_and_stuff_on_the_right():
    found = FakeBackend().find(encoded())
    assert (found.mask_logits > 0).sum(axis=(1, 2)).tolist() == [16 * 12, 16 * 12, 0]
    assert (found.semantic == MANIFEST.vocabulary.embeddings).all()


def test_what_is_not_its_own_is_refused():
    with pytest.raises(Internal):
        FakeBackend().find(object())
    with pytest.raises(Internal):
        FakeBackend().decode([(None, object())])


def test_places_of_one_colour_look_alike_and_all_are_of_unit_length():
    image = np.zeros((1, 3, 32, 64), np.float32)
    image[0, 0, :, :32], image[0, 1, :, 32:] = 200, 200
    backend = FakeBackend()
    appearance = backend.appearance(backend.encode(image)[0])
    np.testing.assert_allclose((appearance**2).sum(0), 1, rtol=1e-5)
    red, green = appearance[:, 0, 0], appearance[:, 0, -1]
    assert red @ appearance[:, -1, 0] == pytest.approx(1)
    assert red @ green < 0.5
