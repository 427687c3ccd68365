"""What the cases of one variant share: pictures, features, the answers without prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seem_model.evaluate.parity.close_calls import close_calls, turned
from seem_model.evaluate.parity.draws import RecordedDraws, as_points
from seem_model.evaluate.parity.golden import Golden
from seem_model.evaluate.parity.sheet import Sheet
from seem_model.published import prompts_of_nothing
from seem_model.variants import MEAN, STD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from seem_model.evaluate.parity.close_calls import CloseCall
    from seem_model.evaluate.parity.subject import Decoded, Encoded, Subject
    from seem_model.evaluate.parity.tolerances import Tolerances
    from seem_model.published import ExampleTokens, QueryFeatures, QueryPrompts

SHARED = "focalt_shared"
"""Folder of what no variant changes: pictures and texts."""

TARGET, REFERENCE = 0, 1
"""The recorded pictures: the one to segment, and the one that examples come from."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """(height, width) of a picture: as it came, as resized, and as padded for the network."""

    original: tuple[int, int]
    resized: tuple[int, int]
    padded: tuple[int, int]


class Setting:
    """One variant under test, on the recorded pictures. `root`: the folder of all goldens."""

    def __init__(self, subject: Subject, root: Path, tolerances: Tolerances) -> None:
        self.subject, self.root, self.tolerances = subject, root, tolerances
        self._pictures = Golden(root / SHARED / "preprocess.npz")
        texts = Golden(root / SHARED / "text.npz")
        self.vocabulary = self.tensor(texts["default_text_embeddings_centered"])
        self._encoded: dict[int, Encoded] = {}
        self._everything: Decoded | None = None
        self._example: ExampleTokens | None = None
        self.close_calls: list[CloseCall] = []
        self._turned: Sequence[CloseCall] = ()
        self._run, self._watching = 0, False

    @property
    def shows_inside(self) -> bool:
        """Whether the subject's inner maps and layers can be seen."""
        return bool(self.encoded().inside)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """In the subject's dtype."""
        return torch.from_numpy(array).to(self.subject.dtype)

    def sizes(self, number: int = TARGET) -> Sizes:
        """Of a recorded picture."""
        original = self._pictures[f"raw{number}"].shape
        resized = self._pictures[f"resized{number}"].shape
        divisor = self.subject.model.variant.divisor
        height, width = (-(-side // divisor) * divisor for side in resized[:2])
        return Sizes((original[0], original[1]), (resized[0], resized[1]), (height, width))

    def encoded(self, number: int = TARGET) -> Encoded:
        """A recorded picture's features; kept."""
        if number not in self._encoded:
            picture = self._pictures[f"resized{number}"]
            self._encoded[number] = self.subject.encode(self.network_input(picture))
        return self._encoded[number]

    def features(self, number: int = TARGET) -> QueryFeatures:
        """As in `encoded`."""
        return self.encoded(number).features

    def rolled(self, rows: int, columns: int) -> QueryFeatures:
        """Features of the target picture, rolled by so many pixels at its resized size."""
        picture = np.roll(self._pictures[f"resized{TARGET}"], (rows, columns), (0, 1))
        return self.subject.encode(self.network_input(picture)).features

    def network_input(self, picture: NDArray[np.uint8]) -> Tensor:
        """(h, w, 3) RGB to (1, 3, H, W): normalised, then padded with zeros."""
        return network_input(picture, self.subject.model.variant.divisor, self.subject.dtype)

    def everything(self) -> Decoded:
        """The answers of all object queries without any prompt; kept."""
        if self._everything is None:
            features = self.features()
            self._everything = self.decode(features, self.nothing(features))
        return self._everything

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> Decoded:
        """One round, the close calls that `replay` named turned."""
        run, self._run = self._run, self._run + 1
        nudged = turned(features, [call for call in self._turned if call.run == run])
        decoded = self.subject.decode(nudged, prompts)
        if self._watching:
            heads = decoded.heads or self.subject.heads(nudged, prompts)
            self.close_calls += close_calls(run, nudged, heads)
        return decoded

    def replay(self, calls: Sequence[CloseCall], *, anew: bool) -> None:
        """Counts runs from 0 again, these calls turned from now on; keeps `close_calls`.

        `anew`: `everything` is run again.
        """
        self.close_calls = []
        self._turned, self._run, self._watching = calls, 0, True
        if anew:
            self._everything = None

    def forget(self) -> None:
        """Ends `replay`."""
        self.replay((), anew=True)
        self._watching = False

    def example(self, file: Golden) -> ExampleTokens:
        """The tokens of the prompt drawn on the reference picture, as `file` recorded it; kept."""
        if self._example is None:
            points, labels = as_points([RecordedDraws(Sheet(file)).of(0)], self.subject.dtype)
            self._example = self.subject.example(self.features(REFERENCE), points, labels)
        return self._example

    def nothing(self, features: QueryFeatures, objects: int = 1) -> QueryPrompts:
        """Prompts to fill in, for all object queries."""
        sizes = self.subject.model.variant.sizes
        return prompts_of_nothing(features, objects=objects, sizes=sizes)

    def class_logits(self, captions: Tensor) -> Tensor:
        """(..., C) captions to (..., 134) logits against the recorded vocabulary."""
        with torch.inference_mode():
            return self.subject.model.class_logits(captions, self.vocabulary)


def network_input(picture: NDArray[np.uint8], divisor: int, dtype: torch.dtype) -> Tensor:
    """(h, w, 3) RGB to (1, 3, H, W): normalised, then padded with zeros to multiples."""
    height, width = (-(-side // divisor) * divisor for side in picture.shape[:2])
    pixels = torch.from_numpy(picture.copy()).to(dtype)
    normal = (pixels - torch.tensor(MEAN, dtype=dtype)) / torch.tensor(STD, dtype=dtype)
    padded = normal.new_zeros(1, 3, height, width)
    padded[0, :, : picture.shape[0], : picture.shape[1]] = normal.permute(2, 0, 1)
    return padded
