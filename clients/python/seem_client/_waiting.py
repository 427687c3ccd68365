"""How long a call waits: for its answer, and before it asks again where a server has no room."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seem_client._reconnecting import hint_s
from seem_wire.errors import InvalidValue, Overloaded, QuotaExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_wire.errors import SeemError

RETRY_S = 2.0
"""Who clicks beside many others is served within a few clicks' time; for a server that stays full,
people would rather know."""

LEAST_PAUSE_S = 0.01

LONGEST = 1.5
"""How many times what a server asks for a pause may be: those refused together come apart."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each call waits.

    Attributes:
        timeout_s: For its answer, however often it was asked for.
        retry_s: While it is refused for want of room, with a hint when to ask again; 0 for never.
        now: Gives seconds on a clock that only rises.
        chance: Gives numbers of 0..1 at random.

    Raises:
        InvalidValue: `timeout_s` is not above 0 or has no end; `retry_s` is below 0 or no number.
    """

    timeout_s: float = 60.0
    retry_s: float = RETRY_S
    now: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if not (math.isfinite(self.timeout_s) and self.timeout_s > 0):
            raise InvalidValue(f"timeout_s is {self.timeout_s}; it is a number of seconds above 0.")
        if math.isnan(self.retry_s) or self.retry_s < 0:
            raise InvalidValue(f"retry_s is {self.retry_s}; it is 0 for never, or more seconds.")

    def begin(self) -> Waiting:
        """A call begins."""
        return Waiting(self, self.now())


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that began at `since_s`."""

    patience: Patience
    since_s: float

    @property
    def left_s(self) -> float:
        """How much longer it may wait for its answer."""
        return max(self.patience.timeout_s - self._spent_s, 0.0)

    def pause_s(self, refusal: SeemError) -> float | None:
        """How long to wait before asking again; None where that would not help, or not in time."""
        patience, hinted_s = self.patience, max(hint_s(refusal), LEAST_PAUSE_S)
        left_s = min(patience.retry_s, patience.timeout_s) - self._spent_s
        passes = isinstance(refusal, Overloaded | QuotaExceeded)
        if not passes or refusal.retry_after_ms is None or hinted_s > left_s:
            return None
        return min(hinted_s * (1 + (LONGEST - 1) * patience.chance()), left_s)

    @property
    def _spent_s(self) -> float:
        return self.patience.now() - self.since_s
