"""Which web pages may talk to the gateway: its own, and those that its operator named.

A browser lets any page open a WebSocket to any host, localhost too, and tells only where the page
comes from. So the page must come from the very host and port that it talks to. A stranger could
make a name point here (DNS rebinding), but no address, and not localhost. Other names are for the
operator to list.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection


def is_welcome(origin: str | None, host: str | None, named: Collection[str] = ()) -> bool:
    """Whether a page of `origin` may talk to what it calls `host` (both as the browser tells).

    `named` are origins that always may: scheme, host and port if it is not the usual one.
    """
    if origin is None or host is None:
        return False
    if origin in named:
        return True
    try:
        page = urlsplit(origin)
        hostname = page.hostname
    except ValueError:
        return False
    if page.scheme not in {"http", "https"} or page.netloc != host or not hostname:
        return False
    return hostname == "localhost" or _is_address(hostname)


def _is_address(hostname: str) -> bool:
    try:
        ip_address(hostname)
    except ValueError:
        return False
    return True
