"""Reading recorded reference outputs ("goldens"): one `.npz` file for each case.

An array `NAME` is there whole, or thinned: `NAME__sample` (every `NAME__strides`-th element of an
array of `NAME__shape`) with `NAME__stats`, figures of the whole. `*_bits` are booleans, packed
along the last axis, whose true width another array tells.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_THINNED = re.compile(r"__(sample|strides|shape|stats)$")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a whole array: mean, standard deviation, Euclidean norm and largest magnitude."""

    mean: float
    spread: float
    norm: float
    largest: float

    @classmethod
    def of(cls, array: NDArray[Any]) -> Figures:
        """The figures of `array`, in float64; zeros of an empty one."""
        if not array.size:
            return cls(0.0, 0.0, 0.0, 0.0)
        values = np.asarray(array, np.float64)
        norm = float(np.linalg.norm(values.ravel()))
        return cls(float(values.mean()), float(values.std()), norm, float(np.abs(values).max()))


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded array. `values`: the whole, or its thinned sample; `shape`: of the whole."""

    values: NDArray[Any]
    strides: tuple[int, ...]
    shape: tuple[int, ...]
    figures: Figures

    def thin(self, whole: NDArray[Any]) -> NDArray[Any]:
        """The elements of `whole`, an array of `shape`, that `values` has."""
        return whole[tuple(slice(None, None, step) for step in self.strides)]


class GoldenUnusable(ValueError):
    """A file can't be read, or lacks an array that its kind has."""


class Golden:
    """The arrays of one file, by name. `label`: folder and file without the ending.

    Raises:
        GoldenUnusable: The file can't be read; later, an array is asked for that isn't there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = f"{path.parent.name}/{path.stem}"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                self._arrays: dict[str, NDArray[Any]] = {name: arrays[name] for name in arrays}
        except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
            raise GoldenUnusable(f"{path} can't be read: {error}") from error
        self.names = tuple(dict.fromkeys(_THINNED.sub("", name) for name in self._arrays))

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> NDArray[Any]:
        """An array that is there whole."""
        return self._part(name)

    def recorded(self, name: str) -> Recorded:
        """An array, whole or thinned."""
        if name in self._arrays:
            values = self._arrays[name]
            return Recorded(values, (1,) * values.ndim, values.shape, _figures_of(values))
        strides, shape = (
            tuple(int(n) for n in self._part(f"{name}__{part}")) for part in ("strides", "shape")
        )
        figures = Figures(*(float(n) for n in self._part(f"{name}__stats")))
        return Recorded(self._part(f"{name}__sample"), strides, shape, figures)

    def bits(self, name: str, width: int) -> NDArray[np.bool_]:
        """The booleans of `name`, their last axis cut to `width`."""
        return np.unpackbits(self._part(name), axis=-1)[..., :width].astype(bool)

    def _part(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            raise GoldenUnusable(f"{self.label} has no array {name}")
        return self._arrays[name]


def _figures_of(values: NDArray[Any]) -> Figures:
    return Figures.of(values) if values.dtype.kind in "fiub" else Figures(0.0, 0.0, 0.0, 0.0)
