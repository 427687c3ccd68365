"""A backend without a network: it draws simple masks at once, or as slowly as it is told to.

`seem serve --bundle fake` and the tests run the whole server on it. What it draws is a pure
function of the prompts, so that everything that holds for a model's masks (memory of the round
before, equal work gives equal masks) can be seen on it.

n objects · P prompt points · h, w = H / 4, W / 4
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_server.runtime.backend import (
    Decoded,
    ExampleTokens,
    Findings,
    Hypotheses,
    Interrupted,
    PixelMeanings,
    PromptArrays,
    TextStates,
)
from seem_server.runtime.specs import (
    APPEARANCE,
    BundleManifest,
    EverythingSpec,
    Filter,
    ImageSpec,
    LongSide,
    RefinedSpec,
    TextSpec,
    Vocabulary,
)
from seem_wire.errors import Internal
from seem_wire.pixels import MAP_NAMES, MASK_LOGIT, NEGATIVE, POSITIVE
from seem_wire.types import Licence, PromptKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from seem_server.runtime.backend import Features, Prompts

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

NAME = "fake"
RADIUS = 8.0
"""Radius of the disk that a click marks or clears, in grid cells."""

SIZES = (0.5, 2.0, 4.0)
"""Of the hypotheses' disks, in RADIUS."""

_STRIDE = 4
_TEXT = TextSpec(max_tokens=8, width=8)
_NAMES = ("thing", "named thing", "background")
_THING, _STUFF, _NOTHING = range(3)
_SURE = 10.0

MANIFEST = BundleManifest(
    name=NAME,
    variant=NAME,
    version="1",
    image=ImageSpec(
        LongSide(256, _STRIDE),
        Filter.BILINEAR,
        32,
        (127.5, 127.5, 127.5),
        (127.5, 127.5, 127.5),
        ((256, 256),),
    ),
    decoder=RefinedSpec(),
    everything=EverythingSpec(threshold=0.5, overlap=0.8, n_things=1, instances=10),
    prompts=frozenset(PromptKind),
    mask_stride=_STRIDE,
    mask_threshold=0.0,
    text=_TEXT,
    joint_width=_TEXT.width,
    vocabulary=Vocabulary(_NAMES, _SURE, np.eye(len(_NAMES), _TEXT.width, dtype=np.float32)),
    features=APPEARANCE,
    precision="fp32",
    licences=(Licence("all of it", "Apache-2.0", "drawn by rule, learned from nothing"),),
    provenance={},
    files=(),
    model_id="fake@1",
)


@dataclass(frozen=True, slots=True, eq=False)
class FakeFeatures:
    """The image itself at stride 4, float32 (3, h, w), so that a cache has bytes to count."""

    image: Float32

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.image.nbytes


