"""The port to whatever runs the networks: encode an image once, decode prompts often.

n objects · P prompt points · T text tokens · V tokens of an example · q query rows · E text width
C joint space · H, W padded network input · h, w = H / 4, W / 4
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from seem_server.runtime.specs import BundleManifest

    Float32 = npt.NDArray[np.float32]
    Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TextStates:
    """A text as the text encoder sees it.

    states: (T, E) float32, one row a real token. sentence: (C,) float32, the whole text in the
    joint space; of unit length where the bundle's decoder is "refined", the last of the states
    where it is one of "queries".
    """

    states: Float32
    sentence: Float32


@dataclass(frozen=True, slots=True, eq=False)
class ExampleTokens:
    """A thing in another image, to be found again.

    tokens: (3, V, C) float32, one set for each attention level, one token a pixel. vector: (C,)
    float32, what the pixels have in common.
    """

    tokens: Float32
    vector: Float32

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.tokens.nbytes + self.vector.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What is found in an image that nothing was said about.

    mask_logits: (Q, h, w) float32, inside where > 0. semantic: (Q, C) float32 unit vectors.
    """

    mask_logits: Float32
    semantic: Float32

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.mask_logits.nbytes + self.semantic.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class PixelMeanings:
    """What each place of an image means: vectors (C, h8, w8) float32 of unit length.

    They lie in the joint space, at stride 8; `scale` times the cosine to a sentence is a logit.
    """

    vectors: Float32
    scale: float


class Features(Protocol):
    """What the image encoder made of one image; opaque, wherever the backend keeps it."""

    @property
    def nbytes(self) -> int:
        """Bytes that it holds, for the cache's budget."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptArrays:
    """The prompts of n objects of one image for a "refined" decoder, padded to common P and T.

    points: (n, P, 2) float32, (x, y) in network pixels. labels: (n, P) float32, see
    `seem_wire.pixels`. maps: (n, 6, h, w) float32. previous_mask: (n, h, w) float32 logits of the
    round before, zeros where there was none; has_previous: (n,) float32, 1 or 0.
    text: (n, T, E) float32 with T >= 1; text_mask: (n, T) float32, 1 for a token. example: (n, C)
    float32, what the pixels of an example have in common, zeros where there was none; has_example:
    (n,) float32, 1 or 0.
    """

    points: Float32
    labels: Float32
    maps: Float32
    previous_mask: Float32
    has_previous: Float32
    text: Float32
    text_mask: Float32
    example: Float32
    has_example: Float32


class Selector(IntEnum):
    """By what a query is chosen to answer for an object: its marks, its text or its example."""

    MARKS = 0
    TEXT = 1
    EXAMPLE = 2


@dataclass(frozen=True, slots=True, eq=False)
class QueryArrays:
    """The prompts of n objects of one image for a decoder of "queries", padded to common P, T, V.

    points: (n, P, 2) float32, (x, y) of whole network pixels, see `seem_wire.pixels.PixelSets`.
    labels: (n, P) float32: POSITIVE, NEGATIVE or PADDING. text: (n, T, C) float32; text_mask:
    (n, T) float32, 1 for a token; sentence: (n, C) float32. examples: (n, 3, V, C) float32;
    example_mask: (n, V) float32; example_vector: (n, C) float32. previous_mask, has_previous: as in
    PromptArrays. query_rows: (n, q) int64, the learned queries that answer. selector: (n,) int64.
    P, T, V >= 1.
    """

    points: Float32
    labels: Float32
    text: Float32
    text_mask: Float32
    sentence: Float32
    examples: Float32
    example_mask: Float32
    example_vector: Float32
    previous_mask: Float32
    has_previous: Float32
    query_rows: Int64
    selector: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Hypotheses:
    """What else the prompts of n objects may have meant: K masks each, a part or a group perhaps.

    mask_logits: (n, K, h, w) float32. iou: (n, K) float32 in 0..1, of each if it is what was meant.
    semantic: (n, K, C) float32 unit vectors. In no order.
    """

    mask_logits: Float32
    iou: Float32
    semantic: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What the network says of n objects.

    mask_logits: (n, h, w) float32, inside where > 0. semantic: (n, C) float32 unit vectors, to
    compare with the bundle's vocabulary embeddings. iou: (n,) float32 in 0..1: the estimate that a
    "refined" decoder was trained to give; one of "queries" has none, and its place is taken by the
    mean probability of the mask's pixels, which says how sure the network is and no more.
    presence: (n,) float32 in 0..1, whether the object is there at all; None where nobody says.
    hypotheses: other readings of the same prompts; None where the model has only one.
    """

    mask_logits: Float32
    iou: Float32
    presence: Float32 | None
    semantic: Float32
    hypotheses: Hypotheses | None = None


Prompts = PromptArrays | QueryArrays
"""What a decoder takes: each kind of decoder its own."""


class Interrupted(Exception):
    """A run was ended before it had an answer; what it was asked can be asked again."""


class Backend(Protocol):
    """Runs one bundle on one device. Not thread-safe, but for `interrupt`: one worker owns it."""

    @property
    def manifest(self) -> BundleManifest:
        """What the bundle says of itself."""

    @property
    def provider(self) -> str:
        """Where it really runs: "cpu", "cuda" or "fake"."""

    def encode(self, images: Float32) -> list[Features]:
        """Features of B preprocessed images (B, 3, H, W)."""

    def arrays_of(self, features: Features) -> tuple[Float32, ...]:
        """Features as arrays of the host, to be sent to another backend of the same bundle."""

    def features_of(self, arrays: Sequence[Float32]) -> Features:
        """What `arrays_of` another backend were, on this one's device."""

    def decode(self, items: Sequence[tuple[Features, Prompts]]) -> list[Decoded]:
        """One round for each item; items of equal shapes may share one run."""

    def encode_text(self, text: str) -> TextStates:
        """The token states of a text."""

    def encode_example(self, features: Features, points: Float32) -> ExampleTokens:
        """The tokens of the pixels `points` (V, 2), (x, y) in network pixels, of an image."""

    def find(self, features: Features) -> Findings:
        """What is in an image."""

    def meanings(self, features: Features) -> PixelMeanings:
        """What each place of an image means. Raises NotOffered."""

    def appearance(self, features: Features) -> Float32:
        """What each place looks like, (C, h8, w8) at stride 8, of unit length. Raises NotOffered.

        Two places of one video are the more likely to show the same thing the greater the cosine.
        """

    def interrupt(self) -> None:
        """Has what runs now, and what is asked until `resume`, raise Interrupted, if it can.

        May be called from any thread.
        """

    def resume(self) -> None:
        """Lets what is asked from now on run to its end."""
