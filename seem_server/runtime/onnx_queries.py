"""The decoder of the published models on ONNX Runtime: kind "queries" of a bundle's decoder.

Every prompt of an object stands before its own copies of the learned queries; the one that answers
it best is chosen by the graph, by what the selector names. See the specification, sections 6 to 9.

n objects · P prompt pixels · T text tokens · V tokens of an example · q query rows · C joint space
h, w mask logits
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from seem_server.runtime.backend import Decoded, ExampleTokens, Findings, QueryArrays, Selector
from seem_server.runtime.load import check_names
from seem_server.runtime.manifest import EXAMPLE_ENCODER, MASK_HEAD, PROMPT_DECODER
from seem_wire.errors import BundleInvalid, Internal, NotOffered
from seem_wire.pixels import PADDING, POSITIVE

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import numpy.typing as npt

    from seem_server.runtime.backend import PixelMeanings, Prompts
    from seem_server.runtime.load import Graph, Tensor
    from seem_server.runtime.specs import BundleManifest, QueriesSpec

    Array = npt.NDArray[np.generic]
    Float32 = npt.NDArray[np.float32]

N_DRAWS = 4
"""The graphs take the pixels four times, because the published program draws them anew for the
pooled vector and for each level. Here they are drawn once, by rule."""

N_LEVELS = 3
BY_NOTHING = 3
"""The selector of a run that is asked for all queries, not for the best one."""

MASK_FEATURES = "mask_features"
_OWNERS = "memory_owners"
_GIVEN = {field.name for field in fields(QueryArrays)} - {"has_previous"}
_EPS = 1e-7


@dataclass(frozen=True, slots=True)
class QueryGraphs:
    """`mask_head`, `example_encoder`: None where the bundle does not offer what needs them."""

    prompt_decoder: Graph
    mask_head: Graph | None
    example_encoder: Graph | None


class QueriesDecoder:
    """Features and prompts to masks, examples to tokens, and images to all that is in them."""

    def __init__(self, manifest: BundleManifest, spec: QueriesSpec, graphs: QueryGraphs) -> None:
        _check(manifest, graphs)
        self._manifest = manifest
        self._spec = spec
        self._graphs = graphs

    def trials(self, size: tuple[int, int]) -> tuple[QueryArrays, ...]:
        """Prompts for an input of (H, W) pixels: nothing, and then what takes most of a graph.

        The second is answered by every learned query, and remembers where the decoder does, so
        that numbers in the manifest that are not the graph's show before anybody asks.
        """
        nothing = self.nothing(size)
        most = replace(
            nothing,
            labels=np.full_like(nothing.labels, POSITIVE),
            text_mask=np.ones_like(nothing.text_mask),
            previous_mask=np.ones_like(nothing.previous_mask),
            has_previous=np.full(1, self._spec.memory_tokens > 0, np.float32),
            query_rows=np.arange(self._spec.object_queries)[None],
        )
        return nothing, most

    def nothing(self, size: tuple[int, int]) -> QueryArrays:
        """Prompts that say nothing, for an input of (H, W) pixels."""
        h, w = (side // self._manifest.mask_stride for side in size)
        width = self._manifest.joint_width
        return QueryArrays(
            points=np.zeros((1, 1, 2), np.float32),
            labels=np.full((1, 1), PADDING, np.float32),
            text=np.zeros((1, 1, width), np.float32),
            text_mask=np.zeros((1, 1), np.float32),
            sentence=np.zeros((1, width), np.float32),
            examples=np.zeros((1, N_LEVELS, 1, width), np.float32),
            example_mask=np.zeros((1, 1), np.float32),
            example_vector=np.zeros((1, width), np.float32),
            previous_mask=np.zeros((1, h, w), np.float32),
            has_previous=np.zeros(1, np.float32),
            query_rows=np.array([self._spec.query_rows], np.int64),
            selector=np.array([Selector.MARKS], np.int64),
        )

    def kind(self, prompts: Prompts) -> Hashable:
        """Items of equal kind may share a run: as many rows, and all or none with a memory."""
        if not isinstance(prompts, QueryArrays):
            return None
        return prompts.query_rows.shape[1], bool(prompts.has_previous.any())

    def decode(self, features: Mapping[str, Tensor], prompts: Prompts) -> Decoded:
        """One run: n objects of one image."""
        if not isinstance(prompts, QueryArrays):
            raise Internal("Prompts of another kind of decoder came to this one.")
        wanted = ("mask_logits", "selected", "captions")
        masks, selected, captions = self._run(features, self._inputs(prompts), wanted)
        chosen = selected[0].astype(np.intp)  # (n,)
        return Decoded(
            mask_logits=masks[0],
            iou=mean_inside(masks[0]),
            presence=None,
            semantic=_unit(captions[0, np.arange(len(chosen)), chosen]),
        )

    def encode_example(self, features: Mapping[str, Tensor], points: Float32) -> ExampleTokens:
        """The tokens of pixels (V, 2) of an image."""
        graph = self._graphs.example_encoder
        if graph is None:
            raise NotOffered("This model takes no examples.")
        arrays: dict[str, Array] = {
            "points": np.broadcast_to(points, (1, 1, N_DRAWS, *points.shape)),
            "labels": np.full((1, 1, N_DRAWS, len(points)), POSITIVE, np.float32),
        }
        seen = {name: tensor for name, tensor in features.items() if name in graph.inputs}
        tokens, vector = graph.run(arrays, seen, ("examples", "vector"))
        return ExampleTokens(tokens.numpy()[0, 0], vector.numpy()[0, 0])

    def find(self, features: Mapping[str, Tensor]) -> Findings:
        """What each learned query finds where nothing was said."""
        head = self._graphs.mask_head
        if head is None:
            raise NotOffered("This model can't tell what is in an image.")
        stride = self._manifest.mask_stride
        nothing = self.nothing(_size(features[MASK_FEATURES], stride))
        inputs = self._inputs(nothing) | {
            "query_rows": np.arange(self._spec.object_queries)[None, None],
            "selector": np.array([[BY_NOTHING]]),
        }
        embeddings, captions = self._run(features, inputs, ("embeddings", "captions"))
        seen = {MASK_FEATURES: features[MASK_FEATURES]}
        (masks,) = head.run({"embeddings": embeddings[:, 0]}, seen, ("masks",))
        return Findings(masks.numpy()[0], _unit(captions[0, 0]))

    def appearance(self, _features: Mapping[str, Tensor]) -> Float32:
        """Raises NotOffered."""
        raise NotOffered("This model follows nothing through a video.")

    def meanings(self, _features: Mapping[str, Tensor]) -> PixelMeanings:
        """Raises NotOffered."""
        raise NotOffered("This model gives places no meaning.")

    def _run(
        self, features: Mapping[str, Tensor], inputs: Mapping[str, Array], wanted: tuple[str, ...]
    ) -> list[Float32]:
        graph = self._graphs.prompt_decoder
        seen = {name: tensor for name, tensor in features.items() if name in graph.inputs}
        return [one.numpy() for one in graph.run(inputs, seen, wanted)]

    def _inputs(self, prompts: QueryArrays) -> dict[str, Array]:
        """The graph's inputs but for the features, with B = 1."""
        arrays = {name: getattr(prompts, name)[None] for name in _GIVEN}
        for name in ("points", "labels"):
            array = arrays[name][:, :, None]
            arrays[name] = np.repeat(array, N_DRAWS, axis=2)
        graph = self._graphs.prompt_decoder
        if _OWNERS in graph.inputs:
            n_objects = len(prompts.labels)
            own = np.where(prompts.has_previous > 0, np.arange(n_objects), -1)
            n_slots = self._spec.memory_tokens if (own >= 0).any() else 1
            shape = (1, n_objects, self._spec.layers, n_slots)
            arrays[_OWNERS] = np.broadcast_to(own[None, :, None, None], shape)
        return {name: array for name, array in arrays.items() if name in graph.inputs}


