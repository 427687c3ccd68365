"""What a machine can do by itself, so that times measured on it can be read elsewhere."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

_SIDE = 1024
_TRIES = 5


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """A machine without any server.

    Attributes:
        cores: How many the system counts.
        gflops: Billions of float32 operations a second in NumPy's product of two 1024 x 1024
            matrices: the best of five.
        load: How many processes ran or waited, on average over the last minute.
    """

    cores: int
    gflops: float
    load: float

    def __str__(self) -> str:
        return f"{self.cores} cores, {self.gflops:.0f} GFLOP/s bare, load {self.load:.1f}"


def machine_figures() -> MachineFigures:
    """Measures this machine; takes a fraction of a second."""
    chance = np.random.default_rng(0)
    one, other = chance.random((2, _SIDE, _SIDE), np.float32)
    best_s = min(_product_s(one, other) for _ in range(_TRIES))
    return MachineFigures(
        cores=os.cpu_count() or 1,
        gflops=2 * _SIDE**3 / best_s / 1e9,
        load=os.getloadavg()[0],
    )


def _product_s(one: np.typing.NDArray[np.float32], other: np.typing.NDArray[np.float32]) -> float:
    start = time.perf_counter()
    one @ other
    return time.perf_counter() - start
