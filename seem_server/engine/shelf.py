"""Answers that outlive the caches: now and then one of a long chain of rounds is put on a shelf.

    rounds    1 ... 16 ... 32 ... 40      a chain of which the caches know nothing is taken up
                    │      │              after the latest round on the shelf: 8 rounds to make,
    shelf           o      o              not 40

Names are made of the model and of all that was said, so that a wrong name finds nothing. What is
not found, or cannot be read, is made again, and comes out the same.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from seem_server.engine.chains import Answer
from seem_server.engine.postprocess import Label
from seem_server.engine.readings import Reading
from seem_server.engine.zoom import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_server.engine.chains import Chain

EVERY = 16
"""Rounds of a chain from one that is kept to the next: what a chain taken up costs at most."""

VERSION = 1


class Shelf(Protocol):
    """Keeps answers beyond the process. Never raises: what it can't keep or find is made again."""

    def keep(self, name: str, image_key: str, answer: Answer) -> None:
        """Keeps an answer for as long as its image is kept, if it can; returns at once."""
        ...

    def first(self, names: Sequence[str]) -> tuple[str, Answer] | None:
        """The first of these that is there, and its name; may wait, but not for long."""
        ...


class NoShelf:
    """Where nothing is to outlive the caches."""

    def keep(self, name: str, image_key: str, answer: Answer) -> None:
        """Does nothing."""

    def first(self, names: Sequence[str]) -> None:
        """Finds nothing."""


def keep(shelf: Shelf, model_id: str, chain: Chain) -> None:
    """Keeps the newest answer of a chain, where its turn has come."""
    if chain.n_done % EVERY == 0:
        name = _name(model_id, chain.keys[chain.n_done - 1])
        shelf.keep(name, chain.image_key, chain.answers[-1])


def take_up(shelf: Shelf, model_id: str, chain: Chain) -> bool:
    """Goes on after a later round than the caches knew of, where one is kept; whether one is.

    The last round is always made: what it changed is told by the one before.
    """
    latest = (len(chain.keys) - 1) // EVERY * EVERY
    places = {
        _name(model_id, chain.keys[n_done - 1]): n_done
        for n_done in range(latest, chain.n_done, -EVERY)
    }
    found = shelf.first([*places]) if places else None
    if found is None:
        return False
    name, answer = found
    chain.n_done, chain.answers = places[name], [answer]
    return True


def _name(model_id: str, key: str) -> str:
    return f"{model_id} {key}"


# --- bytes


def pack(answer: Answer) -> bytes:
    """An answer as bytes, without loss."""
    told = {
        "score": answer.score,
        "label": None if answer.label is None else asdict(answer.label),
        "presence": answer.presence,
        "window": _corners(answer.window),
        "others": [(one.score, _corners(one.window)) for one in answer.others],
    }
    arrays: dict[str, Any] = {f"logits {VERSION}": answer.logits}
    for number, one in enumerate(answer.others):
        arrays |= {f"other {number}": one.logits, f"semantic {number}": one.semantic}
    file = BytesIO()
    np.savez_compressed(file, told=np.array(json.dumps(told)), **arrays)
    return file.getvalue()


def unpack(data: bytes) -> Answer:
    """The answer that `pack` made these bytes of.

    Raises:
        ValueError: They are none, or of another version.
    """
    try:
        with np.load(BytesIO(data), allow_pickle=False) as file:
            told = json.loads(str(file["told"]))
            others = tuple(
                Reading(file[f"other {n}"], score, file[f"semantic {n}"], _window(corners))
                for n, (score, corners) in enumerate(told["others"])
            )
            label = None if told["label"] is None else Label(**told["label"])
            window = _window(told["window"])
            logits = file[f"logits {VERSION}"]
            return Answer(logits, told["score"], label, told["presence"], others, window)
    except (
        Exception
    ) as error:  # an edge: zip, deflate, JSON and NumPy each have errors of their own
        raise ValueError(f"This is no answer: {error}.") from error


def _corners(window: Window | None) -> tuple[int, int, int, int] | None:
    return None if window is None else (window.x0, window.y0, window.x1, window.y1)


def _window(corners: Sequence[int] | None) -> Window | None:
    return None if corners is None else Window(*corners)
