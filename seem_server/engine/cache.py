"""What the engine keeps to spare itself work: values by key, bounded by their bytes."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How a cache stands, and how often it had what was asked of it since it was made.

    `n_evictions`: values that made room for others.
    """

    n_bytes: int
    max_bytes: int
    n_hits: int
    n_misses: int
    n_evictions: int


class ByteCache(Generic[Value]):
    """Values by key; when they hold more than `max_bytes`, the least recently used one goes.

    A pinned key stays, so that what waiting work needs is there when its turn comes. The newest
    value stays too, even one that is larger than the budget: it is about to be used. May be used
    from any thread.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._values: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._pins: Counter[str] = Counter()
        self._n_bytes = 0
        self._n_hits = 0
        self._n_misses = 0
        self._n_evictions = 0
        self._lock = threading.Lock()

    @property
    def n_bytes(self) -> int:
        """Bytes of all values that it holds."""
        return self._n_bytes

    @property
    def n_pins(self) -> int:
        """Pins that were not taken back yet."""
        return self._pins.total()

    @property
    def use(self) -> CacheUse:
        """How it stands, and how it was used."""
        return CacheUse(
            self._n_bytes, self.max_bytes, self._n_hits, self._n_misses, self._n_evictions
        )

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> Value | None:
        """The value of `key`, which is now the most recently used; None where there is none."""
        with self._lock:
            entry = self._values.get(key)
            if entry is None:
                self._n_misses += 1
                return None
            self._n_hits += 1
            self._values.move_to_end(key)
            return entry[0]

    def put(self, key: str, value: Value, n_bytes: int) -> None:
        """Keeps `value` of `n_bytes` bytes under `key`, in place of an earlier one."""
        with self._lock:
            self._remove(key)
            self._values[key] = value, n_bytes
            self._n_bytes += n_bytes
            self._shrink(newest=key)

    def pin(self, key: str) -> None:
        """Keeps what is or will be under `key` until `unpin`, which must follow."""
        with self._lock:
            self._pins[key] += 1

    def unpin(self, key: str) -> None:
        """Takes one `pin` back."""
        with self._lock:
            self._pins[key] -= 1
            if self._pins[key] <= 0:
                del self._pins[key]
            self._shrink(newest=next(reversed(self._values), ""))

    def clear(self) -> None:
        """Forgets all values; pins stay, for what will come under their keys."""
        with self._lock:
            self._values.clear()
            self._n_bytes = 0

    def _shrink(self, *, newest: str) -> None:
        for key in list(self._values):
            if self._n_bytes <= self.max_bytes:
                return
            if key != newest and not self._pins[key]:
                self._remove(key)
                self._n_evictions += 1

    def _remove(self, key: str) -> None:
        _, n_bytes = self._values.pop(key, (None, 0))
        self._n_bytes -= n_bytes
