"""A published model as PyTorch runs it, and as ONNX Runtime runs a bundle's graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import onnxruntime
import torch
from torch import Tensor

from seem_model.export_published import (
    FEATURE_NAMES,
    GRAPHS,
    MaskHeadGraph,
    TextEncoderGraph,
    flatten,
    unflatten,
)
from seem_model.published import ExampleTokens, QueryAnswers

if TYPE_CHECKING:
    from pathlib import Path

    from seem_model.published import PublishedSeem, QueryFeatures, QueryPrompts

IMAGE_ENCODER, PROMPT_DECODER, EXAMPLE_ENCODER, MASK_HEAD, TEXT_ENCODER = GRAPHS


class Runs(Protocol):
    """What can be asked of a model, whatever runs it. Shapes are those of `export_published`."""

    def encode(self, image: Tensor) -> QueryFeatures:
        """Features of (B, 3, H, W)."""

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> QueryAnswers:
        """One round."""

    def example(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> ExampleTokens:
        """The tokens of a prompt on a reference image."""

    def masks(self, embeddings: Tensor, mask_features: Tensor) -> Tensor:
        """(B, q, C) mask embeddings to (B, q, h4, w4) logits."""

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) token ids and mask to (B, T, C), zeros for padding."""


class TorchRuns:
    """The model itself."""

    def __init__(self, model: PublishedSeem) -> None:
        self._model = model

    def encode(self, image: Tensor) -> QueryFeatures:
        """As `Runs`."""
        return self._model.encode(image)

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> QueryAnswers:
        """As `Runs`."""
        return self._model.decode(features, prompts)

    def example(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> ExampleTokens:
        """As `Runs`."""
        return self._model.example(features, points, labels)

    def masks(self, embeddings: Tensor, mask_features: Tensor) -> Tensor:
        """As `Runs`."""
        masks: Tensor = MaskHeadGraph()(embeddings, mask_features)
        return masks

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """As `Runs`."""
        states: Tensor = TextEncoderGraph(self._model)(ids, mask)
        return states


class GraphRuns:
    """The graphs in a bundle's folder, on the CPU; one is open at a time, for the memory's sake."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = ""
        self._session: onnxruntime.InferenceSession | None = None

    def encode(self, image: Tensor) -> QueryFeatures:
        """As `Runs`."""
        return unflatten(self._run(IMAGE_ENCODER, {"image": image}))

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> QueryAnswers:
        """As `Runs`."""
        return QueryAnswers(*self._run(PROMPT_DECODER, _named(features) | prompts._asdict()))

    def example(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> ExampleTokens:
        """As `Runs`."""
        inputs = _named(features) | {"points": points, "labels": labels}
        return ExampleTokens(*self._run(EXAMPLE_ENCODER, inputs))

    def masks(self, embeddings: Tensor, mask_features: Tensor) -> Tensor:
        """As `Runs`."""
        inputs = {"embeddings": embeddings, "mask_features": mask_features}
        return self._run(MASK_HEAD, inputs)[0]

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """As `Runs`."""
        return self._run(TEXT_ENCODER, {"ids": ids, "mask": mask})[0]

    def _run(self, name: str, inputs: dict[str, Tensor]) -> list[Tensor]:
        session = self._open(name)
        read = {one.name for one in session.get_inputs()}  # exporters leave out what has no use
        given = {key: value.contiguous().numpy() for key, value in inputs.items() if key in read}
        return [torch.from_numpy(output) for output in session.run(None, given)]

    def _open(self, name: str) -> onnxruntime.InferenceSession:
        if self._session is None or name != self._name:
            self._session = None  # before the next one is made
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                str(self._folder / name), options, providers=["CPUExecutionProvider"]
            )
            self._name = name
        return self._session


def _named(features: QueryFeatures) -> dict[str, Tensor]:
    return dict(zip(FEATURE_NAMES, flatten(features), strict=True))
