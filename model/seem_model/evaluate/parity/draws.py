"""The recorded draws of the reference program, as prompts: no randomness is left.

Where a prompt covers more than 512 pixels, the program draws some, anew for the pooled vector and
for each feature level; which ones is recorded as `pts_pos_mean`, `pts_neg_mean`, `pts_pos_l0`, … in
rows (y, x), or (object, y, x) where one run answers several objects (v1). A batch of several images
has `…_b1`, `…_b2` besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seem_model.published import N_DRAWS
from seem_model.variants import MAX_PROMPT_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from seem_model.evaluate.parity.sheet import Sheet

    Pixels = dict[int, NDArray[np.int32]]
    """(k, 2) rows (y, x) by label: 1 positive, 0 negative."""

DRAWS = ("mean", "l0", "l1", "l2")
SIGNS = {1: "pos", 0: "neg"}
PADDING = -1


class RecordedDraws:
    """The pixels that were drawn for the prompts of n objects of one picture."""

    def __init__(self, sheet: Sheet) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}
        for name in sheet.golden.names:
            if name.startswith("pts_"):
                self._arrays[name] = sheet.golden[name]
                sheet.given(name)
        self.by_object = self._arrays["pts_pos_mean"].shape[1] == 3

    def of(self, number: int) -> list[Pixels]:
        """What was drawn for object `number`: the pixels of both signs for each of DRAWS."""
        return [
            {label: self._pixels(f"pts_{sign}_{draw}", number) for label, sign in SIGNS.items()}
            for draw in DRAWS
        ]

    def _pixels(self, name: str, number: int) -> NDArray[np.int32]:
        if self.by_object:
            rows = self._arrays[name]
            mine: NDArray[np.int32] = rows[rows[:, 0] == number, 1:]
            return mine
        return self._arrays[name if number == 0 else f"{name}_b{number}"]


def as_points(objects: list[list[Pixels]], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """`points` (1, n, 4, P, 2) as (x, y) and `labels` (1, n, 4, P) of `QueryPrompts`."""
    most = max(sum(map(len, draw.values())) for draws in objects for draw in draws)
    points = np.zeros((1, len(objects), N_DRAWS, max(most, 1), 2))
    labels = np.full(points.shape[:-1], PADDING, np.float64)
    for number, draws in enumerate(objects):
        for purpose, draw in enumerate(draws):
            place = 0
            for label, pixels in draw.items():
                span = slice(place, place + len(pixels))
                points[0, number, purpose, span] = pixels[:, ::-1]
                labels[0, number, purpose, span] = label
                place = span.stop
    return torch.from_numpy(points).to(dtype), torch.from_numpy(labels).to(dtype)


def belong(
    objects: list[list[Pixels]], masks: list[dict[int, NDArray[np.bool_]]], *, shared: bool
) -> bool:
    """Whether every drawn pixel is of its mask (h, w), and none is missing that the budget allows.

    A recorded prompt and its recorded draws are both inputs: this says that they belong together.
    `shared`: the objects have one budget, not one each.
    """
    for label in SIGNS:
        counts = [int(mask[label].sum()) for mask in masks]
        for draws, mask, count in zip(objects, masks, counts, strict=True):
            complete = (sum(counts) if shared else count) <= MAX_PROMPT_POINTS
            for pixels in (draw[label] for draw in draws):
                if complete and len(pixels) != count:
                    return False
                if not mask[label][pixels[:, 0], pixels[:, 1]].all():
                    return False
    return True
