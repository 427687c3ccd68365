"""How far a command has come: a bar on standard error, for a person at a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_shown: ContextVar[bool] = ContextVar("shown", default=True)


@contextmanager
def bars(*, shown: bool) -> Iterator[None]:
    """Whether bars are shown within, at a terminal; elsewhere they never are."""
    before = _shown.set(shown)
    try:
        yield
    finally:
        _shown.reset(before)


@contextmanager
def progress(total: int | None, unit: str) -> Iterator[Callable[..., object]]:
    """A bar, and what to call after each of `total` steps, None if unknown, or with how many."""
    from tqdm import tqdm  # noqa: PLC0415 - only where there is something to wait for

    hidden = None if _shown.get() else True  # None: unless it is a terminal
    with tqdm(total=total, unit=unit, file=sys.stderr, disable=hidden) as bar:
        yield bar.update
