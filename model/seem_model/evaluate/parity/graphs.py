"""The exported graphs of a variant, run by ONNX Runtime: what a server will run.

B images · q query rows · T text tokens · C = 512 · h4, w4 = H / 4, W / 4
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime as ort
import torch

from seem_model.evaluate.parity.subject import Decoded, Encoded
from seem_model.export_published import (
    FEATURE_NAMES,
    GRAPHS,
    export_graphs,
    flatten,
    unflatten,
)
from seem_model.published import ExampleTokens, QueryAnswers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import Tensor

    from seem_model.published import PublishedSeem, QueryFeatures, QueryPrompts


class GraphSubject:
    """`model`, exported into `folder`; it stays for what no graph does, class logits among it."""

    def __init__(self, model: PublishedSeem, folder: Path, threads: int) -> None:
        self.model, self.dtype = model, torch.float32
        export_graphs(model, folder)
        self._image, self._prompt, self._example, self._mask, self._text = (
            _Graph(folder / name, threads) for name in GRAPHS
        )

    def encode(self, image: Tensor) -> Encoded:
        """Features of (B, 3, H, W); nothing inside can be seen."""
        return Encoded(unflatten(self._image.run({"image": image})))

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> Decoded:
        """One round; what the layers say can't be seen."""
        inputs = _named(features) | prompts._asdict()
        return Decoded(QueryAnswers(*self._prompt.run(inputs)), [])

    def example(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> ExampleTokens:
        """The tokens of a prompt on a reference picture."""
        inputs = _named(features) | {"points": points, "labels": labels}
        return ExampleTokens(*self._example.run(inputs))

    def masks(self, features: QueryFeatures, embeddings: Tensor) -> Tensor:
        """(B, q, C) mask embeddings to (B, q, h4, w4) logits."""
        inputs = {"embeddings": embeddings, "mask_features": features.mask_features}
        (masks,) = self._mask.run(inputs)
        return masks

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) token ids and mask to (B, T, C) in the joint space, zeros for padding."""
        (states,) = self._text.run({"ids": ids, "mask": mask})
        return states


class _Graph:
    """One graph, on the CPU."""

    def __init__(self, file: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            file, sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {one.name for one in self._session.get_inputs()}

    def run(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """All outputs in order. Inputs that the graph has no use for are left out."""
        given = {
            name: value.contiguous().numpy()
            for name, value in inputs.items()
            if name in self._inputs
        }
        outputs: Iterable[object] = self._session.run(None, given)
        return [torch.from_numpy(output) for output in outputs]


def _named(features: QueryFeatures) -> dict[str, Tensor]:
    return dict(zip(FEATURE_NAMES, flatten(features), strict=True))
