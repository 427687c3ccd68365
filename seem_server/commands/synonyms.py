"""Other words for the names of a dataset: some were learned, others kept back to ask with."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

from seem_wire.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "train/synonyms.json"


class SynonymsInvalid(CallerError):
    """The file of synonyms is missing, or cannot be read; the message says where and why."""

    code = "SYNONYMS_INVALID"
    hint = 'It looks like {"couch": {"train": ["settee"], "held_out": ["sofa"]}}.'


Synonyms = dict[str, tuple[str, ...]]
"""A name to the words for it that were kept back in training."""


def shipped_file() -> Path | None:
    """The file that the training code learns from; None where it is not installed."""
    spec = importlib.util.find_spec("seem_model")  # finds the package without importing torch
    for root in (spec.submodule_search_locations if spec else None) or ():
        path = Path(root, FILE)
        if path.is_file():
            return path
    return None


def read_synonyms(path: Path) -> Synonyms:
    """The words that were kept back; names without any are left out.

    Raises:
        SynonymsInvalid: The file is missing or of another form.
    """
    try:
        document: Mapping[str, Mapping[str, object]] = json.loads(path.read_text("utf-8"))
        held_out = {name: entry.get("held_out", []) for name, entry in document.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise SynonymsInvalid(f"{path} cannot be read: {error}.") from error
    found = {}
    for name, words in held_out.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise SynonymsInvalid(f"{path} does not list words for {name!r}.")
        if words:
            found[name] = tuple(words)
    return found
