"""Whether the published variants give what the reference program gave: see `command`."""

from __future__ import annotations

from seem_model.evaluate.parity.command import main

__all__ = ["main"]
