"""The adapter, on a stand-in of detectron2's interface; and that ours counts as it does."""

from __future__ import annotations

import math
import sys

import pytest
import stand_in_detectron2
from made_coco import StandIn, numbers, write_instances, write_panoptic
from two_evaluators import MODELS, check_instances, check_panoptic, check_semantic

from seem_model.evaluate.coco import read_instances, read_panoptic
from seem_model.evaluate.datasets import DatasetInvalid
from seem_model.evaluate.detectron2_scorers import (
    Detectron2Instances,
    Detectron2Missing,
    Detectron2Panoptic,
    is_installed,
)
from seem_model.evaluate.generic import evaluate, instance_rule, panoptic_rule
from seem_model.vocabularies import COCO_PANOPTIC, N_THINGS


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


@pytest.mark.usefixtures("standing_in")
def test_of_no_stuff_at_all_detectron2_has_no_quality(tmp_path):
    picture = numbers()[0]
    picture[picture == 4] = 0
    files = write_panoptic(tmp_path, [picture])
    dataset = read_panoptic(files.annotations, files.images, files.maps, COCO_PANOPTIC)
    scorer = Detectron2Panoptic(dataset, files.maps)
    with pytest.raises(DatasetInvalid, match="stuff"):
        evaluate(StandIn(), dataset.pictures, panoptic_rule(dataset.things, 0.8), scorer)


@pytest.mark.usefixtures("standing_in")
def test_where_there_is_nothing_to_find_the_precision_is_no_number(tmp_path):
    files = write_instances(tmp_path)
    dataset = read_instances(files.annotations, files.images, COCO_PANOPTIC[:N_THINGS])
    scorer = Detectron2Instances(dataset, COCO_PANOPTIC[:N_THINGS])
    results = evaluate(StandIn(), dataset.pictures, instance_rule(dataset.things), scorer)
    assert math.isnan(results["APl"])
    assert results["AP"] == pytest.approx(100)


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
