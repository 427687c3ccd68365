"""Training recipes: everything that decides what weights come out, besides the data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """One run; images are each process's. `rounds`: the chance of 1, 2, ... rounds of prompts."""

    steps: int = 20000
    images_per_step: int = 8
    slots_per_image: int = 4
    crop_sizes: tuple[int, ...] = (224, 256, 320)
    """Side of the square crops; each step draws one."""
    bfloat16: bool = True
    """Arithmetic of the networks in 16 bits (weights, norms and losses stay in 32)."""
    learning_rate: float = 1e-3
    backbone_rate: float = 0.15
    """Of the learning rate."""
    weight_decay: float = 0.02
    warmup_steps: int = 100
    gradient_clip: float = 2.0
    average_decay: float = 0.998
    freeze_norms_after: float = 0.4
    """Share of the run after which batch norms keep their averaged statistics: first prompts and
    corrections look different to a norm, and at inference each must do with the mixture."""
    rounds: tuple[float, ...] = (0.24, 0.20, 0.18, 0.14, 0.10, 0.07, 0.07)
    proposal_weight: float = 0.2
    hypothesis_weight: float = 0.5
    iou_weight: float = 0.5
    presence_weight: float = 0.3
    semantic_weight: float = 0.1
    meaning_weight: float = 0.3
    distillation_weight: float = 0.1
    teach_every: int = 3
    """Steps from one lesson of the classifier to the next."""
    coarse_memory: float = 0.2
    """How often the last mask comes from a coarser look, as when the server zooms in."""
    seed: int = 7
    held_out_share: float = 0.03
    """Of the training images, kept apart to watch the run and to set thresholds."""


LITE = Recipe()
"""From ImageNet's weights, on two CPU cores in 100 minutes."""

LITE_LONG = Recipe(
    images_per_step=12,
    crop_sizes=(256, 384, 512),
    backbone_rate=0.2,
    warmup_steps=150,
    freeze_norms_after=0.0,
    teach_every=2,
)
"""From the weights of `LITE`, by a team of six on a GPU: crops up to the size that is served."""

LITE_LAST = Recipe(
    crop_sizes=(256, 320, 448), learning_rate=4e-4, backbone_rate=0.2, freeze_norms_after=0.0
)
"""From the weights of `LITE_LONG`, on two CPU cores."""

TINY = Recipe(
    steps=4,
    images_per_step=2,
    slots_per_image=2,
    crop_sizes=(64, 96),
    warmup_steps=1,
    bfloat16=False,
    distillation_weight=0.0,
)

RECIPES = {"lite": LITE, "lite-long": LITE_LONG, "lite-last": LITE_LAST, "tiny": TINY}
