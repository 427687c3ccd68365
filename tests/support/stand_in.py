"""A server that says what a test wants it to say, in place of one that has a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from made_dataset import SIZE

from seem_wire import types
from seem_wire.types import Timings

NOTHING = np.zeros(SIZE, np.bool_)


@dataclass
class Said:
    """A prediction, as far as the benchmarks look at it."""

    mask: Any
    score: float = 0.5
    presence: float | None = None
    is_present: bool = True
    timings: Timings = field(default_factory=Timings)
    cache_hit: bool = True
    hypotheses: tuple[Any, ...] = ()


class StandIn:
    """Client and session in one; `answer(kind, words)` says what comes of `session.kind(*words)`.

    It notes which images were opened and what was said.
    """

    def __init__(self, answer):
        self.size = SIZE
        self.opened, self.said, self.n_clears = [], [], 0
        self._answer = answer

    def open(self, path):
        self.opened.append(path.name)
        return self

    def model(self):
        return types.ModelCard("m@1", "m", "m", types.Capabilities(frozenset(), frozenset()))

    def clear(self):
        self.n_clears += 1

    def click(self, x, y, *, positive=True, hypotheses=False):
        return self._say("click for all" if hypotheses else "click", x, y, positive)

    def prompt(self, *, points=(), text=None):
        return self._say("prompt", tuple(points), text)

    def __getattr__(self, kind):
        if kind in {"box", "scribble", "lasso", "mask", "text", "example"}:
            return lambda *words, **_: self._say(kind, *words)
        raise AttributeError(kind)

    def _say(self, kind, *words):
        self.said.append((kind, *words))
        return self._answer(kind, words)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass
