"""JSON files that are whole or not there."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a JSON file whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    begun = path.with_name(f".{path.name}.part")
    try:
        begun.write_text(json.dumps(document), "utf-8")
        os.replace(begun, path)  # noqa: PTH105 - says that what was there is replaced
    finally:
        begun.unlink(missing_ok=True)
