import math

import pytest
import torch

from seem_model.config import LITE
from seem_model.train.teacher import N_CLASSES, Teacher, distillation_loss

NAMES = torch.eye(2)


@pytest.fixture(scope="module")
def teacher():
    pytest.importorskip(LITE.backbone.imagenet_weights, reason="ImageNet weights not installed")
    return Teacher(LITE.backbone)


def test_the_teacher_is_unsure_of_every_cell_in_its_own_way(teacher):
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    taught = teacher(image)
    assert taught.shape == (1, 2, 3, N_CLASSES)
    torch.testing.assert_close(taught.sum(-1), torch.ones(1, 2, 3))
    assert taught.std((1, 2)).max() > 0


def test_the_teacher_does_not_learn(teacher):
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def lesson(*cells, towards=0):
    """The loss of a row of cells of stride 32, all of which mean the name `towards`."""
    meanings = NAMES[towards][None, :, None, None].expand(1, 2, 4, 4 * len(cells))
    return float(distillation_loss(meanings, torch.tensor([[cells]]), NAMES, torch.tensor(1.0)))


def test_what_the_teacher_is_sure_of_costs_what_is_left_to_the_other_class():
    assert math.isclose(lesson((1.0, 0.0)), math.log(1 + math.exp(-1)), rel_tol=1e-5)
    assert math.isclose(lesson((1.0, 0.0), towards=1), math.log(1 + math.exp(1)), rel_tol=1e-5)


def test_a_cell_that_the_teacher_is_unsure_of_teaches_nothing():
    assert lesson((0.2, 0.2)) == 0
    assert lesson((1.0, 0.0), (0.2, 0.2)) == lesson((1.0, 0.0))


def test_surer_cells_weigh_more():
    sure, less = (1.0, 0.0), (0.5, 0.5)
    assert lesson(sure, less) < (lesson(sure) + 2 * lesson(less)) / 2
