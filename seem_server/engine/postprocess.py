"""From the decoder's logits to a mask of the original image, and to a name for it.

H, W original image · h, w mask logits (the padded network input divided by its stride)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_server.engine import evidence, zoom
from seem_server.engine.enlarging import way
from seem_server.engine.packing import selector
from seem_server.engine.preprocess import lay_out
from seem_server.engine.tidy import tidy
from seem_server.runtime.backend import Selector
from seem_server.runtime.specs import QueriesSpec
from seem_wire import rle
from seem_wire.prompts import Box

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_server.engine.preprocess import Layout
    from seem_server.engine.zoom import Window
    from seem_server.runtime.specs import BundleManifest, Vocabulary
    from seem_wire.prompts import ObjectPrompt
    from seem_wire.rle import Rle

    Float32 = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.intp]
    Mask = npt.NDArray[np.bool_]


N_CORNERS = 4


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


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """How the N pixels of a side lie between the centres of n cells.

    n_pixels, first: (n - 1,) how many lie between cell i and the next, and the first of them; those
    beyond the outermost centres are counted in. share: (N,) float32, how far from one cell to
    the next each pixel lies, 0 to 1.
    """

    n_pixels: Ints
    first: Ints
    share: Float32


def draw_for(
    prompt: ObjectPrompt,
    logits: Float32,
    layout: Layout,
    manifest: BundleManifest,
    window: Window | None = None,
) -> Drawn:
    """The mask of logits (h, w) that answer `prompt`, in the way of the bundle's decoder.

    Our own models are drawn smoothly and tidied; the published ones to the letter of their program.
    Either way what was pointed at holds (`evidence`). `window`: the part of the image that the
    logits show, None for all of it; beyond it the mask is empty.
    """
    if isinstance(manifest.decoder, QueriesSpec):
        threshold, chosen_by = manifest.mask_threshold, selector(prompt)
        return draw_published(logits, layout, threshold, chosen_by, prompt=prompt)
    if window is None:
        return draw(logits, layout, manifest.mask_threshold, prompt=prompt)
    mask = np.zeros(layout.size, np.bool_)
    part = lay_out(window.size, manifest)
    shown = _mask(logits, part, manifest.mask_threshold, zoom.within(prompt, window))
    mask[window.y0 : window.y1, window.x0 : window.x1] = shown
    evidence.settle(mask, prompt)
    return draw_mask(mask)


def draw_published(
    logits: Float32,
    layout: Layout,
    threshold: float,
    chosen_by: Selector,
    *,
    prompt: ObjectPrompt | None = None,
) -> Drawn:
    """The mask of logits (h, w) as the published programs make it: inside where over `threshold`.

    Bilinearly to the network's input, without its padding, and from there to the original size:
    bilinearly again, but bicubically where the object was named (specification, 9.3 and 9.4). With
    the `prompt` that it answers, it is another one than theirs where a click or line was ignored,
    or a region is forbidden.
    """
    shown = way(layout, layout.size, smooth=chosen_by is Selector.TEXT)
    if prompt is None:
        return draw_mask(shown.over(logits, threshold))
    mask = shown.over(evidence.bend(logits, prompt, layout.frame, threshold), threshold)
    evidence.settle(mask, prompt)
    return draw_mask(mask)


def draw_nothing(size: tuple[int, int]) -> Drawn:
    """The empty mask of an image of (H, W)."""
    return draw_mask(np.zeros(size, np.bool_))


def draw(
    logits: Float32, layout: Layout, threshold: float, *, prompt: ObjectPrompt | None = None
) -> Drawn:
    """The mask of logits (h, w): bilinear at the original size, inside where over `threshold`.

    With the `prompt` that it answers, crumbs that nobody pointed at are swept (`tidy`), and what
    somebody did point at holds (`evidence`).
    """
    return draw_mask(_mask(logits, layout, threshold, prompt))


def _mask(logits: Float32, layout: Layout, threshold: float, prompt: ObjectPrompt | None) -> Mask:
    """The same as bool (H, W)."""
    rows, columns = shown_cells(layout)
    shown = logits[:rows, :columns]
    if prompt is None:
        return _enlarge(shown, layout.size, threshold)
    shown = evidence.bend(shown, prompt, layout.frame, threshold)
    mask = _enlarge(tidy(shown, prompt, layout.frame, threshold), layout.size, threshold)
    evidence.settle(mask, prompt)
    return mask


def shown_cells(layout: Layout) -> tuple[int, int]:
    """How many rows and columns of the mask logits show the image, and not its padding."""
    stride = layout.frame.stride
    return layout.resized[0] // stride, layout.resized[1] // stride


def name(semantic: Float32, vocabulary: Vocabulary) -> Label | None:
    """The likeliest name for what a unit vector (C,) in the joint space means, if any is known."""
    if not vocabulary.names:
        return None
    scores = vocabulary.scale * (vocabulary.embeddings @ semantic).astype(np.float64)
    weights = np.exp(scores - scores.max())
    best = int(weights.argmax())
    return Label(vocabulary.names[best], float(weights[best] / weights.sum()))


def draw_mask(mask: Mask) -> Drawn:
    """A mask (H, W) as it is."""
    return Drawn(rle.encode(mask), _box(mask), int(np.count_nonzero(mask)))


def _enlarge(logits: Float32, size: tuple[int, int], threshold: float) -> Mask:
    """Where logits, resized bilinearly to (H, W), are over the threshold.

    Between four cells on one side of the threshold nothing can cross it, so only the squares that
    the mask's edge runs through are interpolated: a tenth of the time of resizing everything.
    """
    logits = np.pad(logits, [(0, int(n == 1)) for n in logits.shape], mode="edge")
    rows, columns = (_side(n, side) for n, side in zip(logits.shape, size, strict=True))
    over = logits > threshold
    n_over = np.zeros((len(rows.first), len(columns.first)), np.uint8)  # of a square's corners
    for corner in (over[:-1, :-1], over[:-1, 1:], over[1:, :-1], over[1:, 1:]):
        n_over += corner
    inside = n_over == N_CORNERS
    mask: Mask = inside.repeat(columns.n_pixels, axis=1).repeat(rows.n_pixels, axis=0)
    crossed = (n_over % N_CORNERS > 0) & (rows.n_pixels > 0)[:, None] & (columns.n_pixels > 0)
    i, j = np.nonzero(crossed)  # (K,)
    if len(i):
        y, x = _pixels(rows, i), _pixels(columns, j)  # (K, S) each
        down, across = rows.share[y][:, :, None], columns.share[x]
        above = _between(logits[i, j], logits[i, j + 1], across)
        below = _between(logits[i + 1, j], logits[i + 1, j + 1], across)
        values = above[:, None] + (below - above)[:, None] * down  # (K, S, S)
        mask[y[:, :, None], x[:, None, :]] = values > threshold
    return mask


def _between(left: Float32, right: Float32, across: Float32) -> Float32:
    """Values (K, S) on the way from `left` (K,) to `right` (K,)."""
    return left[:, None] + (right - left)[:, None] * across


def _side(n_cells: int, n_pixels: int) -> _Side:
    centres = (np.arange(n_pixels) + 0.5) * (n_cells / n_pixels) - 0.5
    cell = np.clip(np.floor(centres).astype(np.intp), 0, n_cells - 2)
    counts = np.bincount(cell, minlength=n_cells - 1)
    share = np.clip(centres - cell, 0, 1).astype(np.float32)
    return _Side(counts, np.cumsum(counts) - counts, share)


def _pixels(side: _Side, squares: Ints) -> Ints:
    """The pixels (K, S) of each of K squares; those with fewer than S repeat their last."""
    counts = side.n_pixels[squares, None]
    return side.first[squares, None] + np.minimum(np.arange(int(counts.max())), counts - 1)


def _box(mask: Mask) -> Box | None:
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
