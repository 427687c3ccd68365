"""The names of a training set as frozen text tokens.

V names · T tokens · E text width
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from seem_model.seem import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

PHRASINGS = ("{}", "a {}", "the {}", "a photo of a {}")


P_SYNONYM = 0.4
ALIKE = 0.5
"""Cosine of two texts from which on one may be said of what the other means."""

DATA = Path(__file__).parent


class Encoder(Protocol):
    """Words to token states: a `TextEncoder`, or one that keeps what it encoded."""

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token states (B, T, E) and mask (B, T) float of texts, padded to the longest."""
        ...


def read_synonyms() -> dict[str, list[str]]:
    """For each training name, what else it may be called; those held out are not among them."""
    document = json.loads((DATA / "synonyms.json").read_text())
    return {name: list(entry["train"]) for name, entry in document.items()}


def read_imagenet_names() -> list[str]:
    """The names of the 1000 ImageNet classes in the order of the classifier's outputs."""
    return (DATA / "imagenet_names.txt").read_text().splitlines()


def unheard_of(names: list[str], texts: list[str], encoder: Encoder) -> list[str]:
    """Of `texts` those that mean none of `names`: safe to call absent wherever these are marked."""
    document = json.loads((DATA / "synonyms.json").read_text())
    entries = [entry for name, entry in document.items() if name in names]
    synonyms = [text for entry in entries for text in (*entry["train"], *entry["held_out"])]
    known = sentences(encoder, [*names, *synonyms])
    most = (sentences(encoder, texts) @ known.T).amax(1)
    return [text for text, alike in zip(texts, most.tolist(), strict=True) if alike < ALIKE]


class Vocabulary:
    """Token states of every name in several phrasings and by its synonyms, encoded once.

    `others` are texts of which no mask is known: they are only ever absent.
    """

    def __init__(
        self,
        names: list[str],
        encoder: Encoder,
        *,
        synonyms: dict[str, list[str]] | None = None,
        others: list[str] | None = None,
    ) -> None:
        self.names = names
        self.others = others or []
        self.index = {name: position for position, name in enumerate(names)}
        known = synonyms or {}
        self._own: dict[str, list[tuple[Tensor, int]]] = {}
        self._synonyms: dict[str, list[tuple[Tensor, int]]] = {}
        for name in [*names, *self.others]:
            self._own[name] = _encode(encoder, [phrase.format(name) for phrase in PHRASINGS])
            alike = known.get(name, [])
            self._synonyms[name] = _encode(encoder, alike) if alike else []

    def states(
        self, texts: list[list[str | None]], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Token states (B, n, T, E) and mask (B, n, T) of texts, each in a random phrasing."""
        chosen = [[self._draw(t, rng) if t else None for t in row] for row in texts]
        lengths = [entry[1] for row in chosen for entry in row if entry]
        n_tokens = max(lengths, default=1)
        width = next(iter(self._own.values()))[0][0].shape[1]
        states = torch.zeros(len(texts), len(texts[0]), n_tokens, width)
        mask = torch.zeros(len(texts), len(texts[0]), n_tokens)
        for b, row in enumerate(chosen):
            for i, entry in enumerate(row):
                if entry:
                    states[b, i, : entry[1]] = entry[0][: entry[1]]
                    mask[b, i, : entry[1]] = 1
        return states, mask

    def drawn(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Every name in a random phrasing: token states (V, T, E) and mask (V, T)."""
        return _stacked([self._draw(name, rng) for name in self.names])

    def plain(self) -> tuple[Tensor, Tensor]:
        """Every name as it is: token states (V, T, E) and mask (V, T)."""
        return _stacked([self._own[name][0] for name in self.names])

    def _draw(self, text: str, rng: np.random.Generator) -> tuple[Tensor, int]:
        alike = self._synonyms[text]
        among = alike if alike and rng.random() < P_SYNONYM else self._own[text]
        return among[rng.integers(len(among))]


class KeptTexts:
    """A text encoder whose states are kept, in a file if there is one.

    So a machine without the encoder can train. `load` is called when a text is asked for that the
    file lacks. States are kept in 16 bits.
    """

    def __init__(self, file: Path | None, load: Callable[[], Encoder]) -> None:
        self.file, self.load = file, load
        self.encoder: Encoder | None = None
        self.known: dict[str, Tensor] = {}
        if file and file.exists():
            self.known = torch.load(file, map_location="cpu", weights_only=True)

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token states (B, T, E) and mask (B, T) float of texts, padded to the longest."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.known]
        if missing:
            self.encoder = self.encoder or self.load()
            for text, (rows, length) in zip(missing, _encode(self.encoder, missing), strict=True):
                self.known[text] = rows[:length].half().clone()
        return _stacked([(self.known[text].float(), len(self.known[text])) for text in texts])

    def save(self) -> None:
        """Writes the file, if there is something new to keep."""
        if self.file and self.encoder is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            torch.save(self.known, self.file)


def sentences(encoder: Encoder, texts: list[str]) -> Tensor:
    """Mean token states of unit length: (V, E)."""
    return sentence(*_stacked(_encode(encoder, texts)))


def _encode(encoder: Encoder, texts: list[str]) -> list[tuple[Tensor, int]]:
    states, mask = encoder.encode(texts)
    return [(rows, int(visible.sum())) for rows, visible in zip(states, mask, strict=True)]


def _stacked(entries: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    n_tokens = max(length for _, length in entries)
    states = torch.stack([_padded(rows, n_tokens) for rows, _ in entries])
    mask = torch.zeros(len(entries), n_tokens)
    for row, (_, length) in enumerate(entries):
        mask[row, :length] = 1
    return states, mask


def _padded(rows: Tensor, n_tokens: int) -> Tensor:
    missing = max(n_tokens - len(rows), 0)
    return torch.nn.functional.pad(rows, (0, 0, 0, missing))[:n_tokens]
