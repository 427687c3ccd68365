"""What a good answer is.

Masks: normalised focal loss (RITM, Sofiiuk et al. 2022, section 3.4) plus Dice (Milletari et al.
2016). Proposals: the same, on the best of an object's queries, as SAM learns its hypotheses
(Kirillov et al. 2023, section 3). N objects · h, w any resolution
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def mask_loss(logits: Tensor, target: Tensor) -> Tensor:
    """(N, h, w) logits against soft targets in 0..1: one loss an object, (N,)."""
    return normalised_focal_loss(logits, target) + dice_loss(logits, target)


def normalised_focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss whose weights sum to one for each object, so that it never fades: (N,)."""
    error = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    with torch.no_grad():
        weight = (torch.sigmoid(logits) - target).abs() ** gamma + 1e-3
        weight = weight / weight.flatten(1).mean(1)[:, None, None]
        # as RITM: the weight normalises, but may not blow up what is nearly solved
        weight = weight.clamp(max=50.0)
    return (error * weight).flatten(1).mean(1)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice of soft masks, with a smoothing of one pixel: (N,)."""
    probability = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    overlap = (probability * target).sum(1)
    return 1 - (2 * overlap + 1) / (probability.sum(1) + target.sum(1) + 1)


def proposal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """(N, q, h, w) proposals: mostly the best of an object's queries counts, all a little: (N,)."""
    each = _each(logits, target)
    return 0.8 * each.amin(1) + 0.2 * each.mean(1)


def hypothesis_loss(logits: Tensor, target: Tensor) -> Tensor:
    """(N, q, h, w) hypotheses: the best one learns, and the others a little: (N,)."""
    each = _each(logits, target)
    return 0.95 * each.amin(1) + 0.05 * each.mean(1)


def meaning_loss(
    meanings: Tensor, labels: Tensor, names: Tensor, scale: Tensor, among: Tensor
) -> Tensor:
    """Cross-entropy of what places mean over names, rare ones weighing as much as common ones.

    meanings: (B, C, h, w) of unit length. labels: (B, h, w) int64 index into names, negative where
    nobody knows. names: (V, C) of unit length. among: (B, V) bool, names that a crop is told from.
    """
    logits = scale * torch.einsum("bchw,vc->bhwv", meanings.float(), names)
    logits = logits.masked_fill(~among[:, None, None, :], -1e4)
    known = labels >= 0
    if not bool(known.any()):
        return logits.sum() * 0
    each = functional.cross_entropy(logits[known], labels[known], reduction="none")
    counts = torch.bincount(labels[known], minlength=len(names)).float()
    weight = counts[labels[known]] ** -0.5
    return (each * weight).sum() / weight.sum()


def iou(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of the thresholded masks: (N,)."""
    predicted, true = (logits > 0).flatten(1), (target > 0.5).flatten(1)
    union = (predicted | true).sum(1)
    return (predicted & true).sum(1) / union.clamp(min=1)


def _each(logits: Tensor, target: Tensor) -> Tensor:
    """The mask loss of each of (N, q, h, w) against (N, h, w): (N, q)."""
    repeated = target[:, None].expand_as(logits).flatten(0, 1)
    return mask_loss(logits.flatten(0, 1), repeated).reshape(-1, logits.shape[1])
