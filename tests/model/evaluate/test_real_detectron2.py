"""The two evaluators on a made set, with the real detectron2: skipped where it isn't installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from two_evaluators import MODELS, check_instances, check_panoptic, check_semantic

pytestmark = pytest.mark.skipif(
    find_spec("detectron2") is None,
    reason="the real detectron2 isn't installed (it is on no package index): not compared with it",
)


@pytest.mark.skipif(find_spec("panopticapi") is None, reason="panopticapi isn't installed")
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_panoptic_quality_is_equal(tmp_path, model):
    check_panoptic(tmp_path, model)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_mean_iou_is_equal(tmp_path, model):
    check_semantic(tmp_path, model)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_average_precision_is_equal(tmp_path, model):
    check_instances(tmp_path, model)
