"""Attention decisions that sit on their threshold, and what follows if they fall the other way.

A query attends the pixels where its own mask logit is at least 0. In float32, where the reference
ran too, a logit within rounding of 0 may fall on either side, and then every later number shifts a
little. To tell that from a mistake, such a decision is turned here, by a nudge of the features at
that pixel which is as small as the rounding: if the recorded numbers come out then, they are what
the model gives. What is nudged is used for nothing but these decisions.

n objects · q query rows · S positions of a level · C = 512
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from seem_model.decoder import N_LEVELS, dot_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from seem_model.published import Head, QueryFeatures

CLOSE = 5e-5
"""Largest magnitude of a logit whose side float32 may not get right."""

CLEAR = 2e-5
"""Magnitude of a logit that float32 sees on its side, where it is put there."""


@dataclass(frozen=True, slots=True, eq=False)
class CloseCall:
    """One decision. run: which run of the decoder, counted from 0. layer: that attends by it.

    number, row, pixel: object, query row, and position in the layer's level. logit: as computed,
    with the query's mask `embedding` (C,). seen: whether the query is to attend the pixel.
    """

    run: int
    layer: int
    number: int
    row: int
    pixel: int
    logit: float
    embedding: Tensor
    seen: bool

    @property
    def place(self) -> tuple[int, ...]:
        """What tells one decision from another."""
        return self.run, self.layer, self.number, self.row, self.pixel

    @property
    def choice(self) -> tuple[int, ...]:
        """Place and side."""
        return *self.place, self.seen


def close_calls(run: int, features: QueryFeatures, heads: Sequence[Head]) -> list[CloseCall]:
    """The close calls of a run on one image, by layer, to be taken the other way.

    In float32 each comes both ways: what ran may have taken it otherwise than `heads` says.
    """
    found = []
    doubted = features.mask_features.dtype == torch.float32
    for layer in range(len(heads) - 1):  # nothing attends by the last
        masks = features.levels[layer % N_LEVELS].mask_features
        logits = dot_map(heads[layer].embeddings, masks)[0].flatten(2)  # (n, q, S)
        for number, row, pixel in (logits.abs() < CLOSE).nonzero().tolist():
            embedding = heads[layer].embeddings[0, number, row]
            logit = float(logits[number, row, pixel])
            found += [
                CloseCall(run, layer, number, row, pixel, logit, embedding, seen)
                for seen in (False, True)
                if doubted or seen != (logit >= 0)
            ]
    return found


def turned(features: QueryFeatures, calls: Sequence[CloseCall]) -> QueryFeatures:
    """Features of one image by which these decisions, and no others, fall as they say."""
    levels = list(features.levels)
    for call in calls:
        level = levels[call.layer % N_LEVELS]
        masks = level.mask_features.clone()
        column = masks.flatten(2)[0, :, call.pixel]  # a view
        least = CLEAR if masks.dtype == torch.float32 else 0.0
        wanted = max(abs(call.logit), least) * (1 if call.seen else -1)
        embedding = call.embedding.to(masks.dtype)
        column += (wanted - call.logit) * embedding / (embedding @ embedding)
        levels[call.layer % N_LEVELS] = level._replace(mask_features=masks)
    return features._replace(levels=levels)
