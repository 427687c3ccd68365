"""Training recipes: everything that decides what weights come out, besides the data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """One run. Rates are per step; `rounds` gives the chance of 1, 2, ... rounds of prompts."""

    steps: int = 4000
    images_per_step: int = 8
    slots_per_image: int = 3
    crop_sizes: tuple[int, ...] = (224, 256, 320)
    """Side of the square crops; each step draws one."""
    learning_rate: float = 8e-4
    backbone_rate: float = 0.15
    """Of the learning rate."""
    weight_decay: float = 0.02
    warmup_steps: int = 100
    gradient_clip: float = 2.0
    average_decay: float = 0.998
    freeze_norms_after: float = 0.6
    """Share of the run after which batch norms keep their averaged statistics: first prompts and
    corrections look different to a norm, and at inference each must do with the mixture."""
    rounds: tuple[float, ...] = (0.20, 0.25, 0.25, 0.15, 0.15)
    proposal_weight: float = 0.3
    iou_weight: float = 0.5
    presence_weight: float = 0.2
    semantic_weight: float = 0.15
    seed: int = 7
    held_out_share: float = 0.02
    """Of the training images, kept apart to watch the run."""


LITE = Recipe()
TINY = Recipe(steps=4, images_per_step=2, slots_per_image=2, crop_sizes=(64, 96), warmup_steps=1)

RECIPES = {"lite": LITE, "tiny": TINY}
