"""Keeps a Ray cluster of one's own to this machine: its processes ask nobody who they are."""

from __future__ import annotations

import os

ADDRESS = "127.0.0.1"

_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Unset or true, Ray takes an address that other machines reach, even where it is told loopback's.
Made for systems whose firewall asks; it works on all. Read when Ray is imported."""


def is_kept() -> bool:
    """Whether this process belongs to such a cluster."""
    return os.environ.get(_VARIABLE) == "0"


def keep_to_loopback() -> None:
    """Has Ray's processes listen to this machine alone. Before Ray is imported."""
    os.environ[_VARIABLE] = "0"
