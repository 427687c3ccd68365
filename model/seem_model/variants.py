"""The ten published SEEM models, as configurations of the one implementation.

A variant is a backbone, a pixel decoder and a wiring. The wiring ("interface" in SEEM's own code)
changes which queries see which prompts, never a parameter: v0, v1 and demo of one backbone have the
same names and shapes, so a checkpoint alone can't tell them apart.

Source: SEEM (Zou et al. 2023), sections 3.2-3.4, and the authors' released configurations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

HIDDEN = 512
HEADS = 8
OBJECT_QUERIES = 101
MEMORY_TOKENS = 32
DECODER_LAYERS = 9
MAX_PROMPT_POINTS = 512
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Widths and depths that all published variants share; others are for tests.

    hidden: of pixel decoder, decoder and joint space. text_ids, text_layers: of the text encoder,
    whose width is `hidden` too.
    """

    hidden: int = HIDDEN
    heads: int = HEADS
    feedforward: int = 2048
    encoder_layers: int = 6
    decoder_layers: int = DECODER_LAYERS
    object_queries: int = OBJECT_QUERIES
    memory_tokens: int = MEMORY_TOKENS
    text_ids: int = 49408
    text_layers: int = 12


PUBLISHED = Sizes()


class Wiring(StrEnum):
    """Which queries answer a prompt.

    V0: all 101 object queries see the prompt, one object a run, with memory. V1: three queries an
    object, with memory. DEMO: the object queries themselves, no memory, lower panoptic threshold.
    """

    V0 = "v0"
    V1 = "v1"
    DEMO = "demo"


@dataclass(frozen=True, slots=True)
class FocalNetConfig:
    """FocalNet (Yang et al. 2022).

    `depthwise`: SEEM's Tiny flavour, with 3x3 convolutions in every block, norms after the residual
    sum and a stem padded by 3 rather than 2.
    """

    width: int
    depths: tuple[int, int, int, int]
    focal_levels: int
    depthwise: bool

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of strides 4, 8, 16, 32."""
        w = self.width
        return w, 2 * w, 4 * w, 8 * w


@dataclass(frozen=True, slots=True)
class DaViTConfig:
    """DaViT (Ding et al. 2022). `kernels`, `paddings`: of the four patch embeddings."""

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    kernels: tuple[int, int, int, int]
    paddings: tuple[int, int, int, int]
    window: int = 7


@dataclass(frozen=True, slots=True)
class SamViTConfig:
    """The image encoder of SAM (Kirillov et al. 2023) with a simple feature pyramid for a neck.

    `image_side`: the only input size there is; positions are learned for it.
    """

    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    window: int = 14
    image_side: int = 1024
    channels: tuple[int, int, int, int] = (128, 256, 512, 1024)


BackboneConfig = FocalNetConfig | DaViTConfig | SamViTConfig


@dataclass(frozen=True, slots=True)
class Resize:
    """Shorter side to `short_side`, unless the longer would pass `long_side`; then that."""

    short_side: int
    long_side: int

    def cut_down(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of an image of `size`, its longer side rounded down."""
        short, long = self.short_side, self.short_side * max(size) // min(size)
        if long > self.long_side:
            short, long = self.long_side * short // long, self.long_side
        height, width = size
        return (short, long) if height <= width else (long, short)


@dataclass(frozen=True, slots=True)
class Variant:
    """One published model.

    `deformable`: the multi-scale deformable pixel decoder instead of the FPN. `divisor`: images are
    padded to multiples of it. `interactive`, `referring`, `generic`: resizing of the published
    evaluations of clicks, referring texts and panoptic segmentation.
    """

    name: str
    wiring: Wiring
    backbone: BackboneConfig
    deformable: bool = False
    divisor: int = 32
    interactive: Resize = Resize(800, 1333)
    referring: Resize = Resize(512, 1024)
    generic: Resize = Resize(800, 1333)
    sizes: Sizes = PUBLISHED

    @property
    def queries_per_object(self) -> int:
        """Query rows that answer one object in the published program."""
        return 3 if self.wiring is Wiring.V1 else self.sizes.object_queries

    @property
    def has_memory(self) -> bool:
        """Whether the mask of the round before is seen by the next."""
        return self.wiring is not Wiring.DEMO

    @property
    def panoptic_threshold(self) -> float:
        """Least probability of a segment in panoptic output, as published."""
        return 0.4 if self.wiring is Wiring.DEMO else 0.8


FOCAL_TINY = FocalNetConfig(96, (2, 2, 6, 2), focal_levels=3, depthwise=True)
FOCAL_LARGE = FocalNetConfig(192, (2, 2, 18, 2), focal_levels=4, depthwise=False)
DAVIT_D3 = DaViTConfig((128, 256, 512, 1024), (1, 1, 9, 1), (7, 2, 2, 2), (3, 0, 0, 0))
DAVIT_D5 = DaViTConfig((256, 512, 1024, 2048), (1, 1, 9, 1), (7, 3, 3, 3), (3, 1, 1, 1))
SAM_VIT_B = SamViTConfig(768, 12, 12, (2, 5, 8, 11))
SAM_VIT_L = SamViTConfig(1024, 24, 16, (5, 11, 17, 23))


def _sam(name: str, backbone: SamViTConfig) -> Variant:
    resize = Resize(1000, 1024)
    return Variant(name, Wiring.V1, backbone, True, 1024, resize, resize, resize)


VARIANTS = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            *(Variant(f"focalt_{wiring}", wiring, FOCAL_TINY) for wiring in Wiring),
            *(Variant(f"focall_{wiring}", wiring, FOCAL_LARGE) for wiring in Wiring),
            Variant("davitd3_v1", Wiring.V1, DAVIT_D3),
            Variant("davitd5_v1", Wiring.V1, DAVIT_D5),
            _sam("samvitb_v1", SAM_VIT_B),
            _sam("samvitl_v1", SAM_VIT_L),
        )
    }
)
"""By name: `focalt_v0`, `focalt_v1`, `focalt_demo`, `focall_…`, `davitd3_v1`, `samvitb_v1`, …"""
