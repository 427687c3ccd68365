from __future__ import annotations

import pickle
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from scripted_server import SIZE, TIMINGS, masks, object_mask

from seem_client.overlay import PALETTE
from seem_client.picture import Still
from seem_client.png import encode_png
from seem_client.prediction import Prediction, Predictions
from seem_wire import rle
from seem_wire.errors import InvalidValue, MaskSizeMismatch
from seem_wire.prompts import Box
from seem_wire.types import Hypothesis


@pytest.fixture
def prediction():
    return Prediction.of(
        object_mask(label="zebra", label_probability=0.9, is_thing=True), masks(3, 1)
    )


def test_it_says_all_that_the_reply_says(prediction):
    assert (prediction.object_id, prediction.score, prediction.area) == (1, 0.5, 2)
    assert (prediction.label, prediction.label_probability) == ("zebra", 0.9)
    assert prediction.is_thing
    assert (prediction.box, prediction.timings) == (Box(0, 0, 1, 2), TIMINGS)
    assert (prediction.model_id, prediction.cache_hit, prediction.round) == ("model@1", False, 1)


def test_it_says_how_likely_the_object_is_there_and_what_else_was_meant():
    pixel = Hypothesis(rle.encode(np.eye(*SIZE, dtype=np.bool_)), 0.25, Box(0, 0, 2, 2), 2)
    told = object_mask(presence=0.75, hypotheses=(pixel,))
    prediction = Prediction.of(told, masks(3, 1))
    assert prediction.presence == 0.75
    (one,) = prediction.hypotheses
    assert (one.rle, one.score, one.box, one.area) == (pixel.rle, 0.25, pixel.box, 2)
    assert (one.mask == np.eye(*SIZE, dtype=np.bool_)).all()
    assert not one.mask.flags.writeable
    assert repr(one) == "<Hypothesis: score 0.25, 2 pixels>"


def test_an_object_without_a_pixel_is_not_there(prediction):
    assert prediction.is_present
    assert (prediction.presence, prediction.hypotheses) == (None, ())
    nothing = replace(object_mask(presence=0.1), box=None, area=0)
    assert not Prediction.of(nothing, masks(3, 1)).is_present


def test_the_mask_is_boolean_of_the_images_size(prediction):
    assert (prediction.mask.dtype, prediction.mask.shape) == (np.bool_, SIZE)
    assert np.argwhere(prediction.mask).tolist() == [[0, 0], [1, 0]]


def test_the_mask_is_decoded_once_and_cannot_be_spoilt(prediction):
    assert prediction.mask is prediction.mask
    with pytest.raises(ValueError, match="read-only"):
        prediction.mask[0, 0] = False


def test_polygons_outline_the_mask(prediction):
    assert prediction.polygons[0].outline.tolist() == [[0, 0], [1, 0], [1, 2], [0, 2]]


def test_its_text_fits_on_a_line(prediction):
    expected = "<Prediction of object 1 'zebra': round 1, score 0.50, 2 pixels>"
    assert repr(prediction) == expected


GREY = np.full((*SIZE, 3), 100, np.uint8)


def test_an_overlay_is_the_picture_with_the_mask_on_it(prediction):
    given = prediction.overlay(GREY)
    asked_about = replace(prediction, picture=Still(encode_png(GREY))).overlay()
    assert np.array_equal(given, asked_about)
    assert tuple(given[0, 0]) == PALETTE[0]
    assert (given[:, 1:] == 100).all()


def test_an_overlay_needs_a_picture_of_the_masks_size(prediction):
    with pytest.raises(InvalidValue, match="give the image"):
        prediction.overlay()
    with pytest.raises(MaskSizeMismatch, match="shape"):
        prediction.overlay(GREY[1:])


def test_several_predictions_are_a_list_with_one_overlay(prediction):
    other = replace(prediction, object_id=2, rle=rle.encode(np.eye(*SIZE, k=3, dtype=np.bool_)))
    several = Predictions([prediction, other])
    assert isinstance(several, list)
    picture = several.overlay(GREY)
    assert [tuple(picture[0, 0]), tuple(picture[0, 3])] == [PALETTE[0], PALETTE[1]]
    assert Predictions().overlay(GREY) is not GREY
    with pytest.raises(InvalidValue):
        Predictions().overlay()


def test_a_notebook_is_given_a_picture(prediction):
    for shown in (prediction, Predictions([prediction])):
        assert "<img" in shown._repr_html_()
        assert "zebra" in shown._repr_html_()


def test_copies_and_pickles_leave_the_picture_behind(prediction):
    seen = replace(prediction, picture=Still(b"large" * 1000))
    for other in (copy(seen), pickle.loads(pickle.dumps(seen))):  # noqa: S301 - our own
        assert (other.rle, other.picture) == (seen.rle, None)
    assert len(pickle.dumps(seen)) < 5000
