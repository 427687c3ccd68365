"""Checkpoints of published variants at a hundredth of the size, known to the loader by name."""

from __future__ import annotations

from types import MappingProxyType

from seem_model import checkpoint, convert
from seem_model.variants import VARIANTS, FocalNetConfig, Sizes, Variant, Wiring

SIZES = Sizes(
    hidden=32,
    heads=2,
    feedforward=32,
    encoder_layers=1,
    decoder_layers=3,
    memory_tokens=4,
    text_layers=1,
)
BACKBONE = FocalNetConfig(8, (1, 1, 1, 1), focal_levels=2, depthwise=True)


def small_variants(monkeypatch, wirings=tuple(Wiring)):
    """Has the loader know small_v0, small_v1 and small_demo, which it gives."""
    named = {f"small_{wiring}": wiring for wiring in wirings}
    small = {name: Variant(name, one, BACKBONE, sizes=SIZES) for name, one in named.items()}
    for module in (checkpoint, convert):
        monkeypatch.setattr(module, "VARIANTS", MappingProxyType({**VARIANTS, **small}))
    return small
