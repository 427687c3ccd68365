"""How far from a recorded output counts as the same, by what it is and by arithmetic.

The figures are those that the reference outputs were published with. In float32 a logit that sits
on a hard threshold of the attention may fall on its other side and shift all that follows a little
(a "flip"); float64 leaves only the recording's own rounding, so it is the strict gate.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Largest absolute difference.

    relative: `limit` is a fraction of the array's largest magnitude. flip_limit: what a flip may
    bring up to `flip_share` of the elements to; 0 where none is allowed.
    """

    limit: float
    relative: bool = False
    flip_limit: float = 0.0
    flip_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Tolerances:
    """One for each kind of output.

    maps: of encoders. vectors: text and pooled prompts. masks: mask logits. logits: of classes and
    matches, and the embeddings that they are made of. chances: scores. areas: of masks. pixels: of
    a final mask that may differ.
    """

    maps: Tolerance
    vectors: Tolerance
    masks: Tolerance
    logits: Tolerance
    chances: Tolerance
    areas: Tolerance
    pixels: int


DOUBLE = Tolerances(
    maps=Tolerance(3e-5, relative=True),
    vectors=Tolerance(1e-5),
    masks=Tolerance(2e-4),
    logits=Tolerance(1e-4),
    chances=Tolerance(1e-4),
    areas=Tolerance(2),
    pixels=2,
)
"""For a model in float64."""

SINGLE = Tolerances(
    maps=Tolerance(1e-4, relative=True),
    vectors=Tolerance(2e-5),
    masks=Tolerance(1e-3, flip_limit=0.1, flip_share=0.001),
    logits=Tolerance(5e-4, flip_limit=0.1, flip_share=1.0),
    chances=Tolerance(5e-4, flip_limit=0.1, flip_share=1.0),
    areas=Tolerance(5),
    pixels=5,
)
"""For a model in float32, in PyTorch or ONNX Runtime."""

LEVELS = Tolerance(1.0)
"""Resized pictures, of 256 levels: the same Pillow gives the same bytes, another nearly."""

NORMALISED = Tolerance(1e-6, relative=True)
"""Normalised pictures, recorded in float32."""
