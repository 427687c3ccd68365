"""A bundle on ONNX Runtime.

B images · T text tokens · H, W padded network input

On the CPU every item is run alone: the last bits of an answer depend on what shares its run (matrix
products are cut differently), and masks must come out the same when a session is resumed or a cache
was emptied. On a device, objects of one image share a run, because launching is what costs there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seem_server.runtime.backend import TextStates
from seem_server.runtime.load import (
    Brake,
    Graph,
    Provider,
    Tensor,
    check_names,
    graph_errors,
    open_graph,
    open_tokenizer,
)
from seem_server.runtime.manifest import (
    EXAMPLE_ENCODER,
    IMAGE_ENCODER,
    MASK_HEAD,
    PROMPT_DECODER,
    TEXT_ENCODER,
    TOKENIZER,
)
from seem_server.runtime.onnx_queries import QueriesDecoder, QueryGraphs
from seem_server.runtime.onnx_refined import RefinedDecoder
from seem_server.runtime.specs import QueriesSpec, RefinedSpec
from seem_server.runtime.stacking import sharing, split, stacked
from seem_wire.cleaning import clean
from seem_wire.errors import BundleInvalid, Internal, NotOffered, PromptEmpty
from seem_wire.types import PromptKind

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from tokenizers import Tokenizer

    from seem_server.runtime.backend import (
        Decoded,
        ExampleTokens,
        Features,
        Findings,
        PixelMeanings,
        Prompts,
    )
    from seem_server.runtime.bundle import Bundle
    from seem_server.runtime.specs import BundleManifest

    Float32 = npt.NDArray[np.float32]
    Item = tuple[Features, Prompts]


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFeatures:
    """What the image encoder made of one image (B = 1), on the device that made it."""

    tensors: tuple[Tensor, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return sum(tensor.nbytes for tensor in self.tensors)


class Decoder(Protocol):
    """What a kind of decoder can do with the features of one image, by their names."""

    def trials(self, size: tuple[int, int]) -> tuple[Prompts, ...]:
        """Prompts for an input of (H, W) pixels: nothing, and then what takes most of a graph."""

    def kind(self, prompts: Prompts) -> Hashable:
        """Items of equal kind may share a run."""

    def decode(self, features: Mapping[str, Tensor], prompts: Prompts) -> Decoded:
        """One run: n objects of one image."""

    def encode_example(self, features: Mapping[str, Tensor], points: Float32, /) -> ExampleTokens:
        """The tokens of pixels (V, 2) of an image."""

    def find(self, features: Mapping[str, Tensor], /) -> Findings:
        """What is in an image."""

    def meanings(self, features: Mapping[str, Tensor], /) -> PixelMeanings:
        """What each place of an image means."""

    def appearance(self, features: Mapping[str, Tensor], /) -> Float32:
        """What each place of an image looks like."""


@dataclass(frozen=True, slots=True, eq=False)
class _TextEncoder:
    graph: Graph
    tokenizer: Tokenizer
    clean: bool
    answers: tuple[str, ...]


def open_backend(
    bundle: Bundle,
    *,
    provider: Provider | str = Provider.AUTO,
    n_threads: int = 0,
    records: Path | None = None,
) -> OnnxBackend:
    """A backend for a bundle, warmed up. `n_threads` within one run; 0 for one a core.

    `records`: a folder for what `OnnxBackend.records` gives; only who measures kernels wants that.

    Raises:
        ProviderNotActive: The provider that was asked for is not the one that would run.
        BundleInvalid: A graph or the tokenizer does not load or run, or gives something else than
            the manifest says.
    """
    manifest = bundle.manifest
    provider, brake = Provider(provider), Brake()
    graphs: dict[str, Graph] = {}

    def load(name: str) -> Graph:
        path = bundle.path(name)
        graphs[name] = open_graph(
            path, provider=provider, n_threads=n_threads, brake=brake, records=records
        )
        return graphs[name]

    encoder = load(IMAGE_ENCODER)
    check_names(IMAGE_ENCODER, encoder, {"image"}, set(manifest.features), optional=frozenset())
    text = _open_text(bundle, load) if PromptKind.TEXT in manifest.prompts else None
    decoder = _open_decoder(manifest, load)
    backend = OnnxBackend(manifest, encoder, decoder, text, brake, graphs)
    try:
        backend.warm_up()
    except graph_errors() as error:
        raise BundleInvalid(f"The bundle's graphs do not run: {error}") from error
    return backend


def _open_decoder(manifest: BundleManifest, load: Callable[[str], Graph]) -> Decoder:
    if not isinstance(manifest.decoder, QueriesSpec):
        return RefinedDecoder(manifest, load(PROMPT_DECODER))
    graphs = QueryGraphs(
        load(PROMPT_DECODER),
        load(MASK_HEAD) if manifest.everything is not None else None,
        load(EXAMPLE_ENCODER) if PromptKind.EXAMPLE in manifest.prompts else None,
    )
    return QueriesDecoder(manifest, manifest.decoder, graphs)


def _open_text(bundle: Bundle, load: Callable[[str], Graph]) -> _TextEncoder:
    spec = bundle.manifest.text
    graph = load(TEXT_ENCODER)
    refined = isinstance(bundle.manifest.decoder, RefinedSpec)
    answers = ("states", "sentence") if refined else ("states",)
    check_names(TEXT_ENCODER, graph, {"ids", "mask"}, set(answers), optional=frozenset())
    tokenizer = open_tokenizer(bundle.path(TOKENIZER), max_tokens=spec.max_tokens)
    return _TextEncoder(graph, tokenizer, spec.clean, answers)


class OnnxBackend:
    """The graphs of a bundle. Made by `open_backend`."""

    def __init__(
        self,
        manifest: BundleManifest,
        encoder: Graph,
        decoder: Decoder,
        text: _TextEncoder | None,
        brake: Brake,
        graphs: Mapping[str, Graph],
    ) -> None:
        self.manifest = manifest
        self._encoder = encoder
        self._decoder = decoder
        self._text = text
        self._brake = brake
        self._graphs = graphs

    def records(self) -> Mapping[str, Path]:
        """Ends the records of the graphs' kernels, and gives them by the graphs' file names."""
        return {name: graph.record() for name, graph in self._graphs.items()}

    @property
    def provider(self) -> str:
        """Where it really runs: "cpu" or "cuda"."""
        return self._encoder.provider.value

    def warm_up(self) -> None:
        """Runs each graph once, so that the first user does not wait for what is made then.

        Raises:
            BundleInvalid: The graphs' answers do not have the shapes that the manifest promises.
        """
        size = self.manifest.image.buckets[0]
        features = self.encode(np.zeros((1, 3, *size), np.float32))[0]
        grid = tuple(side // self.manifest.mask_stride for side in size)
        for prompts in self._decoder.trials(size):
            answer = self.decode([(features, prompts)])[0]
            found = (answer.mask_logits.shape, answer.semantic.shape)
            if found != ((1, *grid), (1, self.manifest.joint_width)):
                raise BundleInvalid(f"The bundle's graphs answer with arrays of shapes {found}.")
        if self._text is not None:
            longest = f"{self.manifest.name} " * self.manifest.text.max_tokens
            width = self.encode_text(longest).states.shape[1]
            if width != self.manifest.text.width:
                raise BundleInvalid(f"The bundle's text encoder gives states of width {width}.")
        if PromptKind.EXAMPLE in self.manifest.prompts:
            self.encode_example(features, np.zeros((1, 2), np.float32))
        self._try_everything(features)

    def _try_everything(self, features: Features) -> None:
        everything = self.manifest.everything
        if everything is None:
            return
        if everything.clicks is None:
            self.find(features)
            return
        width = self.meanings(features).vectors.shape[0]
        if width != self.manifest.joint_width:
            raise BundleInvalid(f"The bundle's image encoder gives meanings of width {width}.")

    def encode(self, images: Float32) -> list[Features]:
        """Features of B images (B, 3, H, W)."""
        graph = self._encoder
        tensors = graph.run({"image": images}, {}, self.manifest.features)
        if len(images) == 1:
            return [OnnxFeatures(tuple(tensors))]
        arrays = [tensor.numpy() for tensor in tensors]
        return [
            self.features_of([array[index : index + 1] for array in arrays])
            for index in range(len(images))
        ]

    def arrays_of(self, features: Features) -> tuple[Float32, ...]:
        """Features as arrays of the host, in the manifest's order."""
        named = self._named(features)
        return tuple(named[name].numpy() for name in self.manifest.features)

    def features_of(self, arrays: Sequence[Float32]) -> Features:
        """What `arrays_of` another backend were, on this one's device."""
        return OnnxFeatures(tuple(self._encoder.put(array) for array in arrays))

    def decode(self, items: Sequence[Item]) -> list[Decoded]:
        """One round for each item."""
        if self._encoder.provider is Provider.CPU:
            return [self._decoder.decode(self._named(image), said) for image, said in items]
        answers = []
        for alike in sharing(items, lambda item: (id(item[0]), self._decoder.kind(item[1]))):
            prompts = [prompts for _, prompts in alike]
            whole = self._decoder.decode(self._named(alike[0][0]), stacked(prompts))
            answers += split(whole, [len(one.labels) for one in prompts])
        return answers

    def encode_text(self, text: str) -> TextStates:
        """The token states of a text, cut to the bundle's `max_tokens`.

        Raises:
            NotOffered: The bundle knows no texts.
            PromptEmpty: The text has no token.
        """
        encoder = self._text
        if encoder is None:
            raise NotOffered("This model takes no text.")
        tokens = encoder.tokenizer.encode(clean(text) if encoder.clean else text)
        ids = np.array([tokens.ids], np.int64)  # (1, T)
        if not ids.size:
            raise PromptEmpty("The text has no word that the model could read.")
        arrays = {"ids": ids, "mask": np.ones_like(ids)}
        states, *sentence = (
            answer.numpy()[0] for answer in encoder.graph.run(arrays, {}, encoder.answers)
        )
        return TextStates(states, sentence[0] if sentence else states[-1])

    def encode_example(self, features: Features, points: Float32) -> ExampleTokens:
        """The tokens of pixels (V, 2), (x, y), of an image. Raises NotOffered."""
        return self._decoder.encode_example(self._named(features), points)

    def find(self, features: Features) -> Findings:
        """What is in an image. Raises NotOffered."""
        return self._decoder.find(self._named(features))

    def meanings(self, features: Features) -> PixelMeanings:
        """What each place of an image means. Raises NotOffered."""
        return self._decoder.meanings(self._named(features))

    def appearance(self, features: Features) -> Float32:
        """What each place looks like, (C, h8, w8). Raises NotOffered."""
        return self._decoder.appearance(self._named(features))

    def interrupt(self) -> None:
        """Ends what runs, between two nodes of its graph."""
        self._brake.pull()

    def resume(self) -> None:
        """Lets runs go on to their end."""
        self._brake.release()

    def _named(self, features: Features) -> Mapping[str, Tensor]:
        if not isinstance(features, OnnxFeatures):
            raise Internal("Features of another backend came to ONNX Runtime.")
        return dict(zip(self.manifest.features, features.tensors, strict=True))
