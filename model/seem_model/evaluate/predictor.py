"""What a protocol asks of a model, whichever it is.

H, W the picture · K names of the vocabulary · n objects
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from seem_wire.pixels import Frame
    from seem_wire.segments import Masks

    Rgb = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]
    Float32 = npt.NDArray[np.float32]


class Findings(NamedTuple):
    """What the object queries find: probabilities (Q, K + 1), and masks at the picture's size."""

    probabilities: Float32
    masks: Masks


class Answer(NamedTuple):
    """Masks (n, …) of one round: `network` as the network sees them, `original` (n, H, W)."""

    network: Mask
    original: Mask


class Clicking(Protocol):
    """One picture that is clicked on, round after round; the last masks are remembered."""

    @property
    def frame(self) -> Frame:
        """How the picture lies in the network's input, in whose pixels clicks are drawn."""
        ...

    def answer(self, positive: Mask, negative: Mask) -> Answer:
        """The masks for all that was clicked until now, n maps of each sign of the input's size."""
        ...


class Predictor(Protocol):
    """A model, with the preprocessing of each published protocol."""

    def everything(self, image: Rgb) -> Findings:
        """All that is in a picture."""
        ...

    def refer(self, image: Rgb, sentences: Sequence[str]) -> list[Mask]:
        """The mask (H, W) that each sentence speaks of."""
        ...

    def clicking(self, image: Rgb) -> Clicking:
        """The picture, ready to be clicked on."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a model, the name of its variant, its published panoptic threshold."""

    predictor: Predictor
    variant: str
    threshold: float
