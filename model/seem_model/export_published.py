"""From a published model to a bundle.

    export_graphs(model, folder)              the five graphs, in float32
    write_published_bundle(source, out)       a whole bundle, beside its final name until it is done

    image_encoder.onnx    image -> FEATURE_NAMES
    prompt_decoder.onnx   FEATURE_NAMES, fields of `QueryPrompts` -> fields of `QueryAnswers`
    example_encoder.onnx  FEATURE_NAMES, points, labels -> fields of `ExampleTokens`
    mask_head.onnx        embeddings (B, q, C), mask_features -> masks (B, q, h4, w4)
    text_encoder.onnx     ids, mask (B, T) -> states (B, T, C) in the joint space

B images · n objects · q query rows · P prompt points · T text tokens · V tokens of an example
C = 512 · h4, w4 = H / 4, W / 4 of the padded network input
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from seem_model.decoder import N_LEVELS, Level, dot_map
from seem_model.graph import export_graph
from seem_model.published import (
    N_DRAWS,
    ExampleTokens,
    PublishedSeem,
    QueryAnswers,
    QueryFeatures,
    QueryPrompts,
    prompts_of_nothing,
)
from seem_model.variants import SamViTConfig, Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LEVEL_STRIDES = (32, 16, 8)
FEATURE_NAMES = (
    *(f"{kind}_{stride}" for stride in LEVEL_STRIDES for kind in ("values", "keys", "masks")),
    "mask_features",
)
GRAPHS = (
    "image_encoder.onnx",
    "prompt_decoder.onnx",
    "example_encoder.onnx",
    "mask_head.onnx",
    "text_encoder.onnx",
)
_SIZE = (128, 96)
_TRACED_BATCH, _TRACED_OBJECTS = 2, 3


class ImageEncoderGraph(nn.Module):
    """(B, 3, H, W) to the tensors FEATURE_NAMES."""

    def __init__(self, model: PublishedSeem) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The features, in the order of FEATURE_NAMES."""
        return flatten(self.model.encode(image))


class PromptDecoderGraph(nn.Module):
    """Features and prompts, flat, to the fields of `QueryAnswers`."""

    def __init__(self, model: PublishedSeem) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: list[Tensor], prompts: list[Tensor]) -> tuple[Tensor, ...]:
        """The answers, in the order of the fields."""
        return tuple(self.model.decode(unflatten(features), QueryPrompts(*prompts)))


class ExampleEncoderGraph(nn.Module):
    """Features and points, flat, to the fields of `ExampleTokens`."""

    def __init__(self, model: PublishedSeem) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: list[Tensor], points: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        """The tokens, in the order of the fields."""
        return tuple(self.model.example(unflatten(features), points, labels))


class MaskHeadGraph(nn.Module):
    """Mask embeddings of any queries to their masks."""

    def forward(self, embeddings: Tensor, mask_features: Tensor) -> Tensor:
        """(B, q, C) . (B, C, h4, w4) = (B, q, h4, w4)."""
        return dot_map(embeddings.unsqueeze(1), mask_features).squeeze(1)


class TextEncoderGraph(nn.Module):
    """Token ids to states in the joint space."""

    def __init__(self, model: PublishedSeem) -> None:
        super().__init__()
        self.language = model.language

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) int64 ids, (B, T) int64 mask of real tokens: (B, T, C), zeros for padding."""
        states: Tensor = self.language.states(ids)
        return states * mask.unsqueeze(2).to(states.dtype)


def flatten(features: QueryFeatures) -> tuple[Tensor, ...]:
    """Features in the order of FEATURE_NAMES."""
    return (*(tensor for level in features.levels for tensor in level), features.mask_features)


def unflatten(features: Sequence[Tensor]) -> QueryFeatures:
    """Tensors in the order of FEATURE_NAMES, as the model takes them."""
    levels = [Level(*features[3 * i : 3 * i + 3]) for i in range(N_LEVELS)]
    return QueryFeatures(levels, features[3 * N_LEVELS])


def export_graphs(
    model: PublishedSeem, folder: Path, *, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Writes all GRAPHS of a float32 model into `folder`; `progress` is told each name before."""
    model.eval()
    makers = (
        export_image_encoder,
        export_prompt_decoder,
        export_example_encoder,
        export_mask_head,
        export_text_encoder,
    )
    for name, make in zip(GRAPHS, makers, strict=True):
        progress(name)
        make(model, folder / name)


def export_image_encoder(model: PublishedSeem, file: Path) -> None:
    """Exports `ImageEncoderGraph`: any batch, any size in multiples of 32, or SAM's one size."""
    shape = {0: Dim("batch")}
    size = _SIZE
    if isinstance(model.variant.backbone, SamViTConfig):
        size = (model.variant.backbone.image_side,) * 2
    else:
        shape |= {2: 32 * Dim("rows_32"), 3: 32 * Dim("columns_32")}
    export_graph(
        ImageEncoderGraph(model),
        (torch.zeros(_TRACED_BATCH, 3, *size),),
        file,
        inputs=["image"],
        outputs=list(FEATURE_NAMES),
        shapes={"image": shape},
    )


