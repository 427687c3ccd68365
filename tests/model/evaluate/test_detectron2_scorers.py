"""The adapter, on a stand-in of detectron2's interface; and that ours counts as it does."""

from __future__ import annotations

import sys

import pytest
import stand_in_detectron2
from made_coco import write_panoptic
from two_evaluators import MODELS, check_instances, check_panoptic, check_semantic

from seem_model.evaluate.coco import read_panoptic
from seem_model.evaluate.detectron2_scorers import (
    Detectron2Missing,
    Detectron2Panoptic,
    is_installed,
)
from seem_model.vocabularies import COCO_PANOPTIC


@pytest.fixture
def standing_in(monkeypatch):
    stand_in_detectron2.install(monkeypatch)


@pytest.mark.usefixtures("standing_in")
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("check", [check_panoptic, check_semantic, check_instances])
def test_both_give_the_same(tmp_path, check, model):
    check(tmp_path, model)


@pytest.mark.usefixtures("standing_in")
@pytest.mark.parametrize("check", [check_panoptic, check_instances])
def test_both_give_the_same_of_the_first_pictures_only(tmp_path, check):
    check(tmp_path, MODELS["ragged"], limit=2)


def test_without_detectron2_its_evaluator_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "detectron2", None)
    files = write_panoptic(tmp_path)
    dataset = read_panoptic(files.annotations, files.images, files.maps, COCO_PANOPTIC)
    with pytest.raises(Detectron2Missing, match="--evaluator builtin"):
        Detectron2Panoptic(dataset, files.maps)


@pytest.mark.parametrize(
    ("packages", "panoptic", "others"),
    [
        (set(), False, False),
        ({"detectron2"}, False, True),
        ({"detectron2", "panopticapi"}, True, True),
    ],
)
def test_the_panoptic_evaluator_needs_panopticapi_too(monkeypatch, packages, panoptic, others):
    monkeypatch.setattr(
        "seem_model.evaluate.detectron2_scorers.find_spec",
        lambda name: name if name in packages else None,
    )
    assert (is_installed(panoptic=True), is_installed(panoptic=False)) == (panoptic, others)
