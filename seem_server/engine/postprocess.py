"""From the decoder's logits to a mask of the original image, and to a name for it.

H, W original image · h, w mask logits (the padded network input divided by its stride)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from seem_wire import rle
from seem_wire.prompts import Box

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_server.engine.preprocess import Layout
    from seem_server.runtime.bundle import Vocabulary
    from seem_wire.rle import Rle

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mask at the original size; `box` around it in pixel edges, None where it is empty."""

    rle: Rle
    box: Box | None
    area: int

    @property
    def nbytes(self) -> int:
        """Bytes of the run lengths, which are nearly all of it."""
        return len(self.rle.counts)


@dataclass(frozen=True, slots=True)
class Label:
    """The vocabulary's best name for an object, and its probability among the names."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class _Span:
    """Pixels `start` to `end` of a side, and where they begin and end among the logits."""

    start: int
    end: int
    low: float
    high: float


def draw(logits: Float32, layout: Layout, threshold: float) -> Drawn:
    """The mask of logits (h, w): bilinear at the original size, inside where over `threshold`.

    Only the part of the image that positive logits can reach is resized.
    """
    stride = layout.frame.stride
    shown = logits[: layout.resized[0] // stride, : layout.resized[1] // stride]
    positive: Mask = shown > threshold
    mask = np.zeros(layout.size, np.bool_)
    if not positive.any():
        return Drawn(rle.encode(mask), None, 0)
    rows = _reach(np.flatnonzero(positive.any(axis=1)), positive.shape[0], layout.size[0])
    columns = _reach(np.flatnonzero(positive.any(axis=0)), positive.shape[1], layout.size[1])
    part = Image.fromarray(np.ascontiguousarray(shown)).resize(
        (columns.end - columns.start, rows.end - rows.start),
        Image.Resampling.BILINEAR,
        box=(columns.low, rows.low, columns.high, rows.high),
    )
    inside = np.asarray(part) > threshold
    mask[rows.start : rows.end, columns.start : columns.end] = inside
    box = _box(inside, left=columns.start, top=rows.start)
    return Drawn(rle.encode(mask), box, int(np.count_nonzero(inside)))


def name(semantic: Float32, vocabulary: Vocabulary) -> Label | None:
    """The likeliest name for what a unit vector (C,) in the joint space means, if any is known."""
    if not vocabulary.names:
        return None
    scores = vocabulary.scale * (vocabulary.embeddings @ semantic).astype(np.float64)
    weights = np.exp(scores - scores.max())
    best = int(weights.argmax())
    return Label(vocabulary.names[best], float(weights[best] / weights.sum()))


def _reach(cells: npt.NDArray[np.intp], n_cells: int, side: int) -> _Span:
    """The pixels of a side of `side` pixels that any of `cells` (of `n_cells`) has a part in."""
    scale = n_cells / side  # cells a pixel
    support = max(scale, 1.0)  # of the bilinear filter, in cells
    start = max(math.floor((cells[0] + 0.5 - support) / scale - 0.5), 0)
    end = min(math.ceil((cells[-1] + 0.5 + support) / scale + 0.5), side)
    return _Span(start, end, start * scale, min(end * scale, n_cells))


def _box(inside: Mask, *, left: int, top: int) -> Box | None:
    rows = np.flatnonzero(inside.any(axis=1))
    columns = np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return None
    return Box(
        float(left + columns[0]),
        float(top + rows[0]),
        float(left + columns[-1] + 1),
        float(top + rows[-1] + 1),
    )
