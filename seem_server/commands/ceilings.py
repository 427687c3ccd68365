"""What this machine can do at most: measured, beside whatever is held against it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from seem_server.runtime.kernels import Kernel

_SIDE = 1024
_COPIED_BYTES = 2 * 1024**2
"""For each thread, read and written as often: what a layer's activations take, and caches hold."""

_COPIES = 16
_TRIES = 24


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The most that was reached.

    Attributes:
        operations_s: Additions and multiplications of float32 products and convolutions, a second.
        bytes_s: Bytes read and written by copies that fit the caches, a second.
    """

    operations_s: float
    bytes_s: float

    def floor_ms(self, operations: int, nbytes: int) -> float:
        """The least time that so many operations and bytes take, each at its ceiling."""
        return 1000 * max(operations / self.operations_s, nbytes / self.bytes_s)

    def best(self, other: Ceilings) -> Ceilings:
        """The higher of each."""
        return Ceilings(
            max(self.operations_s, other.operations_s), max(self.bytes_s, other.bytes_s)
        )

    def raised(self, kernels: Iterable[Kernel]) -> Ceilings:
        """Raised to what the quickest kernel reached: NumPy's library is not always the best."""
        reached = (1000 * one.operations / one.ms for one in kernels if one.ms)
        return Ceilings(max(self.operations_s, *reached, 0.0), self.bytes_s)


def measure(threads: int) -> Ceilings:
    """Multiplies matrices and copies for some tenths of a second."""
    return Ceilings(_operations_s(), _bytes_s(threads))


def _operations_s() -> float:
    one, other = np.random.default_rng(0).standard_normal((2, _SIDE, _SIDE), np.float32)
    product = np.empty_like(one)
    return 2 * _SIDE**3 / _least_s(lambda: np.matmul(one, other, out=product))


def _bytes_s(threads: int) -> float:
    pairs = [np.ones((2, _COPIED_BYTES), np.uint8) for _ in range(threads)]

    def copy(number: int) -> None:
        for _ in range(_COPIES):  # each without the interpreter's lock
            np.copyto(pairs[number][1], pairs[number][0])

    with ThreadPoolExecutor(threads) as pool:
        seconds = _least_s(lambda: list(pool.map(copy, range(threads))))
    return 2 * threads * _COPIES * _COPIED_BYTES / seconds


def _least_s(do: Callable[[], object]) -> float:
    times = []
    for _ in range(_TRIES):
        start = time.perf_counter()
        do()
        times.append(time.perf_counter() - start)
    return min(times)
