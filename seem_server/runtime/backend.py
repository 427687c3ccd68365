"""The port to whatever runs the networks: encode an image once, decode prompts often.

n objects · P prompt points · T text tokens · E text width · C joint space
H, W padded network input · h, w = H / 4, W / 4
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from seem_server.runtime.bundle import BundleManifest

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TextStates:
    """A text as the text encoder sees it: states (T, E) float32, one row a real token."""

    states: Float32


class Features(Protocol):
    """What the image encoder made of one image; opaque, wherever the backend keeps it."""

    @property
    def nbytes(self) -> int:
        """Bytes that it holds, for the cache's budget."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptArrays:
    """The prompts of n objects of one image, padded to common P and T.

    points: (n, P, 2) float32, (x, y) in network pixels. labels: (n, P) float32, see
    `seem_wire.pixels`. maps: (n, 5, h, w) float32. previous_mask: (n, h, w) float32 logits of the
    round before, zeros where there was none; has_previous: (n,) float32, 1 or 0.
    text: (n, T, E) float32 with T >= 1; text_mask: (n, T) float32, 1 for a token.
    """

    points: Float32
    labels: Float32
    maps: Float32
    previous_mask: Float32
    has_previous: Float32
    text: Float32
    text_mask: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What the network says of n objects.

    mask_logits: (n, h, w) float32, inside where > 0. iou, presence: (n,) float32 in 0..1.
    semantic: (n, C) float32 unit vectors, to compare with the bundle's vocabulary embeddings.
    """

    mask_logits: Float32
    iou: Float32
    presence: Float32
    semantic: Float32


class Backend(Protocol):
    """Runs one bundle on one device. Not thread-safe: one worker owns it."""

    @property
    def manifest(self) -> BundleManifest:
        """What the bundle says of itself."""

    @property
    def provider(self) -> str:
        """Where it really runs: "cpu", "cuda" or "fake"."""

    def encode(self, images: Float32) -> list[Features]:
        """Features of B preprocessed images (B, 3, H, W)."""

    def decode(self, items: Sequence[tuple[Features, PromptArrays]]) -> list[Decoded]:
        """One round for each item; items of equal shapes may share one run."""

    def encode_text(self, text: str) -> TextStates:
        """The token states of a text."""
