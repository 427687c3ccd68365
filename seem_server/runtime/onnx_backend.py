"""A bundle on ONNX Runtime.

B images · n objects · P prompt points · T text tokens · E text width · C joint space
H, W padded network input · h, w mask logits

On the CPU every item is run alone: the last bits of an answer depend on what shares its run (matrix
products are cut differently), and masks must come out the same when a session is resumed or a cache
was emptied. On a device, objects of one image share a run, because launching is what costs there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from seem_server.runtime.backend import Decoded, PromptArrays, TextStates
from seem_server.runtime.bundle import (
    IMAGE_ENCODER,
    PROMPT_DECODER,
    TEXT_ENCODER,
    TOKENIZER,
)
from seem_server.runtime.load import Graph, Provider, Tensor, open_graph, open_tokenizer
from seem_wire.errors import BundleInvalid, Internal, NotOffered, PromptEmpty
from seem_wire.pixels import PADDING
from seem_wire.types import PromptKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from tokenizers import Tokenizer

    from seem_server.runtime.backend import Features
    from seem_server.runtime.bundle import Bundle, BundleManifest

    Float32 = npt.NDArray[np.float32]
    Item = tuple[Features, PromptArrays]

_PROMPTS = tuple(field.name for field in fields(PromptArrays))
_ANSWERS = tuple(field.name for field in fields(Decoded))

MAX_SHARING = 16
"""Most objects in one run: their masks at stride 4 are what fills a device's memory."""


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFeatures:
    """What the image encoder made of one image (B = 1), on the device that made it."""

    tensors: tuple[Tensor, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return sum(tensor.nbytes for tensor in self.tensors)


@dataclass(frozen=True, slots=True, eq=False)
class _Graphs:
    image_encoder: Graph
    prompt_decoder: Graph
    text_encoder: Graph | None
    tokenizer: Tokenizer | None


def open_backend(
    bundle: Bundle, *, provider: Provider | str = Provider.AUTO, n_threads: int = 0
) -> OnnxBackend:
    """A backend for a bundle, warmed up. `n_threads` within one run; 0 for one a core.

    Raises:
        ProviderNotActive: The provider that was asked for is not the one that would run.
        BundleInvalid: A graph or the tokenizer does not load, or lacks an input or output.
    """
    manifest = bundle.manifest
    provider = Provider(provider)

    def load(name: str) -> Graph:
        return open_graph(bundle.path(name), provider=provider, n_threads=n_threads)

    has_text = PromptKind.TEXT in manifest.prompts
    graphs = _Graphs(
        load(IMAGE_ENCODER),
        load(PROMPT_DECODER),
        load(TEXT_ENCODER) if has_text else None,
        open_tokenizer(bundle.path(TOKENIZER), max_tokens=manifest.text.max_tokens)
        if has_text
        else None,
    )
    _check(IMAGE_ENCODER, graphs.image_encoder, {"image"}, set(manifest.features))
    needed = {*manifest.features, *_PROMPTS}
    _check(PROMPT_DECODER, graphs.prompt_decoder, needed, set(_ANSWERS))
    if graphs.text_encoder is not None:
        _check(TEXT_ENCODER, graphs.text_encoder, {"ids", "mask"}, {"states"})
    backend = OnnxBackend(manifest, graphs)
    backend.warm_up()
    return backend


def _check(name: str, graph: Graph, inputs: set[str], outputs: set[str]) -> None:
    if set(graph.inputs) != inputs or not outputs <= set(graph.outputs):
        raise BundleInvalid(
            f"{name} should take {sorted(inputs)} and give {sorted(outputs)};"
            f" it takes {sorted(graph.inputs)} and gives {sorted(graph.outputs)}."
        )


class OnnxBackend:
    """The three graphs of a bundle. Made by `open_backend`."""

    def __init__(self, manifest: BundleManifest, graphs: _Graphs) -> None:
        self.manifest = manifest
        self._graphs = graphs

    @property
    def provider(self) -> str:
        """Where it really runs: "cpu" or "cuda"."""
        return self._graphs.prompt_decoder.provider.value

    def warm_up(self) -> None:
        """Runs each graph once, so that the first user does not wait for what is made then."""
        spec = self.manifest.image
        side = -(-spec.long_side // spec.divisor) * spec.divisor
        cells = side // self.manifest.mask_stride
        features = self.encode(np.zeros((1, 3, side, side), np.float32))
        prompts = PromptArrays(
            points=np.zeros((1, 1, 2), np.float32),
            labels=np.full((1, 1), PADDING, np.float32),
            maps=np.zeros((1, 5, cells, cells), np.float32),
            previous_mask=np.zeros((1, cells, cells), np.float32),
            has_previous=np.zeros(1, np.float32),
            text=np.zeros((1, 1, self.manifest.text.width), np.float32),
            text_mask=np.zeros((1, 1), np.float32),
        )
        self.decode([(features[0], prompts)])
        if self._graphs.text_encoder is not None:
            self.encode_text(self.manifest.name)

    def encode(self, images: Float32) -> list[Features]:
        """Features of B images (B, 3, H, W)."""
        graph = self._graphs.image_encoder
        tensors = graph.run({"image": images}, {}, self.manifest.features)
        if len(images) == 1:
            return [OnnxFeatures(tuple(tensors))]
        arrays = [tensor.numpy() for tensor in tensors]
        return [
            OnnxFeatures(tuple(graph.put(array[index : index + 1]) for array in arrays))
            for index in range(len(images))
        ]

    def decode(self, items: Sequence[Item]) -> list[Decoded]:
        """One round for each item."""
        if self._graphs.prompt_decoder.provider is Provider.CPU:
            return [self._decode(*item) for item in items]
        answers = []
        for sharing in _sharing(items):
            whole = self._decode(sharing[0][0], _stacked([prompts for _, prompts in sharing]))
            answers += _split(whole, [len(prompts.labels) for _, prompts in sharing])
        return answers

    def encode_text(self, text: str) -> TextStates:
        """The token states of a text, cut to the bundle's `max_tokens`.

        Raises:
            NotOffered: The bundle knows no texts.
            PromptEmpty: The text has no token.
        """
        graph, tokenizer = self._graphs.text_encoder, self._graphs.tokenizer
        if graph is None or tokenizer is None:
            raise NotOffered("This model takes no text.")
        ids = np.array([tokenizer.encode(text).ids], np.int64)  # (1, T)
        if not ids.size:
            raise PromptEmpty("The text has no word that the model could read.")
        arrays = {"ids": ids, "mask": np.ones_like(ids)}
        return TextStates(graph.run(arrays, {}, ("states",))[0].numpy()[0])

    def _decode(self, features: Features, prompts: PromptArrays) -> Decoded:
        """One run: n objects of one image."""
        if not isinstance(features, OnnxFeatures):
            raise Internal("Features of another backend came to ONNX Runtime.")
        arrays = {name: getattr(prompts, name)[None] for name in _PROMPTS}  # B = 1
        tensors = dict(zip(self.manifest.features, features.tensors, strict=True))
        answers = self._graphs.prompt_decoder.run(arrays, tensors, _ANSWERS)
        return Decoded(*(answer.numpy()[0] for answer in answers))


def _sharing(items: Sequence[Item]) -> list[list[Item]]:
    """Neighbouring items of one image, at most MAX_SHARING together."""
    groups = []
    for _, neighbours in groupby(items, key=lambda item: id(item[0])):
        alike = list(neighbours)
        groups += [alike[i : i + MAX_SHARING] for i in range(0, len(alike), MAX_SHARING)]
    return groups


def _stacked(prompts: Sequence[PromptArrays]) -> PromptArrays:
    """The objects of several items as one item, padded to common P and T."""
    n_points = max(one.labels.shape[1] for one in prompts)
    n_tokens = max(one.text_mask.shape[1] for one in prompts)
    padded = [
        PromptArrays(
            points=_padded(one.points, n_points, 0.0),
            labels=_padded(one.labels, n_points, PADDING),
            maps=one.maps,
            previous_mask=one.previous_mask,
            has_previous=one.has_previous,
            text=_padded(one.text, n_tokens, 0.0),
            text_mask=_padded(one.text_mask, n_tokens, 0.0),
        )
        for one in prompts
    ]
    columns = ([getattr(one, name) for one in padded] for name in _PROMPTS)
    return PromptArrays(*(np.concatenate(column) for column in columns))


def _padded(array: Float32, length: int, value: float) -> Float32:
    """`array` (n, k, ...) as (n, length, ...)."""
    rest = [(0, 0)] * (array.ndim - 2)
    missing = length - array.shape[1]
    return np.pad(array, [(0, 0), (0, missing), *rest], constant_values=value)


def _split(whole: Decoded, counts: Sequence[int]) -> list[Decoded]:
    """The answers for `counts` objects each."""
    bounds = np.cumsum(counts)[:-1]
    columns = [np.split(getattr(whole, name), bounds) for name in _ANSWERS]
    return [Decoded(*parts) for parts in zip(*columns, strict=True)]
