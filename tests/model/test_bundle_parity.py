from __future__ import annotations

import copy
import json

import pytest
import torch
from small_published import SIZES, small_variants

from seem_model import bundle_parity
from seem_model.bundle_parity import LEAST_IOU, N_OBJECTS, Judge, boxes, clicks, picture
from seem_model.precision import Precision
from seem_model.published import PublishedSeem
from seem_model.runs import TorchRuns
from seem_model.variants import VARIANTS, Wiring

PROMPTS = ["click", "box", "text", "click and text", "example", "second click", "everything"]


@pytest.fixture
def model(monkeypatch):
    torch.manual_seed(0)
    variant = small_variants(monkeypatch)["small_v0"]
    return PublishedSeem(variant).eval().requires_grad_(requires_grad=False)


@pytest.fixture
def compared(monkeypatch, tmp_path):
    """Two models, one of them in the graphs' place."""

    def compare(model, other, precision=Precision.FP32):
        monkeypatch.setattr(bundle_parity, "GraphRuns", lambda _: TorchRuns(other))
        return Judge(model, range(SIZES.object_queries)).compare(tmp_path, precision)

    return compare


def with_noise(model, share):
    other = copy.deepcopy(model)
    torch.manual_seed(1)
    for parameter in other.parameters():
        parameter.add_(share * parameter.std(correction=0) * torch.randn_like(parameter))
    return other


def test_a_model_agrees_with_itself_on_every_prompt(model, compared):
    report = compared(model, model)
    assert [one.prompt for one in report.prompts] == PROMPTS
    assert {(one.iou, one.same_query, one.error) for one in report.prompts} == {(1.0, 1.0, 0.0)}
    assert set(report.features.values()) == {0.0}
    assert report.passed


def test_every_prompt_is_about_something(model, compared, monkeypatch):
    def mean(values):  # of all logits: the largest alone may be the same by chance
        return float(values.abs().mean())

    monkeypatch.setattr(bundle_parity, "_scale", mean)
    report = compared(model, model)
    assert len({one.scale for one in report.prompts}) == len(PROMPTS)


def test_a_model_without_memory_is_not_asked_to_remember(monkeypatch, compared):
    variant = small_variants(monkeypatch, [Wiring.DEMO])["small_demo"]
    model = PublishedSeem(variant).eval()
    assert "second click" not in [one.prompt for one in compared(model, model).prompts]


def test_other_weights_give_other_masks_and_do_not_pass(model, compared):
    report = compared(model, with_noise(model, 1.0))
    assert not report.passed
    assert report.worst.iou == min(one.iou for one in report.prompts) < LEAST_IOU["fp32"]
    assert max(report.features.values()) > 0.01


def test_the_bar_is_lower_where_bits_are_fewer():
    assert LEAST_IOU["fp32"] > LEAST_IOU["fp16"] > LEAST_IOU["int8"]
    assert set(LEAST_IOU) == set(Precision)


def test_a_graph_that_gives_no_numbers_does_not_pass(model, compared):
    broken = copy.deepcopy(model)
    broken.sem_seg_head.predictor.mask_embed.layers[-1].bias.fill_(float("nan"))
    report = compared(model, broken)
    assert not report.passed
    json.dumps(report.document(), allow_nan=False)


def test_the_report_can_be_kept_as_json(model, compared):
    document = json.loads(json.dumps(compared(model, model).document(), allow_nan=False))
    assert document["passed"] is True
    assert list(document["prompts"]) == PROMPTS
    assert document["prompts"]["click"]["mask_iou"] == 1.0


def test_prompts_lie_inside_the_picture():
    for marks in (clicks(256, 320), boxes(256, 320)):
        assert marks.shape[0] == N_OBJECTS
        assert marks.shape[1] <= 512
        assert torch.equal(marks, marks.floor())
        assert marks.min() >= 0
        assert (marks < torch.tensor([320, 256])).all()


def test_the_picture_is_the_same_each_time_and_of_the_size_that_sam_needs(model):
    assert torch.equal(picture(model), picture(model))
    with torch.device("meta"):
        sam = PublishedSeem(VARIANTS["samvitb_v1"])
    assert picture(sam).shape == (1, 3, 1024, 1024)
