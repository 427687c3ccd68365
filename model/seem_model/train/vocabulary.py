"""The names of a training set as frozen text tokens.

V names · T tokens · E text width
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np

    from seem_model.text import TextEncoder

PHRASINGS = ("{}", "a {}", "the {}", "a photo of a {}")


class Vocabulary:
    """Token states of every name in several phrasings, encoded once."""

    def __init__(self, names: list[str], encoder: TextEncoder) -> None:
        self.names = names
        self.index = {name: position for position, name in enumerate(names)}
        self._states: dict[str, list[tuple[Tensor, int]]] = {name: [] for name in names}
        for phrasing in PHRASINGS:
            states, mask = encoder.encode([phrasing.format(name) for name in names])
            for name, rows, visible in zip(names, states, mask, strict=True):
                self._states[name].append((rows, int(visible.sum())))

    def states(
        self, texts: list[list[str | None]], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Token states (B, n, T, E) and mask (B, n, T) of texts, each in a random phrasing."""
        chosen = [
            [self._states[t][rng.integers(len(PHRASINGS))] if t else None for t in row]
            for row in texts
        ]
        lengths = [entry[1] for row in chosen for entry in row if entry]
        n_tokens = max(lengths, default=1)
        width = next(iter(self._states.values()))[0][0].shape[1]
        states = torch.zeros(len(texts), len(texts[0]), n_tokens, width)
        mask = torch.zeros(len(texts), len(texts[0]), n_tokens)
        for b, row in enumerate(chosen):
            for i, entry in enumerate(row):
                if entry:
                    states[b, i, : entry[1]] = entry[0][: entry[1]]
                    mask[b, i, : entry[1]] = 1
        return states, mask

    def plain(self) -> tuple[Tensor, Tensor]:
        """Every name as it is: token states (V, T, E) and mask (V, T)."""
        entries = [self._states[name][0] for name in self.names]
        n_tokens = max(length for _, length in entries)
        states = torch.stack([_padded(rows, n_tokens) for rows, _ in entries])
        mask = torch.zeros(len(entries), n_tokens)
        for row, (_, length) in enumerate(entries):
            mask[row, :length] = 1
        return states, mask


def _padded(rows: Tensor, n_tokens: int) -> Tensor:
    missing = max(n_tokens - len(rows), 0)
    return torch.nn.functional.pad(rows, (0, 0, 0, missing))[:n_tokens]
