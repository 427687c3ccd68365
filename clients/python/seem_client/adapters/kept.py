"""A bounded table whose entries are let go of when they were not used for long: without I/O."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """At most `n_kept` values by key, each for `keep_s` after its last use.

    What is let go of is given back, by `keep` and `sweep`: you must close it.
    """

    def __init__(
        self, *, n_kept: int, keep_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._n_kept, self._keep_s, self._clock = n_kept, keep_s, clock
        self._used: OrderedDict[K, tuple[V, float]] = OrderedDict()  # the longest unused first

    def __len__(self) -> int:
        return len(self._used)

    def get(self, key: K) -> V | None:
        """The value, which is used by that; None where there is none (any more)."""
        found = self._used.get(key)
        if found is None or self._is_old(found[1]):
            return None
        self._used[key] = (found[0], self._clock())
        self._used.move_to_end(key)
        return found[0]

    def keep(self, key: K, value: V) -> list[V]:
        """Keeps a value; gives those that had to go for it."""
        gone = self.sweep()
        gone += [one for one in (self.drop(key),) if one is not None]
        self._used[key] = (value, self._clock())
        while len(self._used) > self._n_kept:
            gone.append(self._used.popitem(last=False)[1][0])
        return gone

    def drop(self, key: K) -> V | None:
        """Lets go of one value, if it is there, and gives it."""
        found = self._used.pop(key, None)
        return None if found is None else found[0]

    def sweep(self) -> list[V]:
        """Lets go of what was not used for long, and gives it."""
        old = [key for key, (_, used_at_s) in self._used.items() if self._is_old(used_at_s)]
        return [self._used.pop(key)[0] for key in old]

    def empty(self) -> list[V]:
        """Lets go of everything, and gives it."""
        gone = [value for value, _ in self._used.values()]
        self._used.clear()
        return gone

    def _is_old(self, used_at_s: float) -> bool:
        return self._clock() - used_at_s > self._keep_s
