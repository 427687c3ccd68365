"""The same predictions scored by us and by detectron2: what must be equal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_coco import DOG, LABELS, PERSON, StandIn, numbers, write_instances, write_panoptic

from seem_model.evaluate.average_precision import InstanceScorer
from seem_model.evaluate.coco import read_instances, read_panoptic
from seem_model.evaluate.detectron2_scorers import (
    Detectron2Instances,
    Detectron2Panoptic,
    Detectron2Semantic,
)
from seem_model.evaluate.generic import evaluate, instance_rule, panoptic_rule, semantic_rule
from seem_model.evaluate.mean_iou import SemanticScorer
from seem_model.evaluate.panoptic_quality import PanopticScorer
from seem_model.vocabularies import COCO_PANOPTIC, N_THINGS


def ragged(number, mask):
    """Some of a mask, and some beside it; most of object 2 is lost."""
    rows = np.arange(len(mask))[:, None]
    lost = (rows + number) % 5 == 0 if number != 2 else rows % 4 != 0
    return (mask & ~lost) | (np.roll(mask, 4, axis=1) & ~mask & (rows % 3 == 0))


def crowded():
    """As `numbers`, and a third picture: one object, a crowd (5) and what nobody named."""
    third = np.zeros_like(numbers()[0])
    third[:20, :20], third[20:, 30:50] = 1, 5
    return [*numbers(), third]


MODELS = {
    "perfect": StandIn(),
    "ragged": StandIn(spoil=ragged),
    "mistaken": StandIn(labels=LABELS | {3: PERSON, 5: DOG}),
    "blind to some": StandIn(labels={1: PERSON, 4: LABELS[4]}, spoil=ragged),
}


def check_panoptic(folder, model, *, limit=None):
    files = write_panoptic(folder, crowded(), crowds={5})
    dataset = read_panoptic(files.annotations, files.images, files.maps, COCO_PANOPTIC)
    ours = PanopticScorer(len(COCO_PANOPTIC), dataset.things)
    theirs = Detectron2Panoptic(dataset, files.maps)
    _check(dataset.pictures[:limit], model, panoptic_rule(dataset.things, 0.8), ours, theirs)


def check_semantic(folder, model):
    files = write_panoptic(folder, crowded())
    dataset = read_panoptic(files.annotations, files.images, files.maps, COCO_PANOPTIC)
    ours, theirs = SemanticScorer(len(COCO_PANOPTIC)), Detectron2Semantic(dataset, COCO_PANOPTIC)
    _check(dataset.pictures, model, semantic_rule, ours, theirs)


def check_instances(folder, model, *, limit=None):
    names = COCO_PANOPTIC[:N_THINGS]
    files = write_instances(folder, crowded())
    dataset = read_instances(files.annotations, files.images, names)
    ours, theirs = InstanceScorer(dataset), Detectron2Instances(dataset, names)
    _check(dataset.pictures[:limit], model, instance_rule(dataset.things), ours, theirs)


def _check(pictures, model, rule, ours, theirs):
    found, expected = (evaluate(model, pictures, rule, scorer) for scorer in (ours, theirs))
    assert found.keys() <= expected.keys()
    for name, value in found.items():
        if not math.isnan(value):
            assert value == pytest.approx(expected[name]), name