class FakeBackend:
    """Draws what the prompts say: disks, boxes and masks, on top of the round before.

    A round's mask is the mask before it, the box, and a disk around each positive point, without a
    disk around each negative point. A text adds the middle of the image, an example its right half.
    Everything is a thing in the left half, and stuff in the right.

    `wait` is what makes it slow, called with the seconds to spend; tests pass their own. None waits
    for so long, or until it is interrupted.
    """

    provider = NAME
    manifest = MANIFEST

    def __init__(
        self,
        *,
        encode_s: float = 0.0,
        decode_s: float = 0.0,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._encode_s = encode_s
        self._decode_s = decode_s
        self._interrupted = threading.Event()
        self._wait = wait or self._interrupted.wait
        self.n_encoded = 0
        self.n_decoded = 0
        self.n_found = 0

    def encode(self, images: Float32) -> list[Features]:
        """Features of B images (B, 3, H, W)."""
        self._spend(self._encode_s)
        self.n_encoded += len(images)
        return [FakeFeatures(image[:, ::_STRIDE, ::_STRIDE].copy()) for image in images]

    def arrays_of(self, features: Features) -> tuple[Float32, ...]:
        """The image."""
        return (_image(features),)

    def features_of(self, arrays: Sequence[Float32]) -> Features:
        """Those of the image."""
        (image,) = arrays
        return FakeFeatures(image)

    def decode(self, items: Sequence[tuple[Features, Prompts]]) -> list[Decoded]:
        """One round for each item."""
        self._spend(self._decode_s)
        self.n_decoded += len(items)
        return [_answer(prompts) for _, prompts in items]

    def encode_example(self, features: Features, points: Float32) -> ExampleTokens:
        """What the pixels have in common: the mean of them all."""
        image = _image(features)
        rows, columns = (points[:, 1] / _STRIDE).astype(int), (points[:, 0] / _STRIDE).astype(int)
        colours = image[:, rows, columns].T  # (V, 3)
        tokens = np.zeros((3, len(points), _TEXT.width), np.float32)
        tokens[:, :, :3] = colours
        return ExampleTokens(tokens, tokens[0].mean(axis=0))

    def find(self, features: Features) -> Findings:
        """A thing in the left half and stuff in the right; a third query that finds nothing."""
        self._spend(self._decode_s)
        self.n_found += 1
        rows, columns = _image(features).shape[1:]
        inside = np.zeros((len(_NAMES), rows, columns), np.bool_)
        inside[_THING, :, : columns // 2] = True
        inside[_STUFF, :, columns // 2 :] = True
        return Findings(_logits(inside), MANIFEST.vocabulary.embeddings)

    def encode_text(self, text: str) -> TextStates:
        """A row for each word, made of its hash."""
        words = text.split()[: _TEXT.max_tokens]
        rows = [hashlib.sha256(word.encode()).digest()[: _TEXT.width] for word in words]
        digests = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, _TEXT.width)
        states = (digests / 255).astype(np.float32)
        return TextStates(states, states[-1])

    def meanings(self, features: Features) -> PixelMeanings:
        """The first name's meaning in the left half, the second one's in the right."""
        rows, columns = (side // 2 for side in _image(features).shape[1:])
        which = np.where(np.arange(columns) < columns // 2, _THING, _STUFF)
        vectors = MANIFEST.vocabulary.embeddings[np.tile(which, (rows, 1))]  # (rows, columns, C)
        return PixelMeanings(vectors.transpose(2, 0, 1), MANIFEST.vocabulary.scale)

    def appearance(self, features: Features) -> Float32:
        """Its colour; what is dark looks like what is grey, a little."""
        image = _image(features)
        rows, columns = (side // 2 for side in image.shape[1:])
        pooled = image[:, : rows * 2, : columns * 2].reshape(3, rows, 2, columns, 2).mean((2, 4))
        coloured = np.concatenate([pooled, np.full((1, rows, columns), 0.5, np.float32)])
        appearance: Float32 = (coloured / np.linalg.norm(coloured, axis=0)).astype(np.float32)
        return appearance

    def interrupt(self) -> None:
        """Ends what it waits for."""
        self._interrupted.set()

    def resume(self) -> None:
        """Waits again."""
        self._interrupted.clear()

    def _spend(self, seconds: float) -> None:
        if seconds:
            self._wait(seconds)
        if self._interrupted.is_set():
            raise Interrupted


def _image(features: Features) -> Float32:
    if not isinstance(features, FakeFeatures):
        raise Internal("Features of another backend came to the fake one.")
    return features.image


def _logits(inside: Mask) -> Float32:
    return np.where(inside, np.float32(MASK_LOGIT), np.float32(-MASK_LOGIT))


def _answer(prompts: Prompts) -> Decoded:
    if not isinstance(prompts, PromptArrays):
        raise Internal("Prompts of another kind of decoder came to the fake one.")
    n_objects = len(prompts.labels)
    inside = np.stack([_draw(prompts, index) for index in range(n_objects)])  # (n, h, w)
    named = prompts.text_mask.any(axis=1)
    said = (prompts.labels >= 0).sum(axis=1) + named  # (n,)
    sure = (1 - 0.5 / (1 + said)).astype(np.float32)
    semantic = MANIFEST.vocabulary.embeddings[np.where(named, _STUFF, _THING)]
    return Decoded(
        mask_logits=_logits(inside),
        iou=sure,
        presence=np.array([one.any() for one in inside], np.float32),
        semantic=semantic,
        hypotheses=_hypotheses(prompts, sure, semantic),
    )


def _hypotheses(prompts: PromptArrays, sure: Float32, semantic: Float32) -> Hypotheses:
    """The same prompts with clicks of half, twice and four times the size; less sure of each."""
    masks = [
        np.stack([_draw(prompts, index, RADIUS * size) for size in SIZES])
        for index in range(len(sure))
    ]
    iou = sure[:, None] * np.array([0.9, 0.8, 0.7], np.float32)
    return Hypotheses(_logits(np.stack(masks)), iou, np.repeat(semantic[:, None], len(SIZES), 1))


def _draw(prompts: PromptArrays, index: int, radius: float = RADIUS) -> Mask:
    """Object `index`'s mask, bool (h, w)."""
    inside: Mask = prompts.maps[index, MAP_NAMES.index("region")] > 0.5  # noqa: PLR2004  (half a cell)
    if prompts.has_previous[index]:
        inside |= prompts.previous_mask[index] > 0
    if prompts.text_mask[index].any():
        rows, columns = inside.shape
        inside[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4] = True
    if prompts.has_example[index]:
        inside[:, inside.shape[1] // 2 :] = True
    for sign in (POSITIVE, NEGATIVE):
        for x, y in prompts.points[index][prompts.labels[index] == sign] / _STRIDE:
            inside[_disk(inside.shape, x, y, radius)] = sign == POSITIVE
    inside &= prompts.maps[index, MAP_NAMES.index("negative_region")] <= 0.5  # noqa: PLR2004
    return inside


def _disk(shape: tuple[int, ...], x: float, y: float, radius: float) -> Mask:
    rows = np.arange(shape[0])[:, None] + 0.5 - y
    columns = np.arange(shape[1])[None, :] + 0.5 - x
    near: Mask = rows * rows + columns * columns <= radius * radius
    return near
