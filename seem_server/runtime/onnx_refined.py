"""The decoder of our own models on ONNX Runtime: kind "refined" of a bundle's decoder.

n objects · P prompt points · T text tokens · h, w mask logits
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from seem_server.runtime.backend import (
    Decoded,
    ExampleTokens,
    Hypotheses,
    PixelMeanings,
    PromptArrays,
)
from seem_server.runtime.load import check_names
from seem_server.runtime.manifest import PROMPT_DECODER
from seem_server.runtime.specs import APPEARANCE
from seem_wire.errors import BundleInvalid, Internal, NotOffered
from seem_wire.pixels import MAP_NAMES, PADDING
from seem_wire.types import PromptKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import numpy.typing as npt

    from seem_server.runtime.backend import Findings, Prompts
    from seem_server.runtime.load import Graph, Tensor
    from seem_server.runtime.specs import BundleManifest

    Float32 = npt.NDArray[np.float32]

PROMPTS = tuple(field.name for field in fields(PromptArrays))
ANSWERS = ("mask_logits", "iou", "presence", "semantic")
"""Of n objects: masks (n, K + 1, h, w), the first one decided on everything that was said, the
others hypotheses; iou (n, K + 1); presence (n,); semantic (n, K + 1, C)."""

MEANINGS = "embedding_8"
MEANINGS_STRIDE = 8
_EPS = 1e-6


class RefinedDecoder:
    """Features and prompts to masks, in one graph."""

    def __init__(self, manifest: BundleManifest, graph: Graph) -> None:
        needed = {*manifest.features, *PROMPTS}
        check_names(PROMPT_DECODER, graph, needed, set(ANSWERS), optional=frozenset())
        rests_on_meanings = (
            manifest.everything is not None or PromptKind.EXAMPLE in manifest.prompts
        )
        if rests_on_meanings and MEANINGS not in manifest.features:
            raise BundleInvalid(
                f"What offers everything or examples should have the feature {MEANINGS}."
            )
        self._manifest = manifest
        self._graph = graph

    def trials(self, size: tuple[int, int]) -> tuple[PromptArrays, ...]:
        """Prompts that say nothing, for an input of (H, W) pixels."""
        h, w = (side // self._manifest.mask_stride for side in size)
        nothing = PromptArrays(
            points=np.zeros((1, 1, 2), np.float32),
            labels=np.full((1, 1), PADDING, np.float32),
            maps=np.zeros((1, len(MAP_NAMES), h, w), np.float32),
            previous_mask=np.zeros((1, h, w), np.float32),
            has_previous=np.zeros(1, np.float32),
            text=np.zeros((1, 1, self._manifest.text.width), np.float32),
            text_mask=np.zeros((1, 1), np.float32),
            example=np.zeros((1, self._manifest.joint_width), np.float32),
            has_example=np.zeros(1, np.float32),
        )
        return (nothing,)

    def kind(self, prompts: Prompts) -> Hashable:
        """Items of equal kind may share a run."""
        return type(prompts).__name__

    def decode(self, features: Mapping[str, Tensor], prompts: Prompts) -> Decoded:
        """One run: n objects of one image."""
        if not isinstance(prompts, PromptArrays):
            raise Internal("Prompts of another kind of decoder came to this one.")
        arrays = {name: getattr(prompts, name)[None] for name in PROMPTS}  # B = 1
        answers = self._graph.run(arrays, features, ANSWERS)
        masks, iou, presence, semantic = (answer.numpy()[0] for answer in answers)
        others = None
        if masks.shape[1] > 1:
            others = Hypotheses(masks[:, 1:], iou[:, 1:], semantic[:, 1:])
        return Decoded(masks[:, 0], iou[:, 0], presence, semantic[:, 0], others)

    def encode_example(self, features: Mapping[str, Tensor], points: Float32) -> ExampleTokens:
        """What the places under the pixels (V, 2) mean on the whole."""
        meanings = self.meanings(features).vectors
        rows, columns = meanings.shape[1:]
        x, y = (points / MEANINGS_STRIDE).astype(np.intp).T
        seen = meanings[:, np.minimum(y, rows - 1), np.minimum(x, columns - 1)]  # (C, V)
        mean = seen.mean(axis=1)
        vector = mean / max(float(np.linalg.norm(mean)), _EPS)
        return ExampleTokens(np.zeros((0, 0, len(vector)), np.float32), vector.astype(np.float32))

    def meanings(self, features: Mapping[str, Tensor]) -> PixelMeanings:
        """What each place of an image means."""
        return PixelMeanings(features[MEANINGS].numpy()[0], self._manifest.vocabulary.scale)

    def appearance(self, features: Mapping[str, Tensor]) -> Float32:
        """What each place looks like: as the masks are told apart, and as it is named."""
        parts = [features[name].numpy()[0] for name in APPEARANCE]
        lengths = [np.maximum(np.linalg.norm(part, axis=0), _EPS) for part in parts]
        share = np.float32(len(parts)) ** -0.5  # of unit length together
        unit = [share * part / length for part, length in zip(parts, lengths, strict=True)]
        appearance: Float32 = np.concatenate(unit)
        return appearance

    def find(self, _features: Mapping[str, Tensor]) -> Findings:
        """Raises NotOffered."""
        raise NotOffered("This model can't tell what is in an image.")
