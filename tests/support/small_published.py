"""Checkpoints of published variants at a hundredth of the size, known to the loader by name."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import published_models

from seem_model import checkpoint, convert
from seem_model.variants import PUBLISHED, VARIANTS, Variant, Wiring

SIZES = replace(
    published_models.SIZES,
    object_queries=PUBLISHED.object_queries,  # whose rows a bundle names
    text_ids=PUBLISHED.text_ids,  # the tokenizer's
)
BACKBONE = published_models.small_variant().backbone


def small_variants(monkeypatch, wirings=tuple(Wiring)):
    """Has the loader know small_v0, small_v1 and small_demo, which it gives."""
    named = {f"small_{wiring}": wiring for wiring in wirings}
    small = {name: Variant(name, one, BACKBONE, sizes=SIZES) for name, one in named.items()}
    for module in (checkpoint, convert):
        monkeypatch.setattr(module, "VARIANTS", MappingProxyType({**VARIANTS, **small}))
    return small
