"""When a lost connection is worth another try, and how long to wait before it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from seem_client.channel import error_of, is_told
from seem_wire.errors import (
    Disconnected,
    Fault,
    InvalidValue,
    Overloaded,
    QuotaExceeded,
    SeemError,
    ShuttingDown,
    StoreFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from seem_client.channel import _Status

RECONNECT_S = 60.0
"""How long a client tries to reach its server again before it gives a session or call up."""

FIRST_DELAY_S, LONGEST_DELAY_S = 0.05, 2.0

_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a stream ended. `transient`: the session may go on in another."""

    error: SeemError
    transient: bool


def ending_of(failure: _Status, address: str) -> Ending:
    """What the end of a stream means."""
    error = error_of(failure, address)
    if is_told(failure):
        return Ending(error, is_transient(error))
    return Ending(error, failure.code() in _TRANSIENT)


def is_transient(error: SeemError) -> bool:
    """Whether a refusal to go on with a session may be gone a little later."""
    return error.fault is Fault.CAPACITY and isinstance(
        error, Overloaded | QuotaExceeded | ShuttingDown | StoreFailed
    )


def check_reconnect_s(seconds: float) -> float:
    """`seconds`, if it is 0 for never, or more. Raises InvalidValue otherwise."""
    if math.isnan(seconds) or seconds < 0:
        raise InvalidValue(f"reconnect_s is {seconds}; it is 0 for never, or more seconds.")
    return seconds


def is_away(error: SeemError) -> bool:
    """Whether a call found no server, and may find one a little later."""
    return isinstance(error, Disconnected | ShuttingDown)


def hint_s(error: SeemError) -> float:
    """How long whoever refused asks to be left alone, 0 where they do not say."""
    return (error.retry_after_ms or 0) / 1000


def delays_s(total_s: float, hinted_s: Callable[[], float] = lambda: 0.0) -> Iterator[float]:
    """How long to wait before each try: not at first, then ever longer, at random.

    At least for `hinted_s()`, which the try before may have changed; `total_s` in all; none where
    that is 0.
    """
    spent_s, delay_s = 0.0, 0.0
    while spent_s < total_s:
        wait_s = max(delay_s, min(hinted_s(), total_s - spent_s))
        yield wait_s
        spent_s += max(wait_s, FIRST_DELAY_S)
        widest_s = min(max(delay_s * 2, FIRST_DELAY_S), LONGEST_DELAY_S)
        delay_s = widest_s * random.uniform(0.5, 1.0)  # noqa: S311  (not a secret)
