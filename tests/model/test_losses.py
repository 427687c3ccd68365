import math

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


def test_of_hypotheses_almost_only_the_best_counts():
    one_right = torch.stack([-RIGHT, RIGHT, -RIGHT], 1)
    all_wrong = torch.stack([-RIGHT] * 3, 1)
    share = losses.hypothesis_loss(one_right, TARGET) / losses.hypothesis_loss(all_wrong, TARGET)
    assert 0 < share < 0.05


def test_every_hypothesis_learns_a_little():
    logits = torch.stack([RIGHT, -RIGHT], 1).requires_grad_()
    losses.hypothesis_loss(logits, TARGET).sum().backward()
    assert logits.grad[:, 1].any()


NAMES = torch.eye(3)


def meaning(labels, *, towards=0, among=(True, True, False), scale=1.0):
    """The loss of a row of places that all mean the name `towards`."""
    meanings = NAMES[towards][None, :, None, None].expand(1, 3, 1, len(labels))
    known = torch.tensor([among])
    return float(
        losses.meaning_loss(meanings, torch.tensor([[labels]]), NAMES, torch.tensor(scale), known)
    )


def test_a_place_that_means_its_name_costs_what_the_other_name_leaves():
    assert math.isclose(meaning([0]), math.log(1 + math.exp(-1)), rel_tol=1e-5)
    assert math.isclose(meaning([1]), math.log(1 + math.exp(1)), rel_tol=1e-5)


def test_places_that_nobody_knows_cost_nothing():
    assert meaning([0, -1, -2]) == meaning([0])
    assert meaning([-1, -1]) == 0


def test_places_are_told_only_from_the_names_among():
    every = meaning([0], among=(True, True, True))
    assert math.isclose(every, math.log(1 + 2 * math.exp(-1)), rel_tol=1e-5)
    assert meaning([0], among=(True, False, False)) == 0


def test_rare_names_weigh_more_than_their_share_of_places():
    often, rare = meaning([0]), meaning([1])
    expected = (2 * often + rare) / 3  # four places weigh 4 ** 0.5
    assert math.isclose(meaning([0, 0, 0, 0, 1]), expected, rel_tol=1e-5)


def test_unknown_places_get_no_gradient():
    meanings = torch.rand(1, 3, 1, 2, requires_grad=True)
    labels, among = torch.tensor([[[0, -1]]]), torch.ones(1, 3, dtype=torch.bool)
    losses.meaning_loss(meanings, labels, NAMES, torch.tensor(1.0), among).backward()
    assert meanings.grad[..., 0].any()
    assert not meanings.grad[..., 1].any()
