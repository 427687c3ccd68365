"""What is compared with the reference: a published variant in PyTorch, or its exported graphs.

B images · n objects · q query rows · T text tokens · C = 512 · h4, w4 = H / 4, W / 4
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from seem_model.decoder import dot_map
from seem_model.evaluate.parity.probes import Probes
from seem_model.published import PublishedSeem
from seem_model.rule_weights import fill

if TYPE_CHECKING:
    from torch import Tensor

    from seem_model.published import ExampleTokens, Head, QueryAnswers, QueryFeatures, QueryPrompts
    from seem_model.variants import Variant


@dataclass(frozen=True, slots=True)
class Encoded:
    """An image's features.

    `inside`: the maps on the way to them by their recorded names; empty where they can't be seen.
    """

    features: QueryFeatures
    inside: dict[str, Tensor] = field(default_factory=dict)


class Decoded(NamedTuple):
    """One run. `heads`: before the first layer and after each one; empty if they can't be seen."""

    answers: QueryAnswers
    heads: list[Head]


class Subject(Protocol):
    """Gives the outputs to compare, in `dtype`. `model` has the weights and no state."""

    model: PublishedSeem
    dtype: torch.dtype

    def encode(self, image: Tensor) -> Encoded:
        """Features of (B, 3, H, W)."""

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> Decoded:
        """One round."""

    def heads(self, features: QueryFeatures, prompts: QueryPrompts) -> list[Head]:
        """What the layers say, where `decode` can't show it."""

    def example(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> ExampleTokens:
        """The tokens of a prompt on a reference picture."""

    def masks(self, features: QueryFeatures, embeddings: Tensor) -> Tensor:
        """(B, q, C) mask embeddings to (B, q, h4, w4) logits."""

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) token ids and mask to (B, T, C) in the joint space."""


class TorchSubject:
    """The model itself, with rule-made weights, in float64 or float32."""

    def __init__(self, variant: Variant, dtype: torch.dtype) -> None:
        with torch.device("meta"):
            model = PublishedSeem(variant)
        self.model = model.to(dtype).to_empty(device="cpu").eval()
        self.dtype = dtype
        fill(self.model)

    def encode(self, image: Tensor) -> Encoded:
        """Features of (B, 3, H, W), and the maps on the way."""
        with torch.inference_mode(), Probes(self.model) as probes:
            features = self.model.encode(image)
        return Encoded(features, probes.maps)

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> Decoded:
        """One round."""
        with torch.inference_mode():
            return Decoded(*self.model.trace(features, prompts))

    def heads(self, features: QueryFeatures, prompts: QueryPrompts) -> list[Head]:
        """What the layers say."""
        return self.decode(features, prompts).heads

    def example(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> ExampleTokens:
        """The tokens of a prompt on a reference picture."""
        with torch.inference_mode():
            return self.model.example(features, points, labels)

    def masks(self, features: QueryFeatures, embeddings: Tensor) -> Tensor:
        """(B, q, C) mask embeddings to (B, q, h4, w4) logits."""
        with torch.inference_mode():
            return dot_map(embeddings.unsqueeze(1), features.mask_features).squeeze(1)

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) token ids and mask to (B, T, C) in the joint space, zeros for padding."""
        with torch.inference_mode():
            states: Tensor = self.model.language.states(ids)
            return states * mask.unsqueeze(2).to(states.dtype)
