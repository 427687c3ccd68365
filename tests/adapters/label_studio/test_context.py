from __future__ import annotations

import math

import numpy as np
import pytest
from label_studio_words import brushed, key_point, rectangle, words

from seem_client.adapters.label_studio.context import KeyPoint, Words, label, prompt, read
from seem_wire.errors import CoordinateNotFinite, InvalidValue, MaskSizeMismatch, PromptEmpty

SIZE = (64, 96)


def meant(*regions):
    return prompt(read({"result": list(regions)}), SIZE)


@pytest.mark.parametrize("spelling", ["is_positive", "positive"])
@pytest.mark.parametrize("positive", [True, False])
def test_both_spellings_of_positive_are_read(spelling, positive):
    said = read({"result": [key_point(50, 25, positive=positive, spelling=spelling)]})
    assert said == (KeyPoint(50, 25, positive),)


def test_a_click_that_does_not_say_is_positive():
    region = key_point(50, 25)
    del region["is_positive"]
    assert meant(region)["points"] == [(48.0, 16.0, True)]


def test_clicks_on_and_past_the_edge_mean_the_pixel_there():
    assert meant(key_point(100, 101), key_point(-1, 0))["points"] == [
        (95.5, 63.5, True), (0.5, 0.5, True)
    ]  # fmt: skip


def test_rectangles_are_boxes_in_pixels_and_negative_ones_keep_out():
    found = meant(rectangle(25, 50, 50, 100), rectangle(0, 0, 50, 25, is_positive=0))
    assert found["box"] == (24, 32, 72, 64)
    assert found["negative_boxes"] == [(0, 0, 48, 16)]


def test_a_rectangle_drawn_backwards_is_the_same():
    assert meant(rectangle(75, 100, -50, -50))["box"] == (24, 32, 72, 64)


def test_a_brush_is_a_rough_mask():
    mask = np.zeros(SIZE, np.bool_)
    mask[10:20, 30:50] = True
    assert np.array_equal(meant(brushed(mask))["mask"], mask)


def test_a_brush_of_another_size_is_refused():
    with pytest.raises(MaskSizeMismatch, match="64 x 96"):
        meant(brushed(np.ones((64, 95), np.bool_)))


def test_the_text_that_was_sent_last_names_the_object():
    region = words("a cat")
    region["value"]["text"] = ["a dog", " a cat "]
    assert read({"result": [region]}) == (Words("a cat"),)


def test_several_things_are_said_at_once():
    found = meant(key_point(50, 50), words("cat"), rectangle(0, 0, 50, 50), key_point(1, 1))
    assert (len(found["points"]), found["text"], found["box"]) == (2, "cat", (0, 0, 48, 32))


def test_the_label_is_that_of_the_tool_used_last():
    assert label({"result": [rectangle(0, 0, 1, 1), key_point(1, 1), words("x")]}) == "dog"
    assert label({"result": [words("x")]}) is None


@pytest.mark.parametrize("result", [None, [], [words(" ")], [{"type": "ellipse", "value": {}}]])
def test_nothing_said_is_told(result):
    with pytest.raises(PromptEmpty):
        read({"result": result})


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ("text", InvalidValue),
        (["text"], InvalidValue),
        ([key_point("a", 1)], InvalidValue),
        ([key_point(None, 1)], InvalidValue),
        ([key_point(math.nan, 1)], CoordinateNotFinite),
        ([{"type": "brushlabels", "value": {"rle": [300]}, "original_width": 1}], InvalidValue),
        ([{"type": "brushlabels", "value": {"rle": [3]}, "original_width": "1"}], InvalidValue),
    ],
)
def test_what_is_no_context_is_refused(result, error):
    with pytest.raises(error):
        read({"result": result})
