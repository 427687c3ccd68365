"""Published variants of a hundredth of the size, through the real modules."""

from __future__ import annotations

from types import MappingProxyType

from seem_model import checkpoint, export_published, published
from seem_model.clip_text import LanguageEncoder, LanguageSize
from seem_model.variants import VARIANTS, FocalNetConfig, Variant, Wiring

HIDDEN, LAYERS = 32, 3
SIZE = LanguageSize(width=32, depth=1, heads=2, joint_width=HIDDEN)
BACKBONE = FocalNetConfig(16, (1, 1, 1, 1), focal_levels=2, depthwise=True)


def small_variants(monkeypatch, wirings=tuple(Wiring)):
    """Lets the modules build small models: small_v0, small_v1 and small_demo, which it gives."""
    variants = {f"small_{one}": Variant(f"small_{one}", one, BACKBONE) for one in wirings}
    for module in (published, export_published):
        monkeypatch.setattr(module, "HIDDEN", HIDDEN)
    monkeypatch.setattr(published, "DECODER_LAYERS", LAYERS)
    monkeypatch.setattr(published, "LanguageEncoder", lambda: LanguageEncoder(SIZE))
    monkeypatch.setattr(checkpoint, "VARIANTS", MappingProxyType({**VARIANTS, **variants}))
    return variants
