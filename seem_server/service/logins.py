"""How failed attempts to log in are answered: the more from one place, the sooner. Pure.

A right token is let in whatever came before from the same address, where others may be, too: behind
a proxy, or on the same machine. What fails is told to wait, once there was too much of it.
"""

from __future__ import annotations

import math
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote

from seem_server.service.quotas import ONE, Bucket
from seem_wire.errors import TooManyAttempts, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILURES = 10
"""So many may come at once: a program with an old token tries a few times, on several streams."""

WINDOW_S = 60.0
"""In so long as many more may come."""

MAX_ORIGINS = 10_000
"""Of so many places failures are remembered, in a few megabytes; those unheard of longest go."""

NO_TOKEN = "no_token"  # noqa: S105  (a reason, not a token)
UNKNOWN_TOKEN = "unknown_token"  # noqa: S105
UNKNOWN_CERTIFICATE = "unknown_certificate"
TOO_MANY = "too_many"

PROBLEMS: Mapping[str, str] = {
    NO_TOKEN: "The call has no token.",
    UNKNOWN_TOKEN: "The call has a token that is not known here.",
    UNKNOWN_CERTIFICATE: "No line names the call's certificate.",
}
"""What is wrong with a call that nobody may make, by the reason's name."""

_SUBNET_BITS = 64
"""What one machine is usually given of IPv6, to choose addresses from as it likes."""


class FailedLogins:
    """Counts attempts that failed, and says how to refuse each.

    Attributes:
        n_failed: How many, by reason; all those that were told to wait are `too_many`. May be read
            from any thread.
    """

    def __init__(self) -> None:
        self.n_failed = dict.fromkeys((*PROBLEMS, TOO_MANY), 0)
        self._left: dict[str, Bucket] = {}
        """What each place has left, the one heard of last at the end."""

    def refusal(self, reason: str, peer: str, *, now_s: float) -> Unauthenticated | TooManyAttempts:
        """Counts an attempt of a peer, as gRPC names it, that failed for one of `PROBLEMS`."""
        origin = origin_of(peer)
        left = self._left.pop(origin, None)
        if left is None:
            left = Bucket.full(FAILURES / WINDOW_S, lasts_s=WINDOW_S, now_s=now_s)
        wait_s = left.wait_s(ONE, now_s=now_s)
        self._left[origin] = left if wait_s else left.without(1.0, now_s=now_s)
        if len(self._left) > MAX_ORIGINS:
            del self._left[next(iter(self._left))]
        self.n_failed[TOO_MANY if wait_s else reason] += 1
        if wait_s:
            retry_after_ms = math.ceil(wait_s * 1000)
            return TooManyAttempts(PROBLEMS[reason], retry_after_ms=retry_after_ms)
        return Unauthenticated(PROBLEMS[reason])


def origin_of(peer: str) -> str:
    """The place that a peer's failures count for.

    ipv4:192.0.2.7:5555           192.0.2.7
    ipv6:%5B2001:db8::7%5D:5555   2001:db8::, as all addresses that share its first 64 bits
    unix:/run/seem.sock           unix, whoever it is: nothing tells its users apart
    """
    kind, _, place = unquote(peer).partition(":")
    try:
        address = ip_address(place.rpartition(":")[0].strip("[]"))
    except ValueError:
        return kind
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _SUBNET_BITS << _SUBNET_BITS))
