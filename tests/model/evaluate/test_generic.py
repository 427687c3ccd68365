from __future__ import annotations

import pytest
from made_coco import DOG, LABELS, PERSON, StandIn, write_instances, write_panoptic

from seem_model.evaluate.average_precision import InstanceScorer
from seem_model.evaluate.coco import read_instances, read_panoptic
from seem_model.evaluate.datasets import DatasetInvalid
from seem_model.evaluate.generic import evaluate, instance_rule, panoptic_rule, semantic_rule
from seem_model.evaluate.mean_iou import SemanticScorer
from seem_model.evaluate.panoptic_quality import PanopticScorer
from seem_model.vocabularies import COCO_PANOPTIC, N_THINGS


@pytest.fixture
def panoptic(tmp_path):
    files = write_panoptic(tmp_path)
    return read_panoptic(files.annotations, files.images, files.maps, COCO_PANOPTIC)


def quality(dataset, model, threshold=0.8):
    scorer = PanopticScorer(len(COCO_PANOPTIC), dataset.things)
    return evaluate(model, dataset.pictures, panoptic_rule(dataset.things, threshold), scorer)


def test_a_perfect_model_has_a_perfect_quality(panoptic):
    results = quality(panoptic, StandIn())
    assert results["PQ"] == results["PQ_st"] == 100
    assert results["pictures"] == 2


def test_a_wrong_name_costs_both_names(panoptic):
    results = quality(panoptic, StandIn(labels=LABELS | {3: PERSON}))
    assert results["PQ"] == pytest.approx((100 * 3 / 3.5 + 0 + 100) / 3)


def test_what_is_below_the_threshold_is_not_there(panoptic):
    assert quality(panoptic, StandIn(score=0.75))["PQ"] == 0
    assert quality(panoptic, StandIn(score=0.75), threshold=0.4)["PQ"] == 100


def test_the_semantic_map_names_every_pixel(panoptic):
    scorer = SemanticScorer(len(COCO_PANOPTIC))
    model = StandIn(labels=LABELS | {3: PERSON})
    results = evaluate(model, panoptic.pictures, semantic_rule, scorer)
    persons, dog = 2 * 25 * 15 + 6 * 27, 20 * 30
    assert results["mIoU"] == pytest.approx(100 * (persons / (persons + dog) + 0 + 1) / 3)


def test_instances_are_scored_without_stuff(tmp_path):
    files = write_instances(tmp_path)
    dataset = read_instances(files.annotations, files.images, COCO_PANOPTIC[:N_THINGS])
    rule = instance_rule(dataset.things)
    results = evaluate(StandIn(), dataset.pictures, rule, InstanceScorer(dataset))
    assert results["AP"] == pytest.approx(100)
    missing = StandIn(labels={k: v for k, v in LABELS.items() if v != DOG})
    results = evaluate(missing, dataset.pictures, rule, InstanceScorer(dataset))
    assert results["AP"] == pytest.approx(50)


def test_of_no_picture_there_is_no_result(panoptic):
    with pytest.raises(DatasetInvalid):
        evaluate(StandIn(), [], semantic_rule, SemanticScorer(133))
    assert panoptic.pictures
