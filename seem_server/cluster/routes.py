"""Which replica a route belongs to: the same for all gateways, and mostly so as replicas change."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def ranked(route: str, replicas: Iterable[str]) -> list[str]:
    """The names of replicas, the route's own first, then who takes its place where that is gone.

    A lost replica moves its own routes and no others, and a new one takes an even share
    (rendezvous hashing, Thaler & Ravishankar 1998, section 3).
    """

    def weight(name: str) -> bytes:
        return hashlib.blake2b(f"{name}\0{route}".encode(), digest_size=8).digest()

    return sorted(replicas, key=weight)
