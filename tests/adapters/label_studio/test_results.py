from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from fake_video import prediction
from label_studio_words import BITMASK, BRUSH, config, mask_of
from PIL import Image

from seem_client.adapters.label_studio import label_config, results

MASK = np.zeros((11, 13), np.bool_)
MASK[2:5, 3:9] = True


def region_of(answer):
    (region,) = answer["result"]
    return region


def test_a_mask_is_a_brush_with_the_label_and_size_of_the_image():
    answer = results.masks(prediction(1, MASK), label_config.read(config(BRUSH)), "dog", "m@1")
    region = region_of(answer)
    assert (answer["model_version"], answer["score"]) == ("m@1", 0.9)
    assert (region["type"], region["from_name"], region["to_name"]) == (
        "brushlabels", "tag", "image"
    )  # fmt: skip
    assert (region["original_width"], region["original_height"]) == (13, 11)
    assert (region["value"]["format"], region["value"]["brushlabels"]) == ("rle", ["dog"])
    assert np.array_equal(mask_of(region), MASK)


def test_a_bitmask_is_a_picture_that_is_clear_where_nothing_is_marked():
    answer = results.masks(prediction(1, MASK), label_config.read(config(BITMASK)), "dog", "m@1")
    region = region_of(answer)
    assert (region["type"], region["value"]["bitmasklabels"]) == ("bitmasklabels", ["cat"])
    kind, _, text = region["value"]["imageDataURL"].partition(",")
    assert kind == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert np.array_equal(np.asarray(image.convert("RGBA"))[..., 3] == 255, MASK)


@pytest.mark.parametrize("found", [None, prediction(1, np.zeros_like(MASK))])
def test_where_nothing_was_found_there_is_no_region(found):
    answer = results.masks(found, label_config.read(config()), "dog", "m@1")
    assert answer == {"result": [], "score": 0.0, "model_version": "m@1"}


def test_each_region_has_an_id_of_its_own():
    made = [
        region_of(results.masks(prediction(1, MASK), label_config.read(config()), None, "m"))["id"]
        for _ in range(2)
    ]
    assert made[0] != made[1]


def test_an_event_is_answered_by_a_region_of_its_kind():
    config_of = label_config.read(config())
    answer = results.event(("track_started", {"session_id": "x"}), config_of, "m")
    region = region_of(answer)
    assert (region["type"], region["value"]) == ("track_started", {"session_id": "x"})
    assert (region["from_name"], region["to_name"]) == ("tag", "image")
    assert results.event(None, config_of, "m")["result"] == []
