"""Checkpoints of published models small enough for tests, under names that the loader knows."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import torch
from published_models import SIZES, small_variant

from seem_model import checkpoint
from seem_model.published import PublishedSeem
from seem_model.variants import VARIANTS, Resize, Wiring

SMALL = Resize(64, 96)
# The tokenizer's own ids, and rows enough for those that answer v1's clicks.
FULL = replace(SIZES, text_ids=49408, object_queries=101)


def text_reading_variant(wiring=Wiring.V1):
    variant = small_variant(wiring)
    return replace(variant, interactive=SMALL, referring=SMALL, generic=SMALL, sizes=FULL)


def text_reading_model(wiring=Wiring.V1, seed=0):
    torch.manual_seed(seed)
    model = PublishedSeem(text_reading_variant(wiring)).eval()
    return model.requires_grad_(requires_grad=False)


def write_checkpoint(folder, monkeypatch, wiring=Wiring.V1):
    """A .pt file; `--variant` is its stem."""
    model = text_reading_model(wiring)
    name = model.variant.name
    variants = MappingProxyType({**VARIANTS, name: model.variant})
    monkeypatch.setattr(checkpoint, "VARIANTS", variants)
    torch.save(model.state_dict(), folder / f"{name}.pt")
    return folder / f"{name}.pt"
