"""From the name of a store to the store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from seem_server.store.memory import MemoryStore
from seem_server.store.sqlite import SqliteStore
from seem_server.store.valkey import ValkeyStore
from seem_wire.errors import StoreFailed

if TYPE_CHECKING:
    from seem_server.store.base import Keeping, Store

SQLITE = "sqlite"
URL_SCHEMES = {
    "valkey": "valkey",
    "valkeys": "valkeys",
    "redis": "valkey",
    "rediss": "valkeys",
}
"""Both speak one protocol."""


def open_store(name: str, keeping: Keeping, *, replicas: int = 0) -> Store:
    """The store called memory, sqlite (a file of the user's), sqlite:PATH or valkey://….

    `replicas`: how many of Valkey's must have what is kept, too.

    Raises:
        StoreFailed: It cannot be opened or reached.
    """
    try:
        return _opened(name, keeping, replicas)
    except StoreFailed as error:
        error.hint = "Name another with --store, such as sqlite:PATH, or --store memory."
        raise


def _opened(name: str, keeping: Keeping, replicas: int) -> Store:
    if name == "memory":
        return MemoryStore(keeping)
    if name == SQLITE:
        return SqliteStore(default_path(), keeping)
    if name.startswith(f"{SQLITE}:"):
        return SqliteStore(Path(name.removeprefix(f"{SQLITE}:")), keeping)
    scheme, _, rest = name.partition("://")
    if scheme in URL_SCHEMES and rest:
        return ValkeyStore(f"{URL_SCHEMES[scheme]}://{rest}", keeping, replicas=replicas)
    raise StoreFailed(f"No store is of the kind {scheme!r}.")


def default_path() -> Path:
    """Where the user's system has programs keep what is to last (XDG base directories)."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "seem" / "sessions.sqlite"