def export_prompt_decoder(model: PublishedSeem, file: Path) -> None:
    """Exports `PromptDecoderGraph` for any B, n, q, P, T, V, m and image size."""
    features, prompts = _traced_inputs(model.variant.sizes)
    grid = _Grid()
    slots = model.variant.sizes.memory_tokens
    points, tokens, queries = Dim("points"), Dim("tokens"), Dim("queries")
    seen = Dim("example_tokens")
    shapes: dict[str, dict[int, Any]] = {
        "points": {**grid.objects, 3: points},
        "labels": {**grid.objects, 3: points},
        "text": {**grid.objects, 2: tokens},
        "text_mask": {**grid.objects, 2: tokens},
        "sentence": grid.objects,
        "examples": {**grid.objects, 3: seen},
        "example_mask": {**grid.objects, 2: seen},
        "example_vector": grid.objects,
        "previous_mask": {**grid.objects, 2: 8 * grid.rows, 3: 8 * grid.columns},
        "query_rows": {**grid.objects, 2: queries},
        "memory_owners": {**grid.objects, 3: Dim("memory_slots", max=slots)},
        "selector": grid.objects,
    }
    export_graph(
        PromptDecoderGraph(model),
        (list(flatten(features)), list(prompts)),
        file,
        inputs=[*FEATURE_NAMES, *QueryPrompts._fields],
        outputs=list(QueryAnswers._fields),
        shapes={
            "features": grid.features(),
            "prompts": [shapes[name] for name in QueryPrompts._fields],
        },
    )


def export_example_encoder(model: PublishedSeem, file: Path) -> None:
    """Exports `ExampleEncoderGraph` for any B, n, V and image size."""
    features, prompts = _traced_inputs(model.variant.sizes)
    grid = _Grid()
    points = {**grid.objects, 3: Dim("example_tokens")}
    export_graph(
        ExampleEncoderGraph(model),
        (list(flatten(features)), prompts.points, prompts.labels),
        file,
        inputs=[*FEATURE_NAMES, "points", "labels"],
        outputs=list(ExampleTokens._fields),
        shapes={"features": grid.features(), "points": points, "labels": points},
    )


def export_mask_head(model: PublishedSeem, file: Path) -> None:
    """Exports `MaskHeadGraph`, which has no weights."""
    features, _ = _traced_inputs(model.variant.sizes)
    grid = _Grid()
    export_graph(
        MaskHeadGraph(),
        (torch.zeros(_TRACED_BATCH, 5, model.variant.sizes.hidden), features.mask_features),
        file,
        inputs=["embeddings", "mask_features"],
        outputs=["masks"],
        shapes={
            "embeddings": {0: grid.batch, 1: Dim("queries")},
            "mask_features": grid.features()[-1],
        },
    )


def export_text_encoder(model: PublishedSeem, file: Path) -> None:
    """Exports `TextEncoderGraph` for any B and any T up to the model's context."""
    ids = torch.ones(_TRACED_BATCH, 7, dtype=torch.int64)
    shape = {0: Dim("batch"), 1: Dim("tokens", max=77)}
    export_graph(
        TextEncoderGraph(model),
        (ids, torch.ones_like(ids)),
        file,
        inputs=["ids", "mask"],
        outputs=["states"],
        shapes={"ids": shape, "mask": shape},
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    """The dimensions that several inputs of one graph share."""

    batch: Dim = field(default_factory=lambda: Dim("batch"))
    n_objects: Dim = field(default_factory=lambda: Dim("objects"))
    rows: Dim = field(default_factory=lambda: Dim("rows_32"))
    columns: Dim = field(default_factory=lambda: Dim("columns_32"))

    @property
    def objects(self) -> dict[int, Dim]:
        return {0: self.batch, 1: self.n_objects}

    def features(self) -> list[dict[int, Any]]:
        """Of FEATURE_NAMES."""
        strides = [stride for stride in LEVEL_STRIDES for _ in range(3)] + [4]
        return [
            {0: self.batch, 2: (32 // s) * self.rows, 3: (32 // s) * self.columns} for s in strides
        ]


def _traced_inputs(sizes: Sizes) -> tuple[QueryFeatures, QueryPrompts]:
    """Features and prompts whose every free dimension is above 1 and unlike the others."""
    height, width = _SIZE

    def feature(stride: int) -> Tensor:
        return torch.randn(_TRACED_BATCH, sizes.hidden, height // stride, width // stride)

    levels = [Level(feature(s), feature(s), feature(s)) for s in LEVEL_STRIDES]
    features = QueryFeatures(levels, feature(4))
    nothing = prompts_of_nothing(features, objects=_TRACED_OBJECTS, sizes=sizes)
    grid = (_TRACED_BATCH, _TRACED_OBJECTS)
    points, tokens, queries, seen, slots = 4, 5, 6, 7, sizes.memory_tokens - 1
    prompts = nothing._replace(
        points=torch.zeros(*grid, N_DRAWS, points, 2),
        labels=torch.ones(*grid, N_DRAWS, points),
        text=torch.zeros(*grid, tokens, sizes.hidden),
        text_mask=torch.ones(*grid, tokens),
        examples=torch.zeros(*grid, N_LEVELS, seen, sizes.hidden),
        example_mask=torch.ones(*grid, seen),
        query_rows=torch.arange(queries).expand(*grid, queries).clone(),
        memory_owners=nothing.memory_owners.repeat(1, 1, 1, slots),
    )
    return features, prompts
