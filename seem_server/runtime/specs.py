"""What a bundle says of itself, as values: `bundle.json` after it was checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from seem_wire.types import Licence, PromptKind

    Float32 = npt.NDArray[np.float32]

APPEARANCE = ("masks_8", "embedding_8")
"""Features that together tell what a place looks like, at stride 8."""

MASK_STRIDE = 4
"""Network pixels for each pixel of the mask logits: all models here answer at a quarter."""


class Filter(StrEnum):
    """How an image is resized; each is Pillow's, which antialiases."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class Rounding(StrEnum):
    """How a resized side becomes whole: cut off (torchvision) or half up (detectron2)."""

    FLOOR = "floor"
    NEAREST = "nearest"


class Wiring(StrEnum):
    """SEEM's published interfaces: which queries answer, and whether they remember."""

    V0 = "v0"
    V1 = "v1"
    DEMO = "demo"


@dataclass(frozen=True, slots=True)
class LongSide:
    """The long side becomes `long_side`; each side is rounded to a multiple of `side_multiple`."""

    long_side: int
    side_multiple: int


@dataclass(frozen=True, slots=True)
class ShortSide:
    """The short side becomes `short_side`, unless the long one would pass `long_side`; then that.

    So do the published models (specification, section 2).
    """

    short_side: int
    long_side: int
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """How an image becomes the network's input.

    It is resized by the rule `resize` with `filter`; RGB values of 0..255 become `(x - mean) /
    std`; zeros then fill up to multiples of `divisor`. `buckets` are (height, width) of inputs that
    are worth a warm-up, the most usual first.
    """

    resize: LongSide | ShortSide
    filter: Filter
    divisor: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    buckets: tuple[tuple[int, int], ...]

    @property
    def long_side(self) -> int:
        """The longest side that a resized image can have, before it is padded."""
        return self.resize.long_side


@dataclass(frozen=True, slots=True)
class RefinedSpec:
    """Our own decoder: three queries an object that see maps of the prompt, and a refiner.

    `zoom`: whether small objects are looked at again through a window (`engine.zoom`).
    """

    zoom: bool = False


@dataclass(frozen=True, slots=True)
class QueriesSpec:
    """A published SEEM decoder: learned queries that see the prompt as sets of pixels.

    Attributes:
        query_rows: The learned queries that answer visual prompts, in place of a random draw.
        object_queries: How many learned queries there are; all of them answer words.
        memory_tokens: Tokens that carry the round before; 0 where nothing is remembered.
        layers: Of the decoder.
        max_points: Most pixels of one sign that one object's prompt may come to.
    """

    wiring: Wiring
    query_rows: tuple[int, ...]
    object_queries: int
    memory_tokens: int
    layers: int
    max_points: int


@dataclass(frozen=True, slots=True)
class ClicksSpec:
    """How an image is asked for everything, a click at a time, where no queries stand for it.

    Attributes:
        most: Clicks that one image may cost.
        iou: Least estimated IoU of a mask that is kept.
        stability: Least IoU of a mask that is kept with itself, its threshold moved up and down.
        swing: By how many logits it is moved.
    """

    most: int
    iou: float
    stability: float
    swing: float


@dataclass(frozen=True, slots=True)
class EverythingSpec:
    """How generic segments are told apart; see `seem_wire.segments`.

    Attributes:
        threshold: Least probability of a panoptic segment; by clicks, its least score.
        overlap: Least share of a segment that others may leave visible.
        n_things: The first so many names are things, the rest is stuff.
        instances: Most instances of one image.
        clicks: How it is asked where the decoder is "refined"; None where queries find it.
    """

    threshold: float
    overlap: float
    n_things: int
    instances: int
    clicks: ClicksSpec | None = None


@dataclass(frozen=True, slots=True)
class TextSpec:
    """Texts are cut to `max_tokens` tokens of `width` channels.

    `clean`: whether they are mended and lower-cased first, as CLIP's are (`seem_wire.cleaning`).
    """

    max_tokens: int
    width: int
    clean: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Names to label masks with; there may be none.

    embeddings: (V, joint_width) float32 unit rows, one a name. The softmax over
    `scale * embeddings @ semantic` is the names' probability. Where everything can be asked for,
    the last name stands for none of the others.
    """

    names: tuple[str, ...]
    scale: float
    embeddings: Float32


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file of the bundle as it was when the bundle was made."""

    name: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class BundleManifest:
    """What a bundle says of itself.

    Attributes:
        everything: None where the model can't tell what is in an image.
        features: Names of the image encoder's outputs, which the prompt decoder takes as inputs.
        mask_stride: Network pixels for each pixel of the mask logits.
        mask_threshold: A pixel belongs to the mask where its logit is greater.
        provenance: How the bundle was made; for people.
        model_id: Name and hash: equal ids give equal masks.
        presence_threshold: An object that was only named or shown elsewhere, and is there with less
            probability than this, is taken not to be in the image; None where none ever is.
    """

    name: str
    variant: str
    version: str
    image: ImageSpec
    decoder: RefinedSpec | QueriesSpec
    everything: EverythingSpec | None
    prompts: frozenset[PromptKind]
    mask_stride: int
    mask_threshold: float
    text: TextSpec
    joint_width: int
    vocabulary: Vocabulary
    features: tuple[str, ...]
    precision: str
    licences: tuple[Licence, ...]
    provenance: Mapping[str, object]
    files: tuple[FileSpec, ...]
    model_id: str
    presence_threshold: float | None = None

    @property
    def given_names(self) -> tuple[str, ...]:
        """What masks can be called; for everything, the vocabulary's last stands for no other."""
        names = self.vocabulary.names
        return names if self.everything is None else names[:-1]

    @property
    def follows(self) -> bool:
        """Whether objects can be followed through a video: its places can be told apart."""
        return isinstance(self.decoder, RefinedSpec) and set(APPEARANCE) <= set(self.features)

    @property
    def zooms(self) -> bool:
        """Whether small objects are looked at again, for which an image's own pixels are needed."""
        return isinstance(self.decoder, RefinedSpec) and self.decoder.zoom
