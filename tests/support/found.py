"""Predictions of masks that a test draws itself."""

from __future__ import annotations

from seem_client import Prediction
from seem_wire import rle
from seem_wire.types import Timings


def found(mask, object_id=1, label=None, picture=None, **said):
    """What a server says that found `mask`, bool (H, W)."""
    lengths = rle.encode(mask)
    box, area = rle.box(lengths), rle.area(lengths)
    said = {"label_probability": None} | said
    return Prediction(
        object_id=object_id,
        rle=lengths,
        score=0.75,
        label=label,
        box=box,
        area=area,
        round=1,
        timings=Timings(),
        cache_hit=False,
        model_id="model@1",
        picture=picture,
        **said,
    )
