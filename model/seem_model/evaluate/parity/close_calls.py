"""Attention decisions that sit on their threshold, and what follows if they fall the other way.

A query attends the pixels where its own mask logit is at least 0. The reference ran in float32: a
logit within its rounding of 0 may have fallen on the other side there, and then every later number
shifts a little. To tell that from a mistake, such a decision is turned here, by a nudge of the
query's mask embedding that is as small as the rounding: if the recorded numbers then come out, to
the strict tolerance, they are what the model gives.

n objects · q query rows · S positions of a level · C = 512
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from seem_model.decoder import N_LEVELS, dot_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from seem_model.published import Head, PublishedSeem, QueryFeatures

CLOSE = 5e-5
"""Largest magnitude of a logit whose side float32 may not get right."""


class CloseCall(NamedTuple):
    """One decision. run: which run of the decoder, counted from 0. layer: that attends by it.

    number, row, pixel: object, query row, and position in the layer's level. logit: as computed.
    """

    run: int
    layer: int
    number: int
    row: int
    pixel: int
    logit: float

    @property
    def place(self) -> tuple[int, ...]:
        """What tells one decision from another."""
        return self[:5]


def close_calls(run: int, features: QueryFeatures, heads: Sequence[Head]) -> list[CloseCall]:
    """The close calls of a run on one image, the closest first."""
    found = []
    for layer in range(len(heads) - 1):  # nothing attends by the last
        masks = features.levels[layer % N_LEVELS].mask_features
        logits = dot_map(heads[layer].embeddings, masks)[0].flatten(2)  # (n, q, S)
        for place in (logits.abs() < CLOSE).nonzero().tolist():
            number, row, pixel = place
            logit = float(logits[number, row, pixel])
            found.append(CloseCall(run, layer, number, row, pixel, logit))
    return sorted(found, key=lambda call: abs(call.logit))


class Turned:
    """While entered, the model takes these decisions of one run the other way."""

    def __init__(
        self, model: PublishedSeem, features: QueryFeatures, calls: Sequence[CloseCall]
    ) -> None:
        self._features, self._calls, self._layer = features, calls, 0
        self._handle = model.sem_seg_head.predictor.mask_embed.register_forward_hook(self._nudge)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _nudge(self, _part: nn.Module, _inputs: Any, embeddings: Tensor) -> Tensor:
        """The decoder asks for mask embeddings (1, n, q, C) once before each layer, in order."""
        layer, self._layer = self._layer, self._layer + 1
        mine = [call for call in self._calls if call.layer == layer]
        if mine:
            embeddings = embeddings.clone()
        for call in mine:
            feature = self._features.levels[layer % N_LEVELS].mask_features[0].flatten(1)
            column = feature[:, call.pixel]
            logit = embeddings[0, call.number, call.row] @ column
            embeddings[0, call.number, call.row] -= 2 * logit * column / (column @ column)
        return embeddings
