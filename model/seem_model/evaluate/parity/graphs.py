"""The exported graphs of a variant, run by ONNX Runtime: what a server will run.

B images · q query rows · T text tokens · C = 512 · h4, w4 = H / 4, W / 4
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from seem_model.evaluate.parity.subject import Decoded, Encoded
from seem_model.export_published import export_graphs
from seem_model.runs import GraphRuns

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from seem_model.published import (
        ExampleTokens,
        Head,
        PublishedSeem,
        QueryFeatures,
        QueryPrompts,
    )


class GraphSubject:
    """`model`, exported into `folder`; it stays for what no graph does, class logits among it."""

    def __init__(self, model: PublishedSeem, folder: Path) -> None:
        self.model, self.dtype = model, torch.float32
        export_graphs(model, folder)
        # Each keeps one graph open.
        self._image, self._prompt, self._mask, self._text = (GraphRuns(folder) for _ in range(4))

    def encode(self, image: Tensor) -> Encoded:
        """Features of (B, 3, H, W); nothing inside can be seen."""
        return Encoded(self._image.encode(image))

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> Decoded:
        """One round; what the layers say can't be seen."""
        return Decoded(self._prompt.decode(features, prompts), [])

    def heads(self, features: QueryFeatures, prompts: QueryPrompts) -> list[Head]:
        """What the layers say in PyTorch, which is nearly the same."""
        with torch.inference_mode():
            return self.model.trace(features, prompts)[1]

    def example(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> ExampleTokens:
        """The tokens of a prompt on a reference picture."""
        return self._image.example(features, points, labels)

    def masks(self, features: QueryFeatures, embeddings: Tensor) -> Tensor:
        """(B, q, C) mask embeddings to (B, q, h4, w4) logits."""
        return self._mask.masks(embeddings, features.mask_features)

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) token ids and mask to (B, T, C) in the joint space, zeros for padding."""
        return self._text.states(ids, mask)