def _check(manifest: BundleManifest, graphs: QueryGraphs) -> None:
    features = set(manifest.features)
    answers = {"mask_logits", "selected", "embeddings", "captions"}
    inputs = {*features, *_GIVEN, _OWNERS}
    unread = frozenset({*features, "previous_mask", _OWNERS})  # exporters leave out what has no use
    check_names(PROMPT_DECODER, graphs.prompt_decoder, inputs, answers, optional=unread)
    if graphs.mask_head is not None:
        inputs = {"embeddings", MASK_FEATURES}
        check_names(MASK_HEAD, graphs.mask_head, inputs, {"masks"}, optional=frozenset())
    if graphs.example_encoder is not None:
        inputs = {*features, "points", "labels"}
        answers = {"examples", "vector"}
        check_names(EXAMPLE_ENCODER, graphs.example_encoder, inputs, answers, optional=unread)
    if MASK_FEATURES not in features:
        raise BundleInvalid(f"The bundle's features lack {MASK_FEATURES}.")


def mean_inside(masks: Float32) -> Float32:
    """The mean probability of the pixels inside each of n masks (n, h, w): (n,), 0 if empty."""
    inside = masks > 0
    n_inside = inside.sum(axis=(1, 2))
    probability = 1 / (1 + np.exp(-np.minimum(np.abs(masks), 80)))  # of what is inside; no overflow
    sums = np.where(inside, probability, 0).sum(axis=(1, 2))
    mean: Float32 = (sums / np.maximum(n_inside, 1)).astype(np.float32)
    return mean


def _unit(vectors: Float32) -> Float32:
    """(..., C) with length 1, as the published models make them."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Float32 = vectors / (lengths + np.float32(_EPS))
    return unit


def _size(mask_features: Tensor, stride: int) -> tuple[int, int]:
    rows, columns = mask_features.shape[-2:]
    return rows * stride, columns * stride
