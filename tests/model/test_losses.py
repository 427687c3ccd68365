import torch

from seem_model.train import losses

TARGET = torch.zeros(1, 8, 8)
TARGET[:, 2:6, 2:6] = 1
RIGHT = (TARGET - 0.5) * 20


def test_the_right_mask_costs_almost_nothing():
    assert losses.mask_loss(RIGHT, TARGET).item() < 0.01


def test_a_worse_mask_costs_more():
    half = RIGHT.clone()
    half[:, 2:4] = -10
    assert losses.mask_loss(-RIGHT, TARGET) > losses.mask_loss(half, TARGET) > 0.1


def test_the_best_proposal_counts_most():
    one_right = torch.stack([-RIGHT, RIGHT, -RIGHT], 1)
    all_wrong = torch.stack([-RIGHT] * 3, 1)
    assert losses.proposal_loss(one_right, TARGET) < 0.3 * losses.proposal_loss(all_wrong, TARGET)


def test_iou_of_half_a_mask_is_a_half():
    half = RIGHT.clone()
    half[:, 2:4] = -10
    assert losses.iou(half, TARGET).tolist() == [0.5]


def test_an_absent_object_drawn_nowhere_costs_little():
    nothing = torch.zeros(1, 8, 8)
    assert losses.mask_loss(nothing - 10, nothing) < 0.1 < losses.mask_loss(RIGHT, nothing)
