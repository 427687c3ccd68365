"""Several items' prompts as those of one run, and its answer in parts again.

n objects · k points, tokens or pixels of an example, padded to the longest
"""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from seem_server.runtime.backend import Decoded, Hypotheses
from seem_wire.pixels import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import numpy.typing as npt

    from seem_server.runtime.backend import Prompts

    Array = npt.NDArray[np.generic]

Item = TypeVar("Item")

MAX_SHARING = 16
"""Most objects in one run: their masks at stride 4 are what fills a device's memory."""

_PADDED_AXES = {"points": 1, "labels": 1, "text": 1, "text_mask": 1}
_PADDED_AXES |= {"examples": 2, "example_mask": 1}
_FILLING = {"labels": PADDING}


def sharing(items: Sequence[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    """Neighbouring items of equal `key`, at most MAX_SHARING together."""
    groups = []
    for _, neighbours in groupby(items, key=key):
        alike = list(neighbours)
        groups += [alike[i : i + MAX_SHARING] for i in range(0, len(alike), MAX_SHARING)]
    return groups


def stacked(prompts: Sequence[Prompts]) -> Prompts:
    """The objects of several items of one kind as one item; what is shorter is filled up."""
    columns: dict[str, Any] = {}
    for field in fields(prompts[0]):
        arrays = [getattr(one, field.name) for one in prompts]
        axis = _PADDED_AXES.get(field.name)
        if axis is not None:
            longest = max(array.shape[axis] for array in arrays)
            filling = _FILLING.get(field.name, 0.0)
            arrays = [_padded(array, axis, longest, filling) for array in arrays]
        columns[field.name] = np.concatenate(arrays)
    return replace(prompts[0], **columns)


def split(whole: Decoded, counts: Sequence[int]) -> list[Decoded]:
    """The answers for `counts` objects each."""
    bounds = np.cumsum(counts)[:-1]

    def parts(array: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        return np.split(array, bounds)

    nothing = [None] * len(counts)
    presences = nothing if whole.presence is None else parts(whole.presence)
    others = nothing if whole.hypotheses is None else _split(whole.hypotheses, parts)
    columns = (parts(whole.mask_logits), parts(whole.iou), presences, parts(whole.semantic), others)
    return [Decoded(*one) for one in zip(*columns, strict=True)]


def _split(
    whole: Hypotheses, parts: Callable[[npt.NDArray[np.float32]], list[npt.NDArray[np.float32]]]
) -> list[Hypotheses]:
    columns = (parts(getattr(whole, field.name)) for field in fields(whole))
    return [Hypotheses(*one) for one in zip(*columns, strict=True)]


def _padded(array: Array, axis: int, length: int, value: float) -> Array:
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, length - array.shape[axis])
    return np.pad(array, widths, constant_values=value)
