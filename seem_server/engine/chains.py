"""An object's rounds on their way to their answers.

h, w mask logits
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from seem_server.engine.cache import ByteCache
    from seem_server.engine.postprocess import Label
    from seem_server.engine.preprocess import Layout
    from seem_server.engine.readings import Reading
    from seem_server.engine.work import Round
    from seem_server.engine.zoom import Window
    from seem_server.runtime.backend import Features
    from seem_wire.prompts import MaskPrompt

    Float32 = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImage:
    """An image's features, and how it lies in the network's input."""

    features: Features
    layout: Layout


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network said in one round of one object.

    logits: (h, w) float32, of what is taken for meant, in the part of the image that `window` tells
    (None for all of it). presence: how likely the object is there at
    all, None where nobody says. others: what else may have been meant, best first.
    """

    logits: Float32
    score: float
    label: Label | None
    presence: float | None = None
    others: tuple[Reading, ...] = ()
    window: Window | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all logits."""
        return self.logits.nbytes + sum(one.logits.nbytes for one in self.others)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is looked at for a round: all of an image, or the part that `window` tells."""

    image: EncodedImage
    window: Window | None = None


def from_start(rounds: Sequence[Round], start: MaskPrompt | None) -> tuple[Round, ...]:
    """The rounds, each with what was known before the first, unless it has a mask of its own."""
    if start is None:
        return tuple(rounds)
    return tuple(
        entry if entry.prompt.mask else replace(entry, prompt=replace(entry.prompt, mask=start))
        for entry in rounds
    )


@dataclass(slots=True, eq=False)
class Chain:
    """An object's rounds on an image; `n_done` of them are answered, the latest in `answers`.

    `owner`: for whom texts are remembered.
    `start`: what was known of the object before the first round, None for nothing; `rounds` say it,
    too (`from_start`).
    `pixels`: the whole image, uint8 (H, W, 3), where a part of it may be looked at closer.
    """

    image: EncodedImage
    rounds: tuple[Round, ...]
    object_id: int
    keys: tuple[str, ...]
    n_done: int = 0
    answers: list[Answer] = field(default_factory=list)
    image_key: str = ""
    owner: str = ""
    pixels: Pixels | None = None
    start: MaskPrompt | None = None

    @property
    def is_at_beginning(self) -> bool:
        """Whether nothing is known of the object in this image yet."""
        return self.n_done == 0 and self.start is None

    @property
    def done(self) -> bool:
        """Whether all rounds are answered."""
        return self.n_done == len(self.keys)

    @property
    def pending(self) -> tuple[Round, ...]:
        """The rounds that are not answered yet."""
        return self.rounds[self.n_done :]

    def add(self, answer: Answer) -> None:
        """Takes the answer of the next round."""
        self.answers = [*self.answers[-1:], answer]  # the mask before the last tells what changed
        self.n_done += 1

    def resume(self, answers: ByteCache[Answer]) -> None:
        """Begins after the latest round that is known, and whose predecessor is, if it is last."""
        for n_done in range(len(self.keys), 0, -1):
            known = [answers.get(key) for key in self.keys[max(n_done - 2, 0) : n_done]]
            wanted = known if n_done == len(self.keys) else known[-1:]
            found = [answer for answer in wanted if answer is not None]
            if len(found) == len(wanted):
                self.n_done, self.answers = n_done, found
                return
