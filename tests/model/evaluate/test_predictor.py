from __future__ import annotations

import inspect

import pytest
from made_coco import ColourClicking, StandIn

from seem_model.evaluate import predictor
from seem_model.evaluate.published_predictor import ClickedPicture, PublishedPredictor


def names(one):
    return {name for name in vars(one) if not name.startswith("_")}


@pytest.mark.parametrize("model", [PublishedPredictor, StandIn])
def test_models_take_what_the_protocols_give(model):
    for name in names(predictor.Predictor):
        asked = inspect.signature(getattr(predictor.Predictor, name))
        assert list(inspect.signature(getattr(model, name)).parameters) == list(asked.parameters)


@pytest.mark.parametrize("clicking", [ClickedPicture, ColourClicking])
def test_pictures_that_are_clicked_take_two_signs(clicking):
    assert names(predictor.Clicking) == {"frame", "answer"}
    parameters = inspect.signature(clicking.answer).parameters
    assert list(parameters) == ["self", "positive", "negative"]
